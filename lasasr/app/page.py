"""The page itself, by Gradio: on this machine only, with nothing fetched from elsewhere and nothing told to anyone."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lasasr.app.desk import Desk
from lasasr.app.recording import MOST_BYTES, MOST_S
from lasasr.app.systems import System

if TYPE_CHECKING:
    from lasasr.app.recording import Recording

HOST: Final = "127.0.0.1"
GRACE_S: Final = 10.0  # the player of the page fetches what was recorded, once
_UPLOAD: Final = 10 * MOST_BYTES  # what is larger than MOST_BYTES is refused by name; beyond this Gradio says "Error"
_SESSIONS: Final = 8  # whose recordings are held in memory
_HINT: Final = "one phrase a line, perhaps a tab and its boost (log, 1.0 without)"
# a browser changes the sound of speech, as for a call, unless it is told not to
_UNPROCESSED: Final = """<script>
const media = navigator.mediaDevices, ask = media.getUserMedia.bind(media);
const plain = {echoCancellation: false, noiseSuppression: false, autoGainControl: false};
media.getUserMedia = (wanted) => ask({...wanted, audio: wanted.audio && {...plain, ...Object(wanted.audio)}});
</script>"""
_QUIET: Final = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


def serve(systems: Sequence[System], port: int, nbest: int, keep: Path | None, ready: Callable[[str], None]) -> None:
    """Serve the page until the process is interrupted.

    Uploads lie in a temporary folder, which is removed at the end.

    Args:
        port: a free one.
        nbest: how many readings are shown.
        keep: where recordings and answers are written; None: nowhere.
        ready: called with the address.
    """
    with tempfile.TemporaryDirectory(prefix="lasasr-app-") as folder:
        page = _page(Desk(systems, Path(folder), nbest, GRACE_S, keep), folder)
        try:
            ready(_launched(page, port))
            threading.Event().wait()
        finally:
            page.close(verbose=False)


def _gradio(folder: str) -> Any:
    """The package, told before it is imported where files go and that it tells nobody anything."""
    os.environ.update(_QUIET | {"GRADIO_TEMP_DIR": folder})
    tempfile.tempdir = folder  # of what it, and the packages below it, write besides
    for name in ("NO_PROXY", "no_proxy"):  # it asks its own page whether it is there
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), HOST, "localhost")))
    import gradio

    return gradio


def _page(desk: Desk, folder: str) -> Any:
    gr = _gradio(folder)
    with gr.Blocks(title="lasasr", analytics_enabled=False) as page:
        held = gr.State(None)
        with gr.Row():
            label = f"speak, or drop a file (at most {MOST_S // 60} minutes, {MOST_BYTES // 1_000_000} MB)"
            audio = gr.Audio(sources=["microphone", "upload"], type="filepath", label=label, buttons=[], editable=False)
            with gr.Column():
                hot_words = gr.Textbox(label="hot words", info=_HINT, lines=3, max_length=10_000)
                again = gr.Button("Recognize again")
        shown = gr.HTML(label="answers")

        def receive(upload: str | None, phrases: str) -> tuple[str, Recording | None]:
            return desk.receive(upload, phrases)

        def repeat(recording: Recording | None, phrases: str) -> str:
            return desk.answer(recording, phrases)

        one = {"concurrency_limit": 1, "concurrency_id": "recognizers"}
        audio.change(receive, [audio, hot_words], [shown, held], api_name="transcribe", **one)
        again.click(repeat, [held, hot_words], shown, api_name="again", **one)
    return page


def _launched(page: Any, port: int) -> str:
    """Start the server; its address."""
    import gradio as gr

    plain = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    _, address, _ = page.launch(
        server_name=HOST,
        server_port=port,
        prevent_thread_lock=True,
        share=False,
        inbrowser=False,
        quiet=True,
        max_file_size=_UPLOAD,
        state_session_capacity=_SESSIONS,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        footer_links=[],
        theme=plain,
        head=_UNPROCESSED,
        css_paths=Path(__file__).with_name("style.css"),
    )
    return str(address)
