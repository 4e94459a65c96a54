"""Decoding utterances and counting their errors: one line per utterance, and one summary."""
