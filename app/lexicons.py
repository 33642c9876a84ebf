"""Lexicons of a server: read once in the master, whether or not it opens the voices, and again at SIGHUP.

Workers have them by the fork. So a worker that replaces another one never finds a file that is half written.
"""

import logging
from itertools import islice

from app.logs import event
from app.system.heap import return_free_memory
from loader.config.settings import Settings
from loader.errors import ConfigError
from loader.voices.catalog import Catalog
from loader.voices.lexicons import Lexicons, read_lexicons

log = logging.getLogger("chorus.process")

#: Terms in one line of the log.
_MAX_TERMS = 10
_MAX_PROBLEMS = 20

#: By the settings that they were read for; one in a server.
_read: dict[Settings, Lexicons] = {}


def lexicons_of(settings: Settings) -> Lexicons:
    """Return the configured lexicons, read at the first call in this process or in the one that it was forked from.

    Raises:
        ConfigError: lists every problem of every file.
    """
    if settings not in _read:
        _read[settings] = read_lexicons(settings)
        if _read[settings].count:
            return_free_memory()  # 75 MB for 100,000 entries (2026-11-30)
    return _read[settings]


def reload_lexicons(settings: Settings) -> Lexicons | None:
    """Read the files again and return them; None, with the lexicons as they were, if one of them has a problem.

    Never raises: an exception in the master would end every worker.
    """
    try:
        lexicons = read_lexicons(settings)
    except ConfigError as error:
        listed = [*error.problems[:_MAX_PROBLEMS], *(["..."] if len(error.problems) > _MAX_PROBLEMS else [])]
        event(log, "lexicon.refused", logging.ERROR, problems=len(error.problems), reason="; ".join(listed))
    except Exception as error:
        event(log, "lexicon.refused", logging.ERROR, problems=1, reason=f"{type(error).__name__}: {error}")
    else:
        _read[settings] = lexicons
        event(log, "lexicon.reloaded", files=lexicons.count, entries=lexicons.entries)
        return lexicons
    return None


def report_lexicons(lexicons: Lexicons, catalog: Catalog) -> None:
    """Log a warning for each file that no voice uses, and for each with symbols that a voice does not have."""
    for file in lexicons.unused(catalog.voices):
        event(log, "lexicon.unused", logging.WARNING, path=file.path, language=file.language)
    for voice in catalog.voices:
        for file, terms in lexicons.unknown_symbols(voice):
            named = ", ".join(f"{term!r}: {' '.join(symbols)}" for term, symbols in islice(sorted(terms.items()), _MAX_TERMS))
            event(
                log, "lexicon.symbols_unknown", logging.WARNING, voice=voice.name, path=file.path, terms=len(terms), first=named
            )
