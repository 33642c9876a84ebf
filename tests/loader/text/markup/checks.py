"""Checks of scripts, whatever they were parsed from."""

from hypothesis import strategies as st

from loader.text.markup.script import Substitution, TextRun

#: Text with pieces of markup in it, in any order.
PIECES = [
    "a", "word", " ", "\n", "\r\n", "\t", "é", "\U0001f600", "\0", "\ud800", "&", "&amp;", "&#65;", "&nbsp;", "<", ">", "'", '"',
    "]]>", "=", "/", "<!--", "-->", "<![CDATA[", "1.", "|", "-",
]  # fmt: skip


def any_text(pieces):
    """Return a strategy of text: any characters, or pieces of markup."""
    return st.text(max_size=60) | st.lists(st.sampled_from([*PIECES, *pieces]), max_size=30).map("".join)


def texts(script):
    """Return the text of each run, with `|` before one that begins a sentence."""
    return [("|" if item.begins_sentence else "") + item.text for item in script.items if isinstance(item, TextRun)]


def written(script, source):
    """Return what the first run stands for, character by character."""
    run = next(item for item in script.items if isinstance(item, TextRun))
    return [source[start:stop] for start, stop in run.origins]


def assert_in_order(script, source):
    """Every character comes from the source, in order, and the same range only for a text that replaces it."""
    done = 0, 0
    for item in script.items:
        if isinstance(item, TextRun):
            assert item.text and len(item.text) == len(item.origins)
        origins = item.origins if isinstance(item, TextRun) else [item.origin] if isinstance(item, Substitution) else []
        for start, stop in origins:
            assert 0 <= start <= stop <= len(source)
            is_next = done[1] <= start
            assert is_next or (start, stop) == done
            done = start, stop


def assert_each_once(script, source):
    """A character that stands for one of the source is that one, and comes out once; or white space, or cannot be text."""
    singles = [
        (start, character)
        for item in script.items
        if isinstance(item, TextRun)
        for character, (start, stop) in zip(item.text, item.origins, strict=True)
        if stop == start + 1
    ]
    for start, character in singles:
        is_same = character == source[start] or (character.isspace() and source[start].isspace())
        assert is_same or character == "\ufffd"
    places = [start for start, _ in singles]
    assert len(places) == len(set(places))
