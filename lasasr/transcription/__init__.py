"""What was recognized, written in the formats of other programs."""
