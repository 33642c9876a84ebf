"""Readers of languages that need a package of their own."""
