"""Synthesis: one request from checked fields to chunks of audio or captions. Knows no HTTP."""
