"""`lasasr export --hub`: a bundle with its model card and digests, as the Hugging Face hub has models."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lasasr.errors import LasasrError, UsageError

if TYPE_CHECKING:
    from lasasr.artifacts.runs import Run
    from lasasr.models.recognizer import Recognizer
    from lasasr.report.described_model import Described

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_LANGUAGES = {"english": "en", "librispeech": "en"}  # of transcript rules


def add_options(parser: ArgumentParser) -> None:
    """The options of the hub."""
    parser.add_argument("--hub", action="store_true", help="with a model card and digests, for the Hugging Face hub")
    parser.add_argument("--push", metavar="USER/MODEL", help="the same, uploaded to the hub")
    parser.add_argument("--private", action="store_true", help="--push: what is made there cannot be seen by others")
    parser.add_argument("--license", metavar="NAME", help="--hub: of the weights, as the hub calls it: cc-by-4.0")
    help_text = "--hub: what is spoken, as de (default: that of the transcript rule)"
    parser.add_argument("--language", metavar="CODE", help=help_text)


def refuse_contradictions(options: Namespace) -> None:
    """Refuse options that need others, or exclude them.

    Raises:
        UsageError: names them, and what to write.
    """
    wanted = options.hub or options.push is not None
    if wanted and options.onnx:
        raise UsageError("--hub writes the bundle, --onnx graphs in place of it; give one of them")
    if options.private and options.push is None:
        raise UsageError("--private is of --push USER/MODEL, which is not given")
    for name in ("license", "language"):
        if getattr(options, name) is not None and not wanted:
            raise UsageError(f"--{name} is of --hub, which is not given")
    if not wanted:
        return
    if options.license is None:
        raise UsageError("--hub needs the licence under which others get the weights: --license cc-by-4.0, say")
    if not _LICENSE.fullmatch(options.license):
        raise UsageError(f"--license {options.license!r} is no name of a licence on the hub, such as apache-2.0")
    if options.language is not None and not _LANGUAGE.fullmatch(options.language):
        raise UsageError(f"--language {options.language!r} is no code of a language, such as en or pt-BR")
    if options.push is not None:
        from lasasr.artifacts import hub

        hub.refuse_odd_name(options.push)


def write(recognizer: Recognizer, options: Namespace, folder: Path) -> None:
    """Write the bundle, README.md and SHA256SUMS.

    Raises:
        LasasrError: the recognizer is not whole without other folders, or its run has no result.
        UsageError: its language is not known.
    """
    from lasasr.artifacts import files, hub, hub_upload
    from lasasr.report.model_card import model_card

    _refuse_incomplete(recognizer, options.run)
    hub_upload.refuse_missing_library()
    card = model_card(_described(recognizer, options))
    _forget_folders(recognizer)
    recognizer.save(folder)
    files.write_text(folder / hub_upload.CARD, card)
    hub.write_digests(folder)


def _described(recognizer: Recognizer, options: Namespace) -> Described:
    """What the model card says."""
    from lasasr.artifacts import results, run_paths
    from lasasr.report.described_model import Described

    try:
        run = run_paths.find_run(options.run)
    except LasasrError as error:
        raise LasasrError(f"a model card needs the run, with its results, not a bundle alone: {error}") from None
    own: list[dict[str, object]] = []
    others: dict[str, dict[str, object]] = {}
    speakers: dict[str, int | None] = {}
    for stored in results.list_results(run.results):
        summary, lines = stored.read()
        if stored.name.code:
            others[stored.name.text] = summary
            continue
        own.append(summary)
        named = {line.get("speaker") for line in lines}
        speakers[stored.name.split] = None if None in named else len(named)
    return Described(
        name=options.push or options.out.resolve().name,
        license=options.license,
        language=options.language or _language(run),
        card=run.card(),
        config=run.config(),
        overrides=run.overrides(),
        results=own,
        other_results=others,
        speakers=speakers,
        sample_rate_hz=recognizer.frontend.sample_rate_hz,
        unit=recognizer.tokenizer.unit,
        longest_s=recognizer.trained_on and recognizer.trained_on.longest_s,
    )


def _language(run: Run) -> str:
    """The code of the language that the transcript rule is for.

    Raises:
        UsageError: it is for none.
    """
    rule = str(run.card().data.normalizer or "")
    code = _LANGUAGES.get(rule.partition("/")[0])
    if code is None:
        raise UsageError(f"--hub: the transcript rule {rule or '(not known)'} is of no language; add --language CODE")
    return code


def _forget_folders(recognizer: Recognizer) -> None:
    """Reduce the folder that the encoder's weights came from, which now are in the bundle, to its last part."""
    listen = recognizer.parts.listen
    weights = str(listen.get("weights") or "")
    if weights.startswith(("/", "~")):
        recognizer.parts = replace(recognizer.parts, listen={**listen, "weights": Path(weights).name})


def _refuse_incomplete(recognizer: Recognizer, run: Path) -> None:
    """Refuse what others could not load.

    Raises:
        LasasrError: it is a delta to another bundle, or its encoder's weights lie elsewhere.
    """
    if recognizer.adaptation is not None and recognizer.adaptation.base is not None:
        raise LasasrError(f"{run} is a delta to {recognizer.adaptation.base.folder}; add --merge")
    listen = recognizer.parts.listen
    weights = Path(str(listen.get("weights")))
    if listen.get("bundle") == "reference" and (weights.is_absolute() or weights.is_dir()):
        raise LasasrError(
            f"the encoder of {run} refers to its weights in {weights} (listen.bundle=reference), which others do not "
            "have; add listen.bundle=weights"
        )
