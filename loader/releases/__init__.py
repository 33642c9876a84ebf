"""Releases: model directories that are verified before a byte of them is parsed, and where they come from."""
