"""What a configuration may say: sections, contracts of its places, moved class paths, and what it trains."""
