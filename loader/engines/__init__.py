"""Engines: what turns phoneme ids into samples. One file each, behind `base`."""
