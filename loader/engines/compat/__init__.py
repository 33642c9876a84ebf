"""Internals of torch, torchaudio and coqui-tts that the engines depend on, each in one place.

tests/loader/engines/test_compat.py names the dependency that a new version has changed.
"""
