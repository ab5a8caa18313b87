"""How the number of windows in flight changes scores, simulated without a GPU.

    python -m benchmarks.in_flight TEXT --similarity FILE ... --analogies FILE ...

The triton engine trains W stretches of a block at once. Here, one window of each of W
stretches is a mini-batch of the autograd engine: all read the same weights before any
moves them. A GPU mostly reads newer weights, so this is close to the worst case.
"""

import argparse
import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import machine
from sg_train import Config, train
from sg_train.engines import autograd
from sg_train.engines.base import BlockResult
from sg_train.sampling.loader import WindowBlock


class Stretches(autograd.AutogradEngine):
    """Takes the windows of W stretches in turn, one of each per mini-batch."""

    def _train_block(self, block: WindowBlock) -> BlockResult:
        count, batch = len(block.centres), self._batch_size
        starts = np.arange(batch) * count // batch
        longest = int(np.diff(np.append(starts, count)).max())
        order = (starts + np.arange(longest)[:, None]).ravel()
        inside = (
            np.arange(longest)[:, None] < np.diff(np.append(starts, count))
        ).ravel()
        chosen = torch.from_numpy(order[inside])
        moved = block._replace(
            contexts=block.contexts[chosen],
            centres=block.centres[chosen],
            negatives=block.negatives[chosen],
            # Every mini-batch has the rate of the block's middle.
            positions=torch.full_like(block.positions, block.words // 2),
        )
        return super()._train_block(moved)


SPEC = replace(
    autograd.SPEC,
    build=functools.partial(autograd.build, engine_class=Stretches),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--similarity", nargs="+", default=[])
    parser.add_argument("--analogies", nargs="+", default=[])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256, 1024, 4096])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    args = parser.parse_args()
    print(f"{machine()}\n")
    settings = {
        "corpus.paths": [str(args.text)],
        "training.epochs": args.epochs,
        "evaluation.similarity": args.similarity,
        "evaluation.analogies": args.analogies,
        "evaluation.every_words": 10**15,
    }
    names = [Path(name).stem for name in (*args.similarity, *args.analogies)]
    print(f"| in flight | {' | '.join(['loss', *names])} |")
    print(f"|{'---|' * (len(names) + 2)}")
    with tempfile.TemporaryDirectory() as scratch:
        for size in (1, *args.sizes):
            rows = []
            for seed in args.seeds:
                how = {"training.batch_size": size, "training.seed": seed}
                engine = None if size == 1 else SPEC
                how["training.engine"] = "fused" if size == 1 else "autograd"
                config = Config().with_settings({**settings, **how})
                out = Path(scratch) / f"{size}-{seed}"
                metrics = train(config, out, engine=engine).metrics
                found = [metrics["loss"], *(metrics[name] for name in names)]
                rows.append([x[~np.isnan(x)][-1] for x in found])
            means = [f"{mean:.3f}" for mean in np.mean(rows, axis=0)]
            print(f"| {size} | {' | '.join(means)} |", flush=True)


if __name__ == "__main__":
    main()
