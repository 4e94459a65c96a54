"""Numbers of lasasr's beside those that code of others gives: `make parity`, docs/parity.md."""
