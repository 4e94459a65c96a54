"""`lasasr export`: the bundle of a run, for use elsewhere, or its graphs in ONNX."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lasasr.cli import export_hub, search_options
from lasasr.cli.arguments import Parser
from lasasr.errors import LasasrError, UsageError

if TYPE_CHECKING:
    from lasasr.models.recognizer import Recognizer

_STORED: Final = "listen.bundle="

EPILOG = """\
examples:
  lasasr export RUN --out bundle            what transcribe and Recognizer.load need
  lasasr export RUN --out whole --merge     of an adapted run: all weights, in the place of a delta to its base
  lasasr export RUN listen.bundle=reference --out small     the path of a pretrained encoder's weights in their place
  lasasr export RUN --out graphs --onnx      graphs for lasasr.onnx and other programs (docs/onnx.md)
  lasasr export RUN search=greedy --out graphs --onnx    decoding with another search than the run
  lasasr export RUN --out DIR --hub --license cc-by-4.0                      a model card beside it (docs/hub.md)
  lasasr export RUN --out DIR --push user/model --license cc-by-4.0          the same, uploaded to the hub"""


def run(arguments: list[str]) -> int:
    """Load the run's bundle, so that a damaged one is not passed on, and write it to `--out`."""
    parser = Parser("export", "Write the bundle of a run: weights, config, tokenizer.", EPILOG)
    parser.add_argument("run", metavar="RUN|BUNDLE", type=Path, help="run folder or bundle")
    parser.add_argument(
        "overrides", metavar="search...", nargs="*", help="key=value: the search that is written; listen.bundle"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--onnx", action="store_true", help="graphs for onnxruntime in place of the bundle")
    parser.add_argument("--int8", action="store_true", help="--onnx: weights of 8 bits, a quarter of the size")
    parser.add_argument("--merge", action="store_true", help="of an adapted run: all weights, its factors folded in")
    export_hub.add_options(parser)
    options = parser.read(arguments)
    export_hub.refuse_contradictions(options)
    if options.int8 and not options.onnx:
        raise UsageError("--int8 is of --onnx, which is not given")
    stored = [override for override in options.overrides if override.startswith(_STORED)]
    if stored and options.onnx:
        raise UsageError(f"{stored[-1]} is of bundles, and --onnx writes graphs: leave one of the two out")
    others, overrides = search_options.split([text for text in options.overrides if text not in stored])
    if others:
        raise UsageError(
            f"{others[0]}: one run is exported at a time, and only its search and {_STORED[:-1]} can be changed"
        )
    if overrides and (options.hub or options.push is not None):
        raise UsageError(f"{overrides[0]}: the results on a model card are of the run's own search; leave it out")

    from lasasr.artifacts import files, run_paths
    from lasasr.models.recognizer import Recognizer

    if options.out.exists() and not options.out.is_dir():
        raise LasasrError(f"--out {options.out} is a file, not a folder; name a new folder")
    if options.out.exists() and any(options.out.iterdir()):
        raise LasasrError(f"{options.out} is not empty; name a new folder")
    recognizer = Recognizer.load(run_paths.bundle_folder(options.run))
    recognizer = search_options.searching(recognizer, str(options.run), overrides)
    if options.merge or options.onnx:
        recognizer.merge()
    if stored:
        _store(recognizer, stored[-1])
    with files.replacing_folder(options.out) as folder:
        if options.onnx:
            from lasasr.models import onnx_export

            onnx_export.export(recognizer, folder, options.int8)
        elif options.hub or options.push is not None:
            export_hub.write(recognizer, options, folder)
        else:
            recognizer.save(folder)
            _copy_fisher(run_paths.bundle_folder(options.run), folder)
    print(options.out)
    if options.push is not None:
        from lasasr.artifacts import hub_upload

        print(hub_upload.upload(options.out, options.push, options.private))
    return 0


def _store(recognizer: Recognizer, override: str) -> None:
    """Choose what the bundle holds of a pretrained encoder: its weights, or a reference to their folder.

    Raises:
        UsageError: the bundle is a delta, the encoder brought no weights, or they are not those of the folder any more.
        LasasrError: the folder is gone, or has other weights.
    """
    if recognizer.adaptation is not None and recognizer.adaptation.base is not None:
        raise UsageError(f"{override}: an adapter holds what differs from its base; add --merge, or leave it out")
    try:
        listen = recognizer.model.encoder.stored(recognizer.parts.listen, override.removeprefix(_STORED))
    except UsageError as error:
        raise UsageError(f"{override}: {error}") from None
    recognizer.parts = replace(recognizer.parts, listen=listen)


def _copy_fisher(bundle: Path, folder: Path) -> None:
    """What `lasasr fisher` found of these weights goes with them."""
    import shutil

    from lasasr.adapt.ewc import FILE
    from lasasr.artifacts.bundle_config import DELTA

    if (bundle / FILE).is_file() and not (bundle / DELTA).exists():
        shutil.copyfile(bundle / FILE, folder / FILE)
