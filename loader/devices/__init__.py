"""Accelerators: entered after the fork, left when they fail."""
