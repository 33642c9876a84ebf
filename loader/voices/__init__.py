"""Voices that speak, and the catalog of all that are configured."""
