"""What `score` and `compare` share: options that say how files of texts are read and scored."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lasasr.cli.arguments import Parser
from lasasr.errors import UsageError

if TYPE_CHECKING:
    from lasasr.comparison.reference_set import Scoring
    from lasasr.comparison.texts import NamedTexts
    from lasasr.metrics.error_rates import Metric
    from lasasr.transcripts.base import Texts, Transcripts

OPTIONS: Final = ("reference", "normalizer", "speaker", "utt2spk", "metric", "missing", "format", "columns")


def add_text_options(parser: Parser) -> None:
    """Add the options, none of which has a default: whether any was given tells that texts are compared."""
    group = parser.add_argument_group("files of texts: trn, Kaldi, ESPnet, SpeechBrain, JSON lines, CSV, TSV, STM, CTM")
    group.add_argument("--normalizer", metavar="NAME", help="of both sides: none (default), english, whisper, ...")
    group.add_argument("--metric", choices=("wer", "cer", "per"), help="what is counted (default: wer)")
    group.add_argument("--speaker", metavar="RULE", help="who said an utterance, from its id: 'id[:4]'")
    group.add_argument("--utt2spk", metavar="FILE", type=Path, help="who said an utterance, as Kaldi writes it")
    group.add_argument("--missing", choices=("error", "deletions"), help="of utterances without a hypothesis")
    group.add_argument("--format", metavar="NAME", help="of all files, where it cannot be seen")
    group.add_argument("--columns", metavar="ROLE=NAME,...", help="as id=utt,hypothesis=pred,speaker=spk")


def scoring(options: Namespace, of_runs: Metric | None = None) -> Scoring:
    """How texts are compared, as the options say.

    Args:
        of_runs: the metric of runs among them, which is the default then.

    Raises:
        UsageError: --metric would call phones words, or words phones.
    """
    from lasasr.comparison.reference_set import Scoring
    from lasasr.text.normalizers import normalizer

    metric = options.metric or of_runs or "wer"
    if of_runs is not None and metric != of_runs and "per" in (metric, of_runs):
        units = "phones" if of_runs == "per" else "words"
        raise UsageError(f"--metric {metric}: the texts of the runs are {units}, so their rate is {of_runs.upper()}")
    name = options.normalizer or "none"
    return Scoring(metric, normalizer(name), name != "none", options.missing == "deletions")


def speakers(options: Namespace) -> tuple[Callable[[str], str] | None, tuple[str, Texts] | None]:
    """The rule or the table that says who speaks; both None: neither was given."""
    if options.speaker is not None and options.utt2spk is not None:
        raise UsageError("--speaker and --utt2spk both say who speaks; give one")
    if options.speaker is not None:
        from lasasr.transcripts.speakers import speaker_rule

        return speaker_rule(options.speaker), None
    if options.utt2spk is not None:
        from lasasr.transcripts.kaldi import utt2spk

        return None, (str(options.utt2spk), utt2spk(options.utt2spk))
    return None, None


def reference(options: Namespace) -> Transcripts | None:
    """The file of --reference."""
    from lasasr.transcripts.formats import read

    if options.reference is None:
        return None
    columns = {role: name for role, name in chosen_columns(options).items() if role != "hypothesis"}
    return read(options.reference, options.format, columns)


def named_texts(pairs: Sequence[tuple[str, Sequence[Path]]], options: Namespace) -> list[NamedTexts]:
    """The files of each system, read."""
    from lasasr.comparison.texts import NamedTexts
    from lasasr.transcripts.formats import read

    columns: Mapping[str, str] = chosen_columns(options)
    if options.reference is not None:
        columns = {role: name for role, name in columns.items() if role != "reference"}
    named = []
    for name, paths in pairs:
        resolved = [path.resolve() for path in paths]
        for index, path in enumerate(resolved):
            if path in resolved[:index]:
                raise UsageError(f"{name} has {paths[index]} twice; give each seed once")
        named.append(NamedTexts(name, tuple(read(path, options.format, columns) for path in paths)))
    return named


def chosen_columns(options: Namespace) -> dict[str, str]:
    """Role → name, of --columns."""
    if options.columns is None:
        return {}
    pairs: list[tuple[str, str, str]] = [pair.partition("=") for pair in options.columns.split(",")]
    if any(not (role and equals and name) for role, equals, name in pairs):
        raise UsageError(f"--columns {options.columns}: write ROLE=NAME,ROLE=NAME, as id=utt,hypothesis=pred")
    return {role.strip(): name.strip() for role, _, name in pairs}


def given_options(options: Namespace) -> list[str]:
    """The options of texts that were given, as they are written."""
    return [f"--{name}" for name in OPTIONS if _set(getattr(options, name, None))]


def _set(value: Any) -> bool:
    return value is not None
