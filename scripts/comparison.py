"""`make comparison`: the comparison of recipes/synthetic: train what is missing of it, compare, write its page."""

from __future__ import annotations

import sys

from lasasr.cli.main import main

RECIPE = "synthetic/hard_char"
SYSTEMS = "attend=none,dot,additive,location,coverage,fertility,multihead_location,gmm"
SWEPT = ["seed=1,2,3,4", SYSTEMS]  # seeds outermost, so that every system has one run before any has two


def comparison() -> int:
    """The exit status of the first command that fails."""
    from lasasr.artifacts import run_paths, sweeps

    sweep = sweeps.sweep_folder(run_paths.root() / RECIPE, SWEPT)
    train = ["--resume", str(sweep)] if (sweep / "sweep.json").exists() else [RECIPE, "-m", *SWEPT]
    compare = [str(sweep), "--baseline", "location", "--html", str(sweep / "attention.html")]
    return main(["train", *train]) or main(["compare", *compare])


if __name__ == "__main__":
    sys.exit(comparison())
