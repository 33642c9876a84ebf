"""The bake: Coqui checkpoint to artifact. Runs in a child process only.

With `loader.engines`, the only importer of torch and TTS; nothing outside this folder
imports it. `python -m loader.bake --help` shows its commands.
"""
