"""Timing: when each word and phoneme is heard."""
