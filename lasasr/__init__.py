"""Listen-Attend-Spell speech recognition: train, compare, explain.

`Recognizer` is imported when it is first asked for, so that `import lasasr` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lasasr.models.recognizer import Recognizer

__all__ = ["Recognizer", "__version__"]

__version__ = "0.2.0"  # pyproject.toml reads it here


def __getattr__(name: str) -> Any:
    if name == "Recognizer":
        from lasasr.models.recognizer import Recognizer

        return Recognizer
    raise AttributeError(f"module 'lasasr' has no attribute {name!r}")
