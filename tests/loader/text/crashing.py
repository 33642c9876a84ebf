"""Texts that crash the process that reads them with espeak-ng 1.52, found by `tests.loader.text.fuzz` and by hand."""

#: Readable in parts.
CRASHING = [
    ("_-\u0d15", "en-us"),
    ("\u2423-\u0d36", "en-us"),
    ("]-A", "vi"),
    ("'-\u092c\u0937", "hi"),
    ("]-\u2163", "hi"),
    ("\uf87f-\u09a0\u09bc", "ru"),
    ("\u00a9\u01b0", "pt"),
]
#: The text, the part of it that cannot be read, and the language.
UNREADABLE = [("a \u24dc b", "\u24dc", "bn")]
