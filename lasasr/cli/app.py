"""`lasasr app`: a page on this machine to try recognizers on one's own voice."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

from lasasr.cli import search_options
from lasasr.cli.arguments import Parser, add_device, usable
from lasasr.configuration.loading import loading
from lasasr.errors import LasasrError, UsageError

EPILOG = """\
examples:
  lasasr app RUN                          speak, or drop a file; the text, word times, attention
  lasasr app RUN_A RUN_B                  two attentions side by side on the same recording
  lasasr app RUN search=beam_ctc search.beam=20 --port 8000

The page is for this machine alone: it binds 127.0.0.1, fetches nothing, and keeps nothing (docs/app.md)."""
HOST = "127.0.0.1"
PORT, PORTS = 7860, 65_535
NBEST = 5


def run(arguments: list[str]) -> int:
    """Serve the page until Ctrl-C."""
    parser = Parser("app", "A page on 127.0.0.1: speak, see text and attention.", EPILOG)
    parser.add_argument("run", metavar="RUN|BUNDLE", nargs="+", help="run folders or bundles; and key=value: search")
    parser.add_argument("--port", type=int, default=PORT, metavar="N", help=f"of the page (default: {PORT})")
    parser.add_argument("--nbest", type=int, default=NBEST, metavar="N", help=f"readings shown (default: {NBEST})")
    help_text = "write recordings and answers there; without it nothing is kept"
    parser.add_argument("--keep", type=Path, metavar="DIR", help=help_text)
    add_device(parser, default="auto")
    options = parser.read(arguments)
    named, overrides = search_options.split(options.run)
    if not named:
        raise UsageError("no run is named: run folders or bundles")
    search_options.refuse_few(options.nbest)
    if options.keep is not None and options.keep.exists() and not options.keep.is_dir():
        raise UsageError(f"--keep {options.keep} is a file, not a folder")
    _refuse_taken(options.port)

    if importlib.util.find_spec("gradio") is None:  # said before models are read
        raise ModuleNotFoundError(name="gradio")
    with loading():
        from lasasr.app import page, systems

    loaded = systems.load(named, usable(options.device))
    searching = [
        system._replace(recognizer=search_options.searching(system.recognizer, folder, overrides))
        for system, folder in zip(loaded, named, strict=True)
    ]
    page.serve(searching, options.port, options.nbest, options.keep, _say)
    return 0


def _refuse_taken(port: int) -> None:
    """Refuse a port that another program has.

    Raises:
        UsageError: it is no port.
        LasasrError: it cannot be bound; names one that can.
    """
    if not 1 <= port <= PORTS:
        raise UsageError(f"--port must lie in 1 to {PORTS}, got {port}")
    if (reason := _bindable(port)) is None:
        return
    free = next((other for other in range(PORT, PORTS) if _bindable(other) is None), None)
    raise LasasrError(f"--port {port} cannot be used on {HOST}: {reason}" + (f"; {free} is free" if free else ""))


def _bindable(port: int) -> str | None:
    """Why a port cannot be used; None: it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return str(error.strerror)
    return None


def _say(address: str) -> None:
    print(f"{address}  (Ctrl-C ends it)", flush=True)
