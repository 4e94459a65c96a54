"""Encoders that were trained elsewhere, read from a folder of Hugging Face's format; needs `lasasr[pretrained]`."""
