"""The windows of an engine, made one after the other."""


def windows_of(engine, utterance, random, soon=False):
    """Return the windows that have samples."""
    return [samples for work in engine.plan(utterance, random, soon).work if (samples := work()).size]
