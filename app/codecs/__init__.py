"""Samples to the bytes of one audio format. Which one is chosen in `app.codecs.registry`."""
