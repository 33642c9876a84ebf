"""What a file is that should be a checkpoint or a configuration, and is something else: in words, for an error."""

import re
from pathlib import Path

_FIRST_BYTES = 512
_POINTER = re.compile(rb"version https://(git-lfs\.github\.com|hawser)")
_SIZE = re.compile(rb"^size (\d+)$", re.MULTILINE)
_PAGE = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_XML = re.compile(rb"\s*<(\?xml|error)\b", re.IGNORECASE)
_MAGIC = {
    b"\x1f\x8b": "a gzip archive; unpack it",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it",
    b"Rar!": "a RAR archive; unpack it",
    b"RIFF": "a recording",
}


def foreign_content(path: Path) -> str | None:
    """Return what the file is, with the remedy, if it certainly is neither weights nor a configuration; else None.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        first = file.read(_FIRST_BYTES)
    if not first:
        return "an empty file; copy or download it again"
    text = first.removeprefix(b"\xef\xbb\xbf")
    if _POINTER.match(text):
        size = _SIZE.search(text)
        of = f" of a file of {int(size[1]):,} bytes" if size else ""
        return f"a Git LFS pointer{of}, not the file itself; run `git lfs pull` where it was cloned, or download it"
    if _PAGE.match(text):
        return "a web page (HTML); a download that needs a login or another address writes one, so download it again"
    if _XML.match(text):
        return "an XML text, as storage services write for an error; download it again"
    if not any(first):
        return f"{len(first)} bytes of zeros and more, as an interrupted download leaves; download it again"
    return next((words for magic, words in _MAGIC.items() if first.startswith(magic)), None)
