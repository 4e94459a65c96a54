"""Tests whether a system is better than another, over speakers and seeds, and other tests: docs/statistics.md."""
