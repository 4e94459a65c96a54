"""Whether the data are those that a run was begun on: its card and its checkpoints say what those were.

card.json             data.splits: split → {"content": ..., "utterances": ...}, of train, dev and what is evaluated
checkpoints/*.ckpt    the same fingerprints, so that a card that was edited or lost deceives nobody
data/<split>.rows.gz  short digests of each utterance, to say what differs

torch and Lightning are loaded only to read a checkpoint: a finished run and an evaluation are compared by the card.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from lasasr.artifacts.run_card import SplitData
from lasasr.artifacts.runs import Run
from lasasr.configuration.settings import Recognition, Settings
from lasasr.corpora.audio_faults import skipped
from lasasr.corpora.base import Source
from lasasr.data import content_files
from lasasr.data.content import REPLAY
from lasasr.data.differences import how_counts_differ, how_rows_differ
from lasasr.data.splits import AnySplits
from lasasr.distributed import launch
from lasasr.errors import LasasrError, UsageError, nearest

TRAINED_ON = ("train", "dev", REPLAY)  # what a run cannot go on without; further splits are only decoded
UNKNOWN = "was begun by a version of lasasr that noted no content of its data"


class Difference(NamedTuple):
    """A split that is not what it was."""

    split: str
    how: str

    def __str__(self) -> str:
        return f"{self.split}: {self.how}"


def used_splits(settings: Settings) -> list[str]:
    """The splits that a run reads: train, dev and what is evaluated."""
    replayed = isinstance(settings, Recognition) and settings.adapt.replay is not None
    return list(dict.fromkeys(("train", "dev", *([REPLAY] if replayed else []), *settings.evaluate.splits)))


def absent(evaluated: Sequence[str], there: Iterable[str]) -> str:
    """Which of `evaluate.splits` the corpus lacks, in one line; empty where none."""
    names = sorted(there)
    gone = [split for split in evaluated if split not in names]
    if not gone:
        return ""
    meant = nearest(gone[0], names, most=1)
    way_out = f"name its list, as corpus.{gone[0]}=..., or leave it out: evaluate.splits=[dev]"
    return f"evaluate.splits names {', '.join(gone)}; the corpus has {', '.join(names)} ({meant}): {way_out}"


def refuse_absent(settings: Settings, corpus: Source) -> None:
    """Refuse splits to evaluate that a corpus is known to lack before it is prepared.

    Raises:
        UsageError: names them, and those that there are.
    """
    names = corpus.split_names()
    extra = (REPLAY,) if isinstance(settings, Recognition) and settings.adapt.replay is not None else ()
    if names and (fault := absent(settings.evaluate.splits, [*names, *extra])):
        raise UsageError(fault)


def described(splits: AnySplits, names: Iterable[str]) -> dict[str, Any]:
    """The data as a card holds them."""
    contents = {name: splits.contents(name) for name in names}
    return {
        "corpus": splits.fingerprint,
        "normalizer": str(splits.rule),
        "splits": {
            name: {"content": content.fingerprint, "utterances": content.utterances}
            | ({"corpus": splits.others[name]} if name in splits.others else {})
            | _left_out(splits, name)
            for name, content in contents.items()
        },
    }


def _left_out(splits: AnySplits, name: str) -> dict[str, int]:
    """How many utterances of a split were left out because of their audio; nothing where none was."""
    count = len(skipped(splits.manifests[name])) if name in splits.manifests else 0
    return {"left_out": count} if count else {}


def begin(folder: Path, splits: AnySplits, settings: Settings, resume: bool) -> dict[str, Any]:
    """Note the data of a run that begins; compare them with what they were where it goes on.

    Args:
        folder: of the run.
        resume: whether it goes on from a checkpoint, where there is one.

    Returns:
        The data as the card holds them.

    Raises:
        LasasrError: the training or dev set is not what it was, and nothing was changed then; or a split of
            `evaluate.splits` is missing.
    """
    if fault := absent(settings.evaluate.splits, splits.names):
        raise LasasrError(fault)
    run, now = Run(folder), described(splits, used_splits(settings))
    leads = launch.helper() is None
    if resume and run.begun:
        noted_splits = _noted_splits(run)
        if noted_splits is None and leads:
            sys.stderr.write(f"note: {folder} {UNKNOWN}: it is noted from now on\n")
        changed = differences(run, noted_splits or {}, splits, now["splits"])
        if trained := [change for change in changed if change.split in TRAINED_ON]:
            raise LasasrError(
                f"{folder} cannot go on: its data have changed since it was begun ({_list(trained)}); put them back "
                f"(and run lasasr prepare where it was audio), or train anew with --fresh"
            )
        for change in changed if leads else ():
            sys.stderr.write(f"note: {change.split} has changed since {folder} was begun ({change.how})\n")
    if leads:
        _note(run, splits, now)
    return now


def _note(run: Run, splits: AnySplits, data: Mapping[str, Any]) -> None:
    for name in data["splits"]:
        splits.write_rows(name, _rows_place(run, name))
    if run.card_path.exists():
        run.note(data=data)


def _rows_place(run: Run, split: str) -> Path:
    return run.folder / "data" / f"{split}.rows.gz"


def _noted_splits(run: Run) -> dict[str, SplitData] | None:
    """What the card says of each split and, before it, what the checkpoint says of those trained on."""
    card, held = noted(run), _last_content(run)
    if card is None and held is None:
        return None
    noted_splits = dict(card or {})
    for name, fingerprint in (held or {}).items():
        if name in TRAINED_ON and noted_splits.get(name, SplitData()).content != fingerprint:
            noted_splits[name] = SplitData(content=fingerprint)
    return noted_splits


def _last_content(run: Run) -> dict[str, str] | None:
    from lasasr.training.checkpoint_owner import id_of_run, is_of_run
    from lasasr.training.checkpoints import BEFORE, LAST

    run_id = id_of_run(run.folder)
    for path in (run.checkpoints / LAST, run.checkpoints / BEFORE):
        with suppress(LasasrError):  # what is damaged, or another run's, is said when it is gone on from
            if path.exists() and is_of_run(path, run_id):
                return of_checkpoint(path)
    return None


def noted(run: Run) -> Mapping[str, SplitData] | None:
    """What the card says of each split; None: it says nothing."""
    return run.card().data.splits if run.card_path.exists() else None


def of_checkpoint(path: Path) -> dict[str, str] | None:
    """Split → content, as a checkpoint holds them; None: it was written before there were any."""
    from lasasr.data.datamodule import CONTENT, SpeechDataModule, TextDataModule
    from lasasr.training import checkpoint_file

    try:
        held = checkpoint_file.read(path, mmap=True)
    except LasasrError as error:
        raise LasasrError(f"checkpoint {path} is damaged ({error})") from None
    for kind in (SpeechDataModule, TextDataModule):
        state = held.get(kind.__qualname__)
        if isinstance(state, Mapping) and isinstance(state.get(CONTENT), Mapping):
            return dict(state[CONTENT])
    return None


def differences(
    run: Run, noted_splits: Mapping[str, SplitData], splits: AnySplits, now: Mapping[str, Mapping[str, Any]]
) -> list[Difference]:
    """The splits that are not what they were; those of which nothing is known are not among them.

    Args:
        noted_splits: split → what the card of the run says of it.
        now: split → the same, today.
    """
    return [
        Difference(name, _how(run, name, noted_splits[name], splits, today))
        for name, today in now.items()
        if name in noted_splits and noted_splits[name].content != today["content"]
    ]


def changed_splits(run: Run, splits: AnySplits, settings: Settings) -> list[Difference]:
    """The splits of a run's card that are not any more what they were.

    Raises:
        LasasrError: a split cannot be read.
    """
    noted_splits = noted(run) or {}
    now = described(splits, [name for name in used_splits(settings) if name in noted_splits])["splits"]
    return differences(run, noted_splits, splits, now)


def other_data(run: Run, splits: AnySplits, names: Iterable[str]) -> list[str]:
    """A line for each of the named splits that is not what the card of a run knows.

    Raises:
        LasasrError: there is no such split, or it cannot be read.
    """
    noted_splits = noted(run)
    if noted_splits is None:
        before = run.card().data.corpus
        if before in (None, splits.fingerprint):
            return []
        return [
            f"{run.folder} {UNKNOWN}, and the corpus has another fingerprint now: its files were moved or have "
            f"changed, or it is another corpus"
        ]
    now = described(splits, [name for name in names if name in noted_splits])["splits"]
    changes = differences(run, noted_splits, splits, now)
    return [other_line(run, change) for change in changes]


def other_line(run: Run, difference: Difference) -> str:
    """What is said of a split that is decoded and is not that of the run."""
    return f"{difference.split} is not that of {run.folder} ({difference.how}): its result stands beside the run's own"


def _how(run: Run, split: str, before: SplitData, splits: AnySplits, now: Mapping[str, Any]) -> str:
    rows = splits.rows(split)
    if rows is not None:
        try:
            said = how_rows_differ(content_files.read_rows(_rows_place(run, split)), rows)
        except LasasrError:  # the run folder was not copied whole: less can be said
            said = ""
        if said:
            return said
    return how_counts_differ(before.utterances, now["utterances"], "sentences" if rows is None else "utterances")


def _list(changes: Sequence[Difference]) -> str:
    return "; ".join(map(str, changes))


def refuse_trained(run: Run, changes: Sequence[Difference]) -> None:
    """Refuse to take a finished run for the one that was asked for where it was trained on other data.

    Raises:
        LasasrError: the training or dev set differs.
    """
    if trained := [change for change in changes if change.split in TRAINED_ON]:
        raise LasasrError(
            f"{run.folder} is finished, but its data have changed since it was trained ({_list(trained)}); put them "
            f"back (and run lasasr prepare where it was audio), or train anew with --fresh"
        )


def refuse_other_data(run: Run, checkpoints: Iterable[Path]) -> None:
    """Refuse checkpoints that were trained on other data than the card says.

    Raises:
        LasasrError: one was, or is damaged; names it.
    """
    noted_splits = noted(run) or {}
    expected = {
        name: noted_splits[name].content for name in TRAINED_ON if name in noted_splits and noted_splits[name].content
    }
    for path in checkpoints if expected else ():
        held = of_checkpoint(path) or {}
        for name in expected.keys() & held.keys():
            if held[name] != expected[name]:
                raise LasasrError(
                    f"{path} was trained on other data than {run.folder} ({name}: content {held[name]}, not "
                    f"{expected[name]}): leave it out"
                )
