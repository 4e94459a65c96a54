"""What to install where a verb needs a package that the base installation, for transcribing, does without."""

from __future__ import annotations

from typing import Final

# module → extra of pyproject.toml
EXTRAS: Final = {
    "PIL": "train",
    "fsspec": "train",
    "hydra": "train",
    "jinja2": "train",
    "lhotse": "train",
    "lightning": "train",
    "matplotlib": "train",
    "omegaconf": "train",
    "scipy": "train",
    "tensorboard": "train",
    "urllib3": "train",
    "espeakng_loader": "synthetic",
    "gradio": "app",
}
# modules of the base installation; `pip install --no-deps lasasr`, for lasasr.onnx alone, leaves them out
BASE: Final = (
    *("torch", "numpy", "soundfile", "safetensors", "sentencepiece"),
    *("rapidfuzz", "rich", "yaml"),
)


def line(error: ModuleNotFoundError) -> str | None:
    """The line that names the package and the command that brings it; None: the toolkit has no such module."""
    module = (error.name or "").partition(".")[0]
    if module in BASE:
        return f"this needs {module}, which is not installed: pip install lasasr (it was installed with --no-deps)"
    if module not in EXTRAS:
        return None
    return f"this needs {module}, which is not installed: pip install 'lasasr[{EXTRAS[module]}]'"
