"""Is one system better than another? A test over speakers and seeds, and the usual ones beside: docs/statistics.md."""
