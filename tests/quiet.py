"""Options of Lightning's Trainer under which it writes and prints nothing."""

from __future__ import annotations

from typing import Any

QUIET: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
