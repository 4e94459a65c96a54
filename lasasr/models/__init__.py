"""Whole models: network, recognizer, language model, and the factory that builds them from a configuration."""
