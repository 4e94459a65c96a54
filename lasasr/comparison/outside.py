"""Results that lasasr did not decode: texts of other toolkits, scored as runs of a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lasasr.artifacts.run_card import RunCard
from lasasr.comparison.entries import DecodedRun
from lasasr.comparison.reference_set import ReferenceSet, Scoring
from lasasr.comparison.settings import Settings
from lasasr.errors import LasasrError
from lasasr.metrics.error_rates import AlignedPair, Counts, align, counts_between, errors_between, refuse_endless, units
from lasasr.transcripts.base import Texts, Transcripts
from lasasr.transcripts.nist import by_segment


class LazyAlignments(Mapping[str, tuple[AlignedPair, ...]]):
    """Utterance id → alignment, computed when it is asked for: a million of them would not fit into memory."""

    def __init__(self, lines: Sequence[Mapping[str, Any]], scoring: Scoring) -> None:
        self._lines = {line["id"]: line for line in lines}
        self._scoring = scoring

    def __getitem__(self, key: str) -> tuple[AlignedPair, ...]:
        line = self._lines[key]
        return tuple(align(line["reference"], line["hypothesis"], self._scoring.metric))

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


def outside_run(
    seed: str, transcripts: Transcripts, references: ReferenceSet, split: str, scoring: Scoring
) -> DecodedRun:
    """The hypotheses of one file as a run.

    Args:
        seed: its name among the files of its system.

    Raises:
        LasasrError: other utterances, other references, missing utterances that are not counted as deletions,
            nothing to recognise, or an utterance too long to be scored.
    """
    own = transcripts.own_references()
    if own is not None:
        references.check(str(transcripts.path), own, scoring)
    hypotheses, missing = _complete(
        transcripts.path, _hypotheses(transcripts, references), references, scoring, transcripts.ids_note
    )
    lines, raw, characters = _scored(str(transcripts.path), hypotheses, references, scoring)
    summary = _summary(lines, raw, characters, references, split, scoring)
    return DecodedRun(
        name=str(transcripts.path),
        seed=seed,
        settings=Settings({}, {}, {}),
        card=RunCard(),
        summary=summary | {"seed": seed, "without_hypothesis": missing},
        lines=lines,
        alignments=LazyAlignments(lines, scoring),
    )


def rescored(run: DecodedRun, references: ReferenceSet, scoring: Scoring) -> DecodedRun:
    """A run of lasasr, its texts scored as those of the others.

    Raises:
        LasasrError: as `outside_run`.
    """
    references.check(run.name, {line["id"]: line["reference"] for line in run.lines}, scoring)
    texts = {line["id"]: line["hypothesis"] for line in run.lines}
    hypotheses, missing = _complete(Path(run.name), texts, references, scoring)
    lines, raw, characters = _scored(run.name, hypotheses, references, scoring)
    own = {line["id"]: line for line in run.lines}
    lines = [{**own.get(line["id"], {}), **line} for line in lines]
    summary = run.summary | _summary(lines, raw, characters, references, str(run.summary["split"]), scoring)
    summary["without_hypothesis"] = missing
    if not scoring.changes:  # the texts stay as the run's own normalizer left them
        summary["normalizer"] = run.summary.get("normalizer")
    return replace(run, lines=lines, summary=summary, alignments=LazyAlignments(lines, scoring))


def _hypotheses(transcripts: Transcripts, references: ReferenceSet) -> Texts:
    if transcripts.words and references.segments:
        return by_segment(transcripts.path, transcripts.words, references.segments)
    return transcripts.as_hypotheses()


def _complete(
    path: Path, hypotheses: Texts, references: ReferenceSet, scoring: Scoring, ids_note: str = ""
) -> tuple[Texts, int]:
    """The hypothesis of every reference, and how many of them were not there.

    Args:
        ids_note: of the hypotheses, as `Transcripts` has it.
    """
    remedy = next(filter(None, [ids_note, references.ids_note]), "")
    if extra := [key for key in hypotheses if key not in references.texts]:
        raise LasasrError(
            f"{path} has {len(extra):,} of {len(hypotheses):,} utterances that {references.source} has not "
            f"({extra[0]}, ...; there e.g. {next(iter(references.texts))}); {remedy or 'score the same utterances'}"
        )
    missing = [key for key in references.texts if key not in hypotheses]
    if missing and not scoring.missing_are_deletions:
        raise LasasrError(
            f"{path} lacks {len(missing):,} of the {len(references.texts):,} utterances of {references.source} "
            f"({missing[0]}, ...); {remedy or '--missing deletions counts their words as deleted'}"
        )
    return {**dict.fromkeys(missing, ""), **hypotheses} if missing else hypotheses, len(missing)


def _scored(
    source: str, hypotheses: Texts, references: ReferenceSet, scoring: Scoring
) -> tuple[list[dict[str, Any]], Counts | None, Counts | None]:
    """The lines as results/<split>.jsonl has them; the counts without the normalizer, and those of characters."""
    lines: list[dict[str, Any]] = []
    raw_errors = raw_length = character_errors = characters = 0
    for key, reference in references.texts.items():
        hypothesis = scoring.normalizer(hypotheses[key])
        refuse_endless(f"{source}: {key}", reference, hypothesis)
        counts = counts_between(references.units[key], scoring.units(hypothesis))
        line: dict[str, Any] = {
            "id": key,
            "speaker": references.speakers.get(key),
            "reference": reference,
            "hypothesis": hypothesis,
            "substitutions": counts.substitutions,
            "deletions": counts.deletions,
            "insertions": counts.insertions,
        }
        if key in references.durations_s:
            line["duration_s"] = references.durations_s[key]
        lines.append(line)
        if scoring.changes:
            refuse_endless(f"{source}: {key}", references.raw[key], hypotheses[key])
            plain = counts_between(scoring.units(references.raw[key]), scoring.units(hypotheses[key]))
            raw_errors, raw_length = raw_errors + plain.errors, raw_length + plain.reference_length
        if scoring.metric == "wer":
            if counts.errors:
                character_errors += errors_between(units(reference, "cer"), units(hypothesis, "cer"))
            characters += len(" ".join(references.units[key]))
    raw = Counts(raw_errors, reference_length=raw_length) if scoring.changes else None
    return lines, raw, Counts(character_errors, reference_length=characters) if scoring.metric == "wer" else None


def _summary(
    lines: Sequence[Mapping[str, Any]],
    raw: Counts | None,
    characters: Counts | None,
    references: ReferenceSet,
    split: str,
    scoring: Scoring,
) -> dict[str, Any]:
    """As results/<split>.json has it; `raw_percent` is the rate without the normalizer."""
    sums = {name: sum(line[name] for line in lines) for name in ("substitutions", "deletions", "insertions")}
    total = Counts(**sums, reference_length=sum(map(len, references.units.values())))
    if not total.reference_length:
        raise LasasrError(f"{references.source} holds nothing to recognise, so that there is no error rate")
    return {
        "split": split,
        "metric": scoring.metric,
        "percent": total.percent,
        "raw_percent": raw.percent if raw and raw.reference_length else None,
        "errors": total.errors,
        **sums,
        "reference_length": total.reference_length,
        "utterances": len(lines),
        "cer_percent": characters.percent if characters and characters.reference_length else None,
        "audio_s": sum(references.durations_s.values()) if len(references.durations_s) == len(lines) else None,
        "normalizer": str(scoring.normalizer),
    }
