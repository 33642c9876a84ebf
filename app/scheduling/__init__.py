"""Scheduling: which requests run, on how many cores, for how long, and which answers are parked."""
