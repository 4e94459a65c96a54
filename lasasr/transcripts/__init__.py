"""Files of texts by utterance that recognizers and scorers write, of this toolkit and of others."""
