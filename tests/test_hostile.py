"""Every parser against damaged and made-up input: a right result or one clear line.

`make soak` runs this with many times the examples; SG_TRAIN_EXAMPLES sets how many.
"""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sg_train.choices import VectorFormat
from sg_train.config import Config, CorpusConfig, VocabularyConfig
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.meta import CorpusMeta
from sg_train.corpus.phrases.phrases import Phrase, Phrases, PhraseSettings
from sg_train.corpus.prepare import prepare
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import SgTrainError
from sg_train.reports.description import describe
from sg_train.reports.words import open_words
from sg_train.runs import checkpoint
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import load_metrics
from sg_train.runs.record import RunRecord
from sg_train.vectors.ngrams import Ngrams, Subwords
from sg_train.vectors.question_files import read_analogies, read_similarity
from sg_train.vectors.word_vectors import WordVectors
from tests.building import a_record, load_vectors, save_vectors
from tests.conftest import a_state

EXAMPLES = int(os.environ.get("SG_TRAIN_EXAMPLES", "30"))
TRIED: Counter[str] = Counter()
hostile = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True, scope="module")
def count() -> Iterator[None]:
    yield
    print("inputs tried:", dict(TRIED))  # noqa: T201


NUMBERS = [b"0", b"-1", b"1e39", b"nan", b"999999999999", b"18446744073709551616"]
PIECES = [b"", b"\0", b"\n", b"\r\n", b" ", b"\t", b"\xff", b"\xef\xbb\xbf", b"\x85"]
PIECES += [b'"', b"{", b"[", b":", b"$", b"\xc2\xa0", "\u2028".encode(), *NUMBERS]


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Draw a way to damage a file: cut, flip, put in, take out, double a part."""
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["cut", "flip", "insert", "remove", "double"]),
                st.floats(0, 1),
                st.integers(1, 40),
                st.sampled_from(PIECES) | st.binary(max_size=9),
            ),
            min_size=1,
            max_size=4,
        )
    )

    def damage(content: bytes) -> bytes:
        for kind, where, length, piece in steps:
            place = int(where * len(content))
            rest = content[place:]
            content = (
                content[:place]
                + {
                    "cut": b"",
                    "flip": bytes(byte ^ length for byte in rest[:1]) + rest[1:],
                    "insert": piece + rest,
                    "remove": rest[length:],
                    "double": rest[:length] + rest,
                }[kind]
            )
        return content

    return damage


@contextlib.contextmanager
def or_one_line(parser: str) -> Iterator[None]:
    TRIED[parser] += 1
    try:
        yield
    except SgTrainError as error:
        # What the command line makes one line of; nothing else may come out.
        assert str(error).strip()  # noqa: PT017


def look_at(path: Path) -> None:
    for look in (describe, open_words):
        with or_one_line(look.__name__):
            assert look(path)


def check(vectors: WordVectors) -> None:
    assert vectors.matrix.shape[0] == len(vectors.words) == len(set(vectors.words))
    assert 0 not in vectors.matrix.shape
    assert vectors.matrix.dtype == np.float32
    assert np.isfinite(vectors.matrix).all()
    assert all(vectors.words)


VECTORS = WordVectors(
    ["the", "b", "東京", "1", '"'],
    np.linspace(-2, 3, 15, dtype=np.float32).reshape(5, 3),
)
FORMS: list[VectorFormat] = ["text", "binary", "glove", "safetensors", "npy"]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", FORMS)
@hostile
@given(damage=damages())
def test_vector_files(form: VectorFormat, packed, damage) -> None:
    file = Path("v.npy")
    if not file.with_suffix(f".{form}").exists():
        save_vectors(VECTORS, file, form)
        file.with_suffix(f".{form}").write_bytes(file.read_bytes())
    content = damage(file.with_suffix(f".{form}").read_bytes())
    content = gzip.compress(content) if packed else content
    file.unlink(missing_ok=True)  # a new file: the old one may still be mapped
    file.write_bytes(content)
    with or_one_line(f"vectors, {form}"):
        check(load_vectors(file))


@hostile
@given(damage=damages())
def test_models_of_fasttext(damage) -> None:
    subwords = Subwords(Ngrams(2, 3, 9), np.ones((9, 3), dtype=np.float32))
    vectors = WordVectors(
        ["the", "b", "東京", "1", "x"], VECTORS.matrix, subwords=subwords
    )
    vectors.save("v.bin", "fasttext")
    content = Path("v.bin").read_bytes()
    Path("v.bin").unlink()  # a new file: the old one may still be mapped
    Path("v.bin").write_bytes(damage(content))
    with or_one_line("vectors, fasttext"):
        read = load_vectors(Path("v.bin"))
        check(read)
        unseen = read.get("unseen")
        assert unseen is None or unseen.shape == (read.dimension,)
    Path("v.bin").unlink()


@hostile
@given(content=st.binary(max_size=200))
def test_junk_as_vectors(content: bytes) -> None:
    Path("v").write_bytes(content)
    with or_one_line("vectors, junk"):
        check(load_vectors(Path("v")))


@hostile
@given(damage=damages())
def test_words_of_an_array(damage) -> None:
    save_vectors(VECTORS, Path("v.npy"), "npy")
    words = Path("v.words.txt")
    words.write_bytes(damage(words.read_bytes()))
    with or_one_line("words of npy"):
        check(load_vectors(Path("v.npy")))
    words.unlink()
    Path("v.npy").unlink()


@hostile
@given(damage=damages())
def test_question_files(damage) -> None:
    Path("s").write_bytes(damage(b"word1\tword2\tscore\na\tb\t1.5\nc\td\t2\n"))
    with or_one_line("similarity"):
        for one, other, score in read_similarity(Path("s")).pairs:
            assert one
            assert other
            assert np.isfinite(score)
    Path("q").write_bytes(damage(b": one\na b c d\ne f g h\n: two\na b e f\n"))
    with or_one_line("analogies"):
        assert read_analogies(Path("q")).sections


SECTIONS = list(Config.model_fields)
YAML = Config().to_yaml().encode()


@hostile
@given(damage=damages())
def test_configs(damage) -> None:
    Path("c.yaml").write_bytes(damage(YAML))
    with or_one_line("config"):
        config = Config.load(Path("c.yaml"))
        Path("again.yaml").write_text(config.to_yaml())
        assert Config.load(Path("again.yaml")) == config


@hostile
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(list(Config.model_fields)), inner, max_size=3
            )
        ),
        max_leaves=8,
    )
)
def test_made_up_settings(value: object) -> None:
    Path("c.yaml").write_text(json.dumps(value))
    with or_one_line("config, made up"):
        Config.load(Path("c.yaml"))


def test_hostile_yaml() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for level in range(1, 12):
        before, now = chr(96 + level), chr(97 + level)
        bomb += f"{now}: &{now} [{','.join([f'*{before}'] * 9)}]\n"
    tagged = "model: !!python/object/apply:os.system ['touch owned']"
    for content in (bomb, tagged, "? [a]\n: b", "{" * 5000, "a: " * 500, "- &x [*x]"):
        Path("c.yaml").write_text(content)
        with or_one_line("config, hostile"):
            Config.load(Path("c.yaml"))
    assert not Path("owned").exists()


@hostile
@given(damage=damages())
def test_vocabularies(damage) -> None:
    Path("v.tsv").write_bytes(damage(b"the\t9\nof\t5\n\xc3\xa9\t5\nz\t1\n"))
    with or_one_line("vocabulary"):
        vocabulary = Vocabulary.load(Path("v.tsv"))
        assert len(set(vocabulary.words)) == len(vocabulary) > 0
        assert (vocabulary.counts > 0).all()


PHRASES = Phrases(
    ((Phrase(("a", "of", "b"), 2.5, 9), Phrase(("c", "d"), 1.0, 5)),) * 2,
    PhraseSettings(passes=2, connectors=("of",)),
)


@hostile
@given(damage=damages())
def test_phrases(damage) -> None:
    PHRASES.save(Path("p.tsv"))
    Path("p.tsv").write_bytes(damage(Path("p.tsv").read_bytes()))
    Path("t").write_text("a of b c d\nc d b\n" * 9)
    settings = CorpusConfig(paths=["t"], phrases="p.tsv")
    with or_one_line("phrases"):
        phrases = Phrases.load(Path("p.tsv"))
        assert len(phrases.passes) == phrases.settings.passes
        corpus = prepare(
            settings, VocabularyConfig(min_count=1), Path("c"), 1, overwrite=True
        )
        assert corpus.vocabulary.counts.sum() == corpus.words
        assert all(word.split() == [word] for word in corpus.vocabulary.words)
    look_at(Path("p.tsv"))


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252", "shift-jis"]
PACK: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def prepare_text(content: bytes, tokenizer: str, errors: str) -> None:
    Path("t").write_bytes(content)
    settings = CorpusConfig(
        paths=["t"],
        tokenizer=tokenizer,
        errors=errors,
    )
    corpus = prepare(
        settings, VocabularyConfig(min_count=1), Path("c"), 1, overwrite=True
    )
    counted = np.zeros(len(corpus.vocabulary), dtype=np.int64)
    for block in range(len(corpus.block_starts) - 1):
        ids = corpus.block(block).ids
        counted += np.bincount(ids, minlength=len(counted))
    assert (counted == corpus.vocabulary.counts).all()
    assert all(word.split() == [word] for word in corpus.vocabulary.words)


@pytest.mark.parametrize("tokenizer", ["words", "whitespace"])
@hostile
@given(
    text=st.text(max_size=60),
    encoding=st.sampled_from(ENCODINGS),
    newline=st.sampled_from(["\n", "\r\n", "\r", "\u2028", "\x85"]),
    errors=st.sampled_from(["strict", "replace"]),
)
def test_texts(tokenizer: str, text, encoding, newline, errors) -> None:
    content = (text + newline + text).encode(encoding, "replace")
    with or_one_line("text"):
        prepare_text(content, tokenizer, errors)


@pytest.mark.parametrize("form", PACK)
@hostile
@given(damage=damages())
def test_compressed_texts(form: str, damage) -> None:
    packed = PACK[form](b"some words of a text\nsome more words\n" * 9)
    with or_one_line(f"text, {form}"):
        prepare_text(damage(packed), "words", "strict")


FILES = ["ids.i32", "offsets.i64", "vocabulary.tsv", "meta.json"]


SENTENCES = ["the cat & the dog", "a <tag> and a dog", "the cat sat, 1 < 2"] * 3


def forms() -> dict[str, bytes]:
    """Return the same sentences in each format."""
    escaped = [
        sentence.replace("&", "&amp;").replace("<", "&lt;") for sentence in SENTENCES
    ]
    table = io.BytesIO()
    pq.write_table(pa.table({"text": SENTENCES, "user": [1, 2, 3] * 3}), table)
    records = [
        {"text": sentence, "user": i % 2} for i, sentence in enumerate(SENTENCES)
    ]
    lines = {
        "xml": [
            '<?xml version="1.0"?><!DOCTYPE t [<!ENTITY e "x">]><t>',
            *(f"<p><hi>{text}</hi>&e;<note>n</note></p>" for text in escaped),
            "</t>",
        ],
        "html": ["<!doctype html><body>", *(f"<p>{text}<br>" for text in escaped)],
        "vertical": [
            line
            for sentence in SENTENCES
            for line in ("<s>", *(f"{w}\tX\t{w}" for w in sentence.split()), "</s>")
        ],
        "jsonl": [json.dumps(record) for record in records],
        "csv": ["user,text", *(f'{i},"{text}"' for i, text in enumerate(SENTENCES))],
    }
    made = {form: "\n".join(text).encode() for form, text in lines.items()}
    return {**made, "parquet": table.getvalue()}


TEXT_FORMS = forms()


@hostile
@pytest.mark.parametrize("form", TEXT_FORMS)
@pytest.mark.parametrize("asked", ["auto", "itself"])
@given(damage=damages())
def test_texts_in_other_formats(form: str, asked: str, damage) -> None:
    Path("text").write_bytes(damage(TEXT_FORMS[form]))
    corpus = CorpusConfig.model_validate(
        {"paths": ["text"], "format": form if asked == "itself" else "auto"}
    )
    with or_one_line(form):
        prepare(corpus, VocabularyConfig(min_count=1), Path("c"), 1, overwrite=True)
        check_sentences(EncodedCorpus.load(Path("c")))


@hostile
@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
@given(damage=damages())
def test_events_in_damaged_tables(form: str, damage) -> None:
    Path("text").write_bytes(damage(TEXT_FORMS[form]))
    corpus = CorpusConfig.model_validate(
        {"paths": ["text"], "format": form, "field": "text", "group_by": "user"}
    )
    with or_one_line(f"events in {form}"):
        prepare(corpus, VocabularyConfig(min_count=1), Path("c"), 1, overwrite=True)
        check_sentences(EncodedCorpus.load(Path("c")))


@hostile
@pytest.mark.parametrize("form", list(TEXT_FORMS))
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_junk_as_any_format(form: str, content: bytes) -> None:
    Path("text").write_bytes(content)
    corpus = CorpusConfig.model_validate({"paths": ["text"], "format": form})
    with or_one_line(f"junk as {form}"):
        prepare(corpus, VocabularyConfig(min_count=1), Path("c"), 1, overwrite=True)


def check_sentences(corpus: EncodedCorpus) -> None:
    block = corpus.sentences(0, corpus.meta.sentences)
    assert len(block.ids) == corpus.words
    assert all(word == word.strip() and word for word in corpus.vocabulary.words)


@pytest.mark.parametrize("name", FILES)
@hostile
@given(damage=damages())
def test_prepared_corpora(name: str, damage) -> None:
    if not Path("c").exists():
        prepare_text(b"a b c a b a\nc c a\n" * 40, "words", "strict")
    file = Path("c", name)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    try:
        look_at(Path("c"))
        look_at(file)
        with or_one_line(f"corpus, {name}"):
            corpus = EncodedCorpus.load(Path("c"))
            for number in range(len(corpus.block_starts) - 1):
                block = corpus.block(number)
                assert block.ids.min() >= 0
                assert block.ids.max() < len(corpus.vocabulary)
                assert block.offsets[0] == 0
                assert block.offsets[-1] == len(block.ids)
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize("name", ["state.json", "weights.safetensors"])
@hostile
@given(damage=damages())
def test_checkpoints(name: str, damage) -> None:
    weights = dict.fromkeys("uv", VECTORS.matrix)
    state = a_state(3)
    Path("k").mkdir(exist_ok=True)
    checkpoint.save_weights(Path("k/weights.safetensors"), weights)
    Path("k/state.json").write_bytes(state.to_json(weights))
    file = Path("k", name)
    file.write_bytes(damage(file.read_bytes()))
    look_at(Path("k"))
    with or_one_line(f"checkpoint, {name}"):
        found, read = checkpoint.load(Path("k"))
        assert found == state
        assert all(np.array_equal(read[key], weights[key]) for key in "uv")


@hostile
@given(damage=damages())
def test_records_of_a_run(damage) -> None:
    run = RunDirectory(Path("r"))
    run.path.mkdir(exist_ok=True)
    run.metrics_file.write_bytes(
        damage(b'{"words": 1, "seconds": 0.5, "loss": 2}\n' * 3)
    )
    with or_one_line("metrics"):
        assert all(
            line.words >= 0 or line.words < 0 for line in load_metrics(run.metrics_file)
        )
    a_record().save(run.record_file)
    run.record_file.write_bytes(damage(run.record_file.read_bytes()))
    with or_one_line("record"):
        assert isinstance(run.load_record(), RunRecord)
    Path("r/config.yaml").write_bytes(YAML)
    Path("r/vocabulary.tsv").write_text("a\t1\n")
    look_at(run.path)


# --- records of other types, and with other depth -----------------------------------

VALUES: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from(
        [0, -1, 2**31, 2**63, 2**64, 10**400, 1.5, -1e308, "", "x", "\0"]
    ),
    lambda inside: (
        st.lists(inside, max_size=2) | st.dictionaries(st.text(max_size=2), inside)
    ),
    max_leaves=4,
)


def places(value: object) -> list[tuple[object, ...]]:
    """Return the path of each value inside a JSON value, outermost first."""
    found: list[tuple[object, ...]] = [()]
    items: list[tuple[object, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return found + [(key, *rest) for key, inner in items for rest in places(inner)]


def replaced(value: object, place: tuple[object, ...], new: object) -> object:
    """Return a JSON value with the value at one place replaced."""
    if not place:
        return new
    copy: Any = value.copy() if isinstance(value, dict | list) else value
    copy[place[0]] = replaced(copy[place[0]], place[1:], new)
    return copy


@hostile
@given(data=st.data())
def test_records_of_other_types(data: st.DataObject) -> None:
    run = RunDirectory(Path("r"))
    run.path.mkdir(exist_ok=True)
    (run.path / "config.yaml").write_bytes(YAML)
    (run.path / "vocabulary.tsv").write_text("a\t1\n")
    a_record().save(run.record_file)
    run.metrics_file.write_bytes(b'{"words": 1, "seconds": 0.5, "loss": 2}\n')
    weights = dict.fromkeys("uv", VECTORS.matrix)
    Path("k").mkdir(exist_ok=True)
    checkpoint.save_weights(Path("k/weights.safetensors"), weights)
    Path("k/state.json").write_bytes(a_state(3).to_json(weights))
    if not Path("c").exists():
        prepare_text(b"a b c a b a\nc c a\n" * 40, "words", "strict")
    meta = Path("c/meta.json").read_bytes()
    for file in (
        *(run.record_file, run.metrics_file),
        *(Path("k/state.json"), Path("c/meta.json")),
    ):
        whole = json.loads(file.read_bytes())
        place = data.draw(st.sampled_from(places(whole)))
        changed: Any = replaced(whole, place, data.draw(VALUES))
        if file.name == "state.json" and isinstance(changed, dict):
            changed.pop("checksum", None)  # one who crafts a file can compute it
            changed["checksum"] = checkpoint._checksum_of_json(changed)
        file.write_text(json.dumps(changed) + "\n")
    for look in (
        run.load_record,
        lambda: load_metrics(run.metrics_file),
        lambda: checkpoint.load(Path("k")),
        lambda: EncodedCorpus.load(Path("c")),
    ):
        with or_one_line("records of other types"):
            look()
    for path in (run.path, Path("k"), Path("c")):
        look_at(path)
    Path("c/meta.json").write_bytes(meta)


@hostile
@given(data=st.data())
def test_phrases_of_other_types(data: st.DataObject) -> None:
    found = Phrases(
        ((Phrase(("a", "b"), 1.5, 3),),), PhraseSettings(connectors=("of",))
    )
    found.save(Path("p.tsv"))
    head, _, rest = Path("p.tsv").read_text().partition("\n")
    whole = json.loads(head)
    place = data.draw(st.sampled_from(places(whole)))
    changed = replaced(whole, place, data.draw(VALUES))
    Path("p.tsv").write_text(f"{json.dumps(changed)}\n{rest}")
    with or_one_line("phrases of other types"):
        assert Phrases.load(Path("p.tsv")).passes == found.passes
    look_at(Path("p.tsv"))


@pytest.mark.parametrize("depth", [500, 100_000])
def test_records_of_any_depth(depth: int) -> None:
    run = RunDirectory(Path("r"))
    run.path.mkdir()
    (run.path / "config.yaml").write_bytes(YAML)
    deep = b"[" * depth + b"]" * depth
    Path("k").mkdir()
    Path("c").mkdir()
    for file in (
        *(run.record_file, run.metrics_file),
        *(Path("k/state.json"), Path("c/meta.json")),
    ):
        file.write_bytes(deep + b"\n")
    for look in (
        run.load_record,
        lambda: load_metrics(run.metrics_file),
        lambda: checkpoint.load(Path("k")),
        lambda: CorpusMeta.load(Path("c")),
    ):
        with pytest.raises(SgTrainError):
            look()


def test_words_of_another_type_are_refused() -> None:
    tensors = {
        "vectors": torch.ones(2, 2),
        "words": torch.ones(4, dtype=torch.bfloat16),
    }
    safetensors.torch.save_file(
        tensors, "v.safetensors", {"format": "sg-train vectors 1"}
    )
    with pytest.raises(SgTrainError, match="`words` is BF16, expected U8"):
        load_vectors(Path("v.safetensors"))


@pytest.mark.parametrize(
    "shape", ["(-1, 2)", "(2**70, 2)", "(999999999, 999999999)", "'x'"]
)
def test_arrays_of_absurd_shape_are_refused(shape: str) -> None:
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (118 - len(head) - 1) + b"\n"
    Path("v.npy").write_bytes(
        b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head
    )
    Path("v.words.txt").write_text("a\nb\n")
    with or_one_line("npy of absurd shape"), pytest.raises(SgTrainError):
        load_vectors(Path("v.npy"))
