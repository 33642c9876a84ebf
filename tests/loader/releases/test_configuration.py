"""loader.releases.configuration: config.json as Coqui reads it, and a little more leniently."""

import math

import pytest

from loader.releases.configuration import (
    family_of,
    file_name,
    is_fairseq,
    is_transformers,
    parse_document,
    read_document,
)

LENIENT = {
    "plain": b'{"a": 1}',
    "comment": b'{\n// a "comment", with {brackets}\n"a": 1 // and another\n}',
    "comments of old Macs": b'{\r// a comment\r"a": 1}',
    "line ends of Windows": b'{\r\n// a comment\r\n"a": 1\r\n}\r\n',
    "block": b'/* one\n"two": */ {"a": /* three */ 1}',
    "byte order mark": '{"a": 1}'.encode("utf-8-sig"),
    "byte order mark and comment": '// c\n{"a": 1}'.encode("utf-8-sig"),
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "twice": b'{"a": 2, "a": 1}',
}


@pytest.mark.parametrize("name", LENIENT)
def test_what_people_write_is_read(name):
    assert {"a": 1} == parse_document(LENIENT[name])


def test_comment_marks_inside_strings_are_text():
    document = parse_document(b'{"url": "https://example.org/*x*/", // "b": 2,\n "escaped": "\\\\", "quote": "\\"//"}')

    assert {"url": "https://example.org/*x*/", "escaped": "\\", "quote": '"//'} == document


def test_numbers_that_json_does_not_have_are_read():
    document = parse_document(b'{"a": NaN, "b": -Infinity}')

    assert math.isnan(document["a"]) and document["b"] == -math.inf


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\xff\xfe\xff", b'{"a": 1,}', b"[" * 10_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_anything_else_is_an_error_and_read_as_nothing(tmp_path, content):
    with pytest.raises((ValueError, RecursionError)):
        parse_document(content)
    (tmp_path / "config.json").write_bytes(content)

    assert {} == read_document(tmp_path / "config.json") == read_document(tmp_path / "missing.json")


@pytest.mark.parametrize(
    "document, family",
    [({"model": "VITS"}, "vits"), ({"model": "Glow_TTS"}, "glow_tts"), ({"generator_model": "hifigan_generator"}, "hifigan"),
     ({"model": "hifigan", "generator_model": "x"}, "hifigan"), ({}, ""), ({"model": None}, ""), ({"model": {"a": 1}}, "")],
)  # fmt: skip
def test_the_family_is_named_as_coqui_derives_it(document, family):
    assert family == family_of(document)


def test_foreign_formats_are_known_by_their_keys():
    assert is_fairseq({"train": {}, "data": {}, "model": {}}) and not is_fairseq({"model": "vits"})
    assert is_transformers({"model_type": "vits"}) and not is_transformers({"model": "vits"})


@pytest.mark.parametrize(
    "path, name",
    [("/home/me/speakers.pth", "speakers.pth"), ("C:\\Users\\me\\run\\speakers.pth", "speakers.pth"), ("C:a.json", "a.json"),
     ("\\\\server\\share\\a b.npy", "a b.npy"), ("mixed\\of/both\\a.pth", "a.pth"), ("a.pth", "a.pth"), ("", ""), ("run/", "run"),
     ("s3://bucket/run/a.pth", "a.pth")],
)  # fmt: skip
def test_the_last_part_of_a_path_of_any_machine(path, name):
    assert name == file_name(path)
