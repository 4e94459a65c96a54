"""How a trained recognizer is trained on: which of its weights, held back by what, on which data."""
