"""HTTP: one module for each dialect, that is each server whose clients are understood here, and what they share."""
