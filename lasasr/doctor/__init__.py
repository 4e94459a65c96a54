"""Preflight: what would corrupt a result or waste hours, found in minutes."""
