"""An engine's windows, made one after the other."""


def windows_of(engine, utterance, random, soon=False):
    """Return the windows that are not empty."""
    return [samples for work in engine.plan(utterance, random, soon).work if (samples := work()).size]
