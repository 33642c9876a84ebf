"""Coqui checkpoint to artifact. Runs in a child process, and only there.

With `engines`, the only place that imports torch and TTS; nothing outside this folder
imports it. `python -m loader.bake --help` shows its commands.
"""
