"""Lexicons of a server: what is wrong with them for its voices. They are read with a revision, see `app.rollout.revision`."""

import logging
from itertools import islice

from app.logs import event
from loader.voices.catalog import Catalog
from loader.voices.lexicons import Lexicons

log = logging.getLogger("chorus.process")

#: Terms in one line of the log.
_MAX_TERMS = 10


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
