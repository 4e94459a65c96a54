"""`python -m lasasr` is the command `lasasr`."""

from __future__ import annotations

import sys

from lasasr.cli.main import main

sys.exit(main())
