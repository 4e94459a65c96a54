"""The references that texts are scored against, with the speakers of their utterances."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from lasasr.errors import LasasrError
from lasasr.metrics.error_rates import Metric, units
from lasasr.transcripts.base import Segment, Texts, Transcripts

_LONGEST = 60  # characters of a text in a message


class Normalizer(Protocol):
    """A function on texts with a name."""

    def __call__(self, text: str) -> str:
        """`text` after it."""

    def __str__(self) -> str:
        """Its name and version."""


@dataclass(frozen=True)
class Scoring:
    """How texts are compared."""

    metric: Metric
    normalizer: Normalizer
    changes: bool  # whether the normalizer may change a text; else raw and normalised rates are the same
    missing_are_deletions: bool = False

    def units(self, text: str) -> list[str]:
        """What is counted in a text that is normalised already."""
        return units(text, self.metric)


@dataclass(frozen=True)
class ReferenceSet:
    """References by utterance id, in order."""

    source: str  # where they are from, for messages
    raw: Texts
    texts: Texts  # normalised
    units: dict[str, list[str]]  # of `texts`
    speakers: Texts  # empty: unknown
    durations_s: Mapping[str, float]
    columns: Mapping[str, Texts]
    segments: tuple[Segment, ...] = ()
    ids_note: str = ""  # as `Transcripts` has it

    def check(self, source: str, references: Texts, scoring: Scoring) -> None:
        """Refuse other references for the same utterances.

        Raises:
            LasasrError: names the first utterance and both texts.
        """
        for key, text in references.items():
            if key in self.texts and text != self.raw[key] and scoring.normalizer(text) != self.texts[key]:
                raise LasasrError(
                    f"{source} has another reference than {self.source} for utterance {key}: {_short(text)} and "
                    f"{_short(self.raw[key])}, after the normalizer {scoring.normalizer}; --normalizer chooses another"
                )


def reference_set(
    source: str, texts: Texts, scoring: Scoring, speakers: Texts, transcripts: Transcripts | None = None
) -> ReferenceSet:
    """The references after the normalizer.

    Args:
        source: where they are from, for messages.
        speakers: of every utterance, or of none.
        transcripts: the file that they are from, for durations, other columns and segments.

    Raises:
        LasasrError: there is no utterance.
    """
    if not texts:
        raise LasasrError(f"{source} holds no utterance")
    normalised = {key: scoring.normalizer(text) for key, text in texts.items()} if scoring.changes else texts
    return ReferenceSet(
        source=source,
        raw=texts,
        texts=normalised,
        units={key: scoring.units(text) for key, text in normalised.items()},
        speakers=speakers,
        durations_s=transcripts.durations_s if transcripts else {},
        columns=transcripts.columns if transcripts else {},
        segments=transcripts.segments if transcripts else (),
        ids_note=transcripts.ids_note if transcripts else "",
    )


def speakers_of(
    keys: Iterable[str],
    rule: Callable[[str], str] | None,
    table: tuple[str, Texts] | None,
    implied: Iterable[tuple[str, Texts]],
) -> Texts:
    """Utterance id → speaker, from the rule, else from the table, else from the first file that names any; or empty.

    Args:
        table: name of the utt2spk that was chosen, and its content.
        implied: the same of files of texts, in order.

    Raises:
        LasasrError: the source does not name the speaker of every utterance.
    """
    if rule is not None:
        return {key: rule(key) for key in keys}
    source, speakers = table or next(((name, named) for name, named in implied if named), ("", {}))
    if not speakers:
        return {}
    listed = list(keys)
    if lacking := [key for key in listed if key not in speakers]:
        raise LasasrError(
            f"{source} does not say the speaker of {len(lacking)} of {len(listed)} utterances ({lacking[0]}, ...); "
            f"complete it, or choose another source by --utt2spk or --speaker"
        )
    return {key: speakers[key] for key in listed}


def _short(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
