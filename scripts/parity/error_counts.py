"""Substitutions, deletions and insertions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lasasr.metrics.error_rates import Counts, compare, count, pooled
from parity import sctk, texts
from parity.check import Check, NotReproduced

ALL = f"{2 * texts.UTTERANCES} utterances of {texts.WORDS} words, a sixth of them wrong"


def checks() -> list[Check | NotReproduced]:
    """Counts of errors, so that equal means the same number."""
    split = (
        "several alignments have equally few errors; {} takes one with more correct words, "
        "jiwer (and so lasasr) another"
    )
    return [
        Check("errors of each utterance", "sctk", lambda: _errors(_sclite()), ALL, 0.0),
        Check("S, D, I of sclite's own alignments", "sctk", _recounted, "against its counts of each kind", 0.0),
        NotReproduced("substitutions of all utterances", "sctk", split.format("sclite"), lambda: _split(_sclite())),
        Check("errors of each utterance", "kaldialign", lambda: _errors(_kaldialign()), ALL, 0.0),
        Check("errors of each utterance, in characters", "kaldialign", _characters, ALL, 0.0),
        NotReproduced(
            "substitutions of all utterances", "kaldialign", split.format("it"), lambda: _split(_kaldialign())
        ),
        Check("S, D, I of all utterances", "jiwer", _jiwer, "our alignments are jiwer's; beside its own counts", 0.0),
    ]


def _pairs() -> Iterator[tuple[str, str]]:
    """Reference and hypothesis of every utterance of both systems."""
    references, systems = texts.texts()
    for hypotheses in systems.values():
        yield from zip(references, hypotheses, strict=True)


def _ours(metric: str = "wer") -> list[Counts]:
    return [compare(reference, hypothesis, metric) for reference, hypothesis in _pairs()]  # type: ignore[arg-type]


def _sclite() -> list[Counts]:
    return [count(pairs) for pairs in sctk.alignments(texts.report())]


def _kaldialign(units: Callable[[str], list[str]] = str.split) -> list[Counts]:
    import kaldialign

    counts = []
    for reference, hypothesis in _pairs():
        errors = kaldialign.edit_distance(units(reference), units(hypothesis))
        counts.append(Counts(errors["sub"], errors["del"], errors["ins"], len(units(reference))))
    return counts


def _errors(theirs: list[Counts], metric: str = "wer") -> float:
    pairs = zip(_ours(metric), theirs, strict=True)
    return float(max(abs(left.errors - right.errors) for left, right in pairs))


def _characters() -> float:
    return _errors(_kaldialign(list), "cer")


def _split(theirs: list[Counts]) -> float:
    return float(abs(pooled(_ours()).substitutions - pooled(theirs).substitutions))


def _recounted() -> float:
    """sclite names the kind of each error; ours finds it by comparing the words."""
    kinds = [kind for kind, _, _ in sctk.words(texts.report())]
    ours = pooled(_sclite())
    theirs = Counts(kinds.count("S"), kinds.count("D"), kinds.count("I"), len(kinds) - kinds.count("I"))
    return _apart(ours, theirs)


def _jiwer() -> float:
    import jiwer

    references, hypotheses = (list(column) for column in zip(*_pairs(), strict=True))
    theirs = jiwer.process_words(references, hypotheses)
    length = theirs.hits + theirs.substitutions + theirs.deletions
    return _apart(pooled(_ours()), Counts(theirs.substitutions, theirs.deletions, theirs.insertions, length))


def _apart(left: Counts, right: Counts) -> float:
    fields = ("substitutions", "deletions", "insertions", "reference_length")
    return float(max(abs(getattr(left, field) - getattr(right, field)) for field in fields))
