"""What differs between training a recognizer and a language model: one object for each."""
