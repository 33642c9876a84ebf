"""Codecs: samples to the bytes of an audio format."""
