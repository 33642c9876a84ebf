"""Lexicon: how given terms are spoken, as files of the configuration and as a mapping in a request."""
