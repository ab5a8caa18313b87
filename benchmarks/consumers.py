"""Load exported vectors with the libraries that they are exported for.

    python -m benchmarks.consumers RUN --text TEXT

needs sentence-transformers, model2vec, duckdb, pandas and polars, which the project
does not install. With a text of one paragraph per line, it also measures how well the
mean of words' vectors finds the second half of a paragraph, given the first, for
several weights of frequent words (SIF).
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sg_train.corpus.spelling import tokenizer_of
from sg_train.corpus.tokenizer import split_words
from sg_train.reports.sentence_model import export_sentence_model
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors
from sg_train.vectors.word_vectors import WordVectors

LONGEST = 512  # words of a half
SHORTEST = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--text", type=Path, help="one paragraph per line")
    parser.add_argument("--paragraphs", type=int, default=2000)
    parser.add_argument("--sif", type=float, nargs="+", default=[0, 1e-2, 1e-3, 1e-4])
    args = parser.parse_args()
    run = RunDirectory.open(args.run)
    vectors = load_run_vectors(run)
    with tempfile.TemporaryDirectory() as scratch:
        check_tables(vectors, Path(scratch))
        check_models(vectors, run, Path(scratch) / "model")
        if args.text:
            find_halves(vectors, run, args, Path(scratch) / "halves")


def check_tables(vectors: WordVectors, scratch: Path) -> None:
    import duckdb
    import pandas  # type: ignore[import-untyped, unused-ignore]
    import polars

    for dtype in ("float32", "float16", "int8"):
        file = scratch / f"{dtype}.parquet"
        vectors.save(file, dtype=dtype)
        read = WordVectors.load(file)
        frame = pandas.read_parquet(file)
        scale = frame["scale"].to_numpy()[:, None] if dtype == "int8" else 1
        matrix = np.stack(frame["vector"].to_numpy()).astype(np.float32) * scale
        assert np.array_equal(matrix, read.matrix)
        assert polars.read_parquet(file)["word"].to_list() == vectors.words
        worst = np.abs(read.matrix - vectors.matrix).max()
        print(f"parquet, {dtype}: pandas and polars read it; largest error {worst:.2g}")
    for ending, read_it in (
        ("parquet", "read_parquet('{}')"),
        ("csv", "read_csv('{}')"),
        ("jsonl", "read_json('{}', format='newline_delimited')"),
    ):
        file = scratch / f"v.{ending}"
        few = vectors.most_frequent(5000)
        few.save(file)
        word, dimension = few.words[100], few.dimension
        nearest = duckdb.sql(
            f"WITH v AS (SELECT word, vector::FLOAT[{dimension}] AS x "
            f"FROM {read_it.format(file)}) "
            "SELECT o.word FROM v AS o, v AS w WHERE w.word = ? AND o.word <> w.word "
            "ORDER BY array_cosine_similarity(o.x, w.x) DESC LIMIT 5",
            params=[word],
        ).fetchall()
        expected = [other for other, _ in few.neighbors(word, 5)]
        assert [row[0] for row in nearest] == expected, (nearest, expected)
        print(f"{ending}: DuckDB finds the same neighbours of {word}: {expected}")


def check_models(vectors: WordVectors, run: RunDirectory, path: Path) -> None:
    from model2vec import StaticModel
    from sentence_transformers import SentenceTransformer

    export_sentence_model(vectors, path, run)
    texts = ["The king’s palace in Paris", "a bank raised the RATE", "xyzzyxyzzy"]
    ours = text_vectors(WordVectors.load(path), run, texts)
    for name, model in (
        ("sentence-transformers", SentenceTransformer(str(path), device="cpu")),
        ("model2vec", StaticModel.from_pretrained(path, force_download=False)),
    ):
        theirs = np.asarray(model.encode(texts))
        cosines = (unit(theirs) * unit(ours)).sum(axis=1)
        assert np.allclose(cosines[:2], 1, atol=1e-5), cosines
        assert not theirs[2].any()
        print(f"{name}: the same vectors of texts, {theirs.shape}")
    word = vectors.words[100]
    near, expected = WordVectors.load(path).neighbors(word), vectors.neighbors(word)
    assert [w for w, _ in near] == [w for w, _ in expected]


def text_vectors(
    vectors: WordVectors, run: RunDirectory, texts: list[str]
) -> np.ndarray:
    tokenizer = tokenizer_of(run.load_config().corpus)
    means = np.zeros((len(texts), vectors.dimension), dtype=np.float32)
    for row, text in enumerate(texts):
        known = [w for w in split_words(tokenizer, text) if w in vectors.ids]
        if known:
            means[row] = vectors[known].mean(axis=0)
    return means


def find_halves(
    vectors: WordVectors, run: RunDirectory, args: argparse.Namespace, path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    lines = args.text.read_text("utf-8").splitlines()
    generator = np.random.default_rng(1)
    halves = []
    for row in generator.permutation(len(lines)):
        words = lines[row].split()[: 2 * LONGEST]
        middle = len(words) // 2
        if middle >= SHORTEST:
            halves.append((" ".join(words[:middle]), " ".join(words[middle:])))
        if len(halves) == args.paragraphs:
            break
    print(f"\nhalves of {len(halves)} paragraphs: is the other half the nearest one?")
    print("| a | unit vectors | nearest | mean reciprocal rank | seconds |")
    print("|---|---|---|---|---|")
    settings = [(a, is_unit) for is_unit in (False, True) for a in args.sif]
    for a, is_unit in tqdm(settings, disable=None):
        chosen = vectors.normalized() if is_unit else vectors
        export_sentence_model(chosen, path, run, a)
        model = SentenceTransformer(str(path), device="cpu")
        began = time.perf_counter()
        first, second = (
            unit(np.asarray(model.encode(list(x)))) for x in zip(*halves, strict=True)
        )
        scores = first @ second.T
        ranks = 1 + (scores > np.diag(scores)[:, None]).sum(axis=1)
        seconds = time.perf_counter() - began
        print(
            f"| {a:g} | {'yes' if is_unit else 'no'} | {(ranks == 1).mean():.3f} | "
            f"{(1 / ranks).mean():.3f} | {seconds:.1f} |"
        )


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)


if __name__ == "__main__":
    main()
