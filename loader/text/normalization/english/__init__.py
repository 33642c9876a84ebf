"""Readings of English that the library does not have, or has wrong."""
