"""From a corpus to what training reads: manifests and tokenizer, made once and found again by their fingerprint."""
