"""A fixed sample of mutations of recipes: each runs, or ends in one line that names its key; `make hostile` has all."""

from __future__ import annotations

import os
from pathlib import Path

from hostile_mutations import COMPOSITIONS, VERDICTS, Mutation, Result, mutations, summary_line
from warm_command import WarmCommands

SCRIPT = Path(__file__).parents[2] / "scripts" / "mutate_recipes.py"
# what once ended in an internal error, or was taken without a word
SAMPLE = (
    "'loss.ctc_weight=nan'",
    "'spell.hidden_dim=0'",
    "'spell.dropout=nan'",
    "'trainer.accelerator=true'",
    "'trainer.limit_train_batches=0'",
    "'search.pruning.pre_beam=true'",
    "'attend.components=-3'",
    "'optimizer.betas=[]'",
    "'frontend.cmvn=banana'",
    "'corpus.columns=0'",
    "'threads=-3'",
    "'seed=-3'",
    "'~seed'",
    "'callbacks=[[1]]'",
    "'checkpoint.best=-3'",
    "'trainer.val_check_interval=0'",
    "'trainer.val_check_interval=1000000000000000'",
)


def test_every_kind_of_mutation_at_every_key_of_every_composition() -> None:
    every = mutations()
    assert len(every) > 2000
    assert len(set(every)) == len(every)
    assert {mutation.overrides for mutation in every} == {tuple(overrides) for _, overrides in COMPOSITIONS}
    kinds = {"deleted", "misspelt", "text", "nan", "negative", "zero", "huge", "flag", "null", "list", "section"}
    assert {mutation.kind for mutation in every} >= kinds
    assert {"trainer.accelerator", "loss.ctc_weight", "checkpoint.final", "lm.hidden_dim", "seed"} <= {
        mutation.key for mutation in every
    }


def test_what_is_not_one_line_is_in_the_figures() -> None:
    mutation = Mutation("r", (), "a.b", "nan", "a.b=nan")
    results = [Result(mutation, verdict, 0.0, "") for verdict in (*VERDICTS, "ran")]
    line = summary_line(results)
    assert line.startswith("mutations 9 | one line 1 | internal errors 1 | ran 2 | ")
    assert all(f" | {verdict} 1" in line for verdict in ("unnamed", "several lines", "slow", "hang", "killed"))


def test_a_sample_is_refused_in_one_line(warm_commands: WarmCommands, tmp_path: Path) -> None:
    """By the script, in a process of its own: it forks, which a process with threads should not."""
    done = warm_commands.run_script(SCRIPT, [f"--only={text}" for text in SAMPLE], tmp_path, os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"mutations {len(SAMPLE)} | one line {len(SAMPLE)} | ")
