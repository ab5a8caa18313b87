"""Find words whose contexts were changed on purpose, among all others.

    python -m benchmarks.shift TEXT --compass --samples 2

splits a text of one sentence or paragraph per line into two halves, at random, and
trains runs on each. Nothing has changed between the halves, so nothing should be found.
In the second half, thirty words are then changed: half of them exchange their contexts
with one another, the others take over more and more occurrences of another word.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from sg_train import Config, train
from sg_train.vectors.shift import Shift, measure_shift
from sg_train.vectors.word_vectors import WordVectors

PLANTED = 30
LEVEL = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--least", type=int, default=200, help="count of planted words")
    parser.add_argument("--compass", action="store_true", help="train with a compass")
    parser.add_argument("--samples", type=int, default=0, help="of each half")
    parser.add_argument("--split", type=int, default=1, help="seed of the split")
    parser.add_argument("--set", nargs="+", default=[], dest="overrides")
    args = parser.parse_args()
    generator = np.random.default_rng(args.split)
    lines = [line.lower().split() for line in args.text.read_text("utf-8").splitlines()]
    halves = generator.permutation(len(lines)) % 2
    early = [line for line, half in zip(lines, halves, strict=True) if half]
    late = [line for line, half in zip(lines, halves, strict=True) if not half]
    planted, donors = choose(early, late, args.least, generator)
    changed = plant(late, planted, donors, generator)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        sides = []
        for second in (late, changed):
            overrides = args.overrides
            if args.compass:
                vectors_of([*early, *second], 1, place / "compass", overrides)
                overrides = [*overrides, *compass_settings(place / "compass")]
            drawn = [*overrides, "sampling.bootstrap=true"]
            numbers = range(1, args.samples + 1), range(100, 100 + args.samples)
            both, of_samples = (
                [
                    [vectors_of(half, seed, place / "run", how) for seed in of_half]
                    for half, of_half in zip((early, second), seeds, strict=True)
                ]
                for how, seeds in ((overrides, [args.seeds] * 2), (drawn, numbers))
            )
            samples = (of_samples[0], of_samples[1]) if args.samples else None
            sides.append((both, samples))
    head = ("", "shared words", "in the first 50", "last", "of them q < .05")
    print(f"| {' | '.join((*head, 'others p < .05', 'others q < .05', 's'))} |")
    print("|---|---|---|---|---|---|---|---|")
    names = ("nothing changed", "thirty words changed")
    for name, ((before, after), samples) in zip(names, sides, strict=True):
        began = time.perf_counter()
        shift = measure_shift(before, after, samples=samples)
        report(name, shift, planted, donors, time.perf_counter() - began)


def choose(
    early: list[list[str]],
    late: list[list[str]],
    least: int,
    generator: np.random.Generator,
) -> tuple[list[str], list[str]]:
    """Return words to change, and for each one whose contexts it takes over."""
    counts = [Counter(word for line in half for word in line) for half in (early, late)]
    known = sorted(
        word
        for word in counts[0]
        if all(least <= each[word] <= 20 * least for each in counts)
        if word.isalpha() and len(word) > 2
    )
    chosen = generator.permutation(len(known))[: PLANTED + PLANTED // 2]
    words = [known[row] for row in chosen]
    planted = words[:PLANTED]
    half = PLANTED // 2
    # The first fifteen move on in a ring; the others take from words of their own.
    return planted, [*planted[1:half], planted[0], *words[PLANTED:]]


def plant(
    lines: list[list[str]],
    planted: list[str],
    donors: list[str],
    generator: np.random.Generator,
) -> list[list[str]]:
    """Return lines in which words stand in one another's contexts."""
    half = PLANTED // 2
    ring = dict(zip(donors[:half], planted[:half], strict=True))
    gradual = dict(zip(donors[half:], planted[half:], strict=True))
    gradual |= {word: donor for donor, word in gradual.items()}
    changed = []
    for place, line in enumerate(lines):
        share = place / len(lines)  # of occurrences that are exchanged
        new = [ring.get(word, word) for word in line]
        for at, word in enumerate(new):
            if word in gradual and generator.random() < share:
                new[at] = gradual[word]
        changed.append(new)
    return changed


def compass_settings(run: Path) -> list[str]:
    return [
        f"model.init_from={run}",
        "model.init_v=true",
        f"vocabulary.only={run}/vocabulary.tsv",
        "training.freeze=v",
        "training.freeze_words=null",
    ]


def vectors_of(
    lines: list[list[str]], seed: int, out: Path, overrides: list[str]
) -> WordVectors:
    config = Config.load(None, [f"training.seed={seed}", *overrides])
    return train(config, out, sentences=lines, overwrite=True).vectors


def report(
    name: str, shift: Shift, planted: list[str], donors: list[str], seconds: float
) -> None:
    # The words that they exchange with change as well, and are not counted.
    ranked = [word for word in shift.words if word in planted or word not in donors]
    found = sum(word in planted for word in ranked[:50])
    last = max(row for row, word in enumerate(ranked) if word in planted) + 1
    others = np.array([word not in {*planted, *donors} for word in shift.words])
    sure = int((shift.q[[word in planted for word in shift.words]] < LEVEL).sum())
    alarms, discoveries = (
        f"{(each[others] < LEVEL).mean():.3f}" for each in (shift.p, shift.q)
    )
    print(
        f"| {name} | {len(shift.words)} | {found} of {PLANTED} | {last} | "
        f"{sure} | {alarms} | "
        f"{discoveries} | {seconds:.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
