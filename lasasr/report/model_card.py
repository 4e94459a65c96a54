"""The model card of a recognizer on the Hugging Face hub: README.md, its metadata first (Mitchell et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from lasasr.artifacts.provenance import machine
from lasasr.errors import LasasrError
from lasasr.escaping import lines_escaped
from lasasr.remaining import about
from lasasr.report import model_card_limits
from lasasr.report.comparison_markdown import escaped
from lasasr.report.described_model import Described
from lasasr.report.model_card_metadata import metadata

PARTS: Final = ("frontend", "listen", "attend", "spell", "tokenizer", "loss", "search")


def model_card(described: Described) -> str:
    """README.md.

    Raises:
        LasasrError: nothing was measured, or huggingface_hub is not installed or refuses the metadata.
    """
    if not described.results:
        raise LasasrError(f"{described.name}: a model card says what was measured: lasasr evaluate RUN first")
    sections = {
        "Use": _use(described),
        "Intended use": _intended(described),
        "Training data": _data(described),
        "Results": _results(described),
        "How it was made": _making(described),
        "Limits": model_card_limits.limits(described.results, described.longest_s),
    }
    blocks = [f"# {escaped(described.name)}", _about(described)]
    blocks += [f"## {title}\n\n" + "\n".join(lines) for title, lines in sections.items()]
    text = lines_escaped("\n\n".join(blocks))
    return f"---\n{metadata(described)}\n---\n\n{text}\n"


def _about(described: Described) -> str:
    chosen = described.config.get("choices") or {}
    parts = ", ".join(f"{part} `{chosen[part]}`" for part in PARTS if chosen.get(part))
    count = described.card.parameters
    size = f" of {count:,} parameters" if count else ""
    return (
        f"A speech recognizer{size}, trained with lasasr {_version(described)}: "
        f"an encoder, an attention and a decoder (Listen, Attend and Spell, Chan et al. 2015) with a CTC head where "
        f"its loss has one. Parts: {parts}."
    )


def _version(described: Described) -> str:
    return str(described.card.versions.get("lasasr", ""))


def _use(described: Described) -> list[str]:
    return [
        "```sh",
        "pip install 'lasasr[hub]'",
        "```",
        "",
        "```python",
        "from lasasr import Recognizer",
        "",
        f'recognizer = Recognizer.from_pretrained("{described.name}")',
        'print(recognizer.transcribe("recording.flac")[0].text)',
        "```",
        "",
        "The files are read without executing anything, and compared with `SHA256SUMS`.",
    ]


def _intended(described: Described) -> list[str]:
    rule = escaped(str(described.card.data.normalizer))
    return [
        f"It turns recorded speech (language: {described.language}) like that under *Training data* into text of "
        f"{described.unit}s as the transcript rule `{rule}` writes them, with the times of its words. Recordings of "
        f"any sampling rate are converted to {described.sample_rate_hz:,} Hz.",
        "",
        "It is not meant for live captions (it needs the whole recording), for telling speakers apart or recognizing "
        "them, or for decisions about people that nobody checks against the recording.",
    ]


def _data(described: Described) -> Iterator[str]:
    corpus = {name: value for name, value in described.config["corpus"].items() if not name.startswith("_")}
    options = ", ".join(f"{name}={_placeless(value)}" for name, value in corpus.items() if value is not None)
    yield f"Corpus `{described.corpus}`: `{options.replace('`', ' ')}`."
    data = described.card.data
    if data.splits:
        yield from ("", "| split | utterances | fingerprint |", "| --- | ---: | --- |")
        for name, split in data.splits.items():
            yield f"| {escaped(name)} | {_count(split.utterances)} | `{split.content}` |"


def _results(described: Described) -> Iterator[str]:
    heads = ("split", "search", "error", "95 % interval, %", "sub / del / ins of all", "utterances, speakers")
    yield f"| {' | '.join((*heads, 'real-time factor'))} |"
    yield "| --- | --- | ---: | --- | --- | --- | ---: |"
    for summary in described.results:
        yield _row(summary, str(summary.get("search_choice") or "of the recipe"), described.speakers)
    for name, summary in described.other_results.items():
        yield _row(summary, name, described.speakers)
    yield ""
    yield f"Intervals: {escaped(str(described.results[0].get('ci_method', 'of the resampled test set')))}."
    yield "They cover other recordings of this kind; another seed of training is outside them."
    yield from ("", "```sh", described.command, "```")


def _row(summary: Mapping[str, Any], search: str, speakers: Mapping[str, int | None]) -> str:
    split, bounds, rtf = str(summary["split"]), summary.get("ci95"), summary.get("rtf")
    counts = " / ".join(str(summary[name]) for name in ("substitutions", "deletions", "insertions"))
    cells = [
        escaped(split),
        escaped(search),
        f"{str(summary['metric']).upper()} {summary['percent']:.2f} %",
        f"{bounds[0]:.2f} to {bounds[1]:.2f}" if bounds else "none",
        f"{counts} of {summary['reference_length']}",
        f"{summary['utterances']}, {_count(speakers.get(split))}",
        "" if rtf is None else f"{rtf:.4f}",
    ]
    return f"| {' | '.join(cells)} |"


def _making(described: Described) -> Iterator[str]:
    card = described.card
    facts = {
        "command": f"`{described.command}`",
        "seed": card.seed,
        "commit": card.commit,
        "versions": ", ".join(f"{name} {version}" for name, version in card.versions.items()),
        "machine": machine(card.hardware) or None,
        "precision": card.precision,
        "updates": card.steps,
        "training took": None if card.train_s is None else about(card.train_s),
        "encoding the corpus took": None if card.encoding_s is None else about(card.encoding_s),
        "most GPU memory": None if card.peak_memory_mib is None else f"{card.peak_memory_mib:,.0f} MiB",
        "mean of checkpoints": None if card.averaged is None else ", ".join(card.averaged.checkpoints),
        "adapted by": None if card.adapted is None else ", ".join(card.adapted.methods),
        "pretrained encoder": None if card.pretrained is None else _placeless(card.pretrained.weights),
    }
    for name, value in facts.items():
        if value not in (None, ""):
            yield f"* {name}: {value if name == 'command' else escaped(str(value))}"


def _placeless(value: Any) -> str:
    """A value in which a local folder is reduced to its last part: a card is published."""
    if isinstance(value, str):
        return Path(value).name if value.startswith(("/", "~")) else value
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_placeless, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_placeless(inner)}' for key, inner in value.items() if key != '_target_')}}}"
    return str(value)


def _count(number: int | None) -> str:
    return "not known" if number is None else f"{number:,}"
