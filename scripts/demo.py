"""`make demo`: train the demo recipe, or go on with it, or show what it ended with."""

from __future__ import annotations

import sys

from lasasr.cli.main import main

RECIPE = "synthetic/las_char"


def demo() -> int:
    """The exit status of `lasasr train`, which says everything else."""
    from lasasr.artifacts import run_choice
    from lasasr.cli.compose import compose

    run = run_choice.run_for(compose(RECIPE), [])
    if run.status == "unfinished" and run.begun:
        return main(["train", "--resume", str(run.folder)])
    return main(["train", RECIPE])


if __name__ == "__main__":
    sys.exit(demo())
