"""Engines: phoneme ids to samples. Each is a module behind `base`, with the name used in the configuration.

A module has `CAPABILITIES`, `import_libraries()` and `open_engine(artifact, accelerator)`; it has `front_end(artifact)` if
its artifacts have no text settings. Importing it imports none of its libraries.
"""
