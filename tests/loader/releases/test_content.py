"""loader.releases.content: files that are certainly something else are called what they are."""

import pytest

from loader.releases.content import foreign_content

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 1234567\n"
FOREIGN = {
    "": "an empty file",
    "pointer": "a Git LFS pointer of a file of 1,234,567 bytes",
    "page": "a web page (HTML)",
    "comment": "a web page (HTML)",
    "xml": "an XML text",
    "zeros": "zeros",
    "gzip": "a gzip archive; unpack it",
}
CONTENT = {
    "": b"",
    "pointer": POINTER,
    "page": b"\xef\xbb\xbf \n<!doctype HTML>",
    "comment": b"<!-- saved -->\n<html lang='en'>",
    "xml": b"<Error><Code>NoSuchKey</Code></Error>",
    "zeros": bytes(1000),
    "gzip": b"\x1f\x8b\x08\x00",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_is_something_else_is_named(tmp_path, name):
    (tmp_path / "file").write_bytes(CONTENT[name])

    assert FOREIGN[name] in foreign_content(tmp_path / "file")


@pytest.mark.parametrize("content", [b'{"model": "vits"}', b"PK\x03\x04", b"\x80\x02}", b"\x40\0\0\0\0\0\0\0{", b"// <html>\n{}"])
def test_what_may_be_weights_or_a_configuration_is_not(tmp_path, content):
    (tmp_path / "file").write_bytes(content)

    assert foreign_content(tmp_path / "file") is None
