"""Readings of German, French, Spanish, Italian and Portuguese that the library does not have, or has wrong."""
