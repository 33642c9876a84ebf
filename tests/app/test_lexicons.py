"""app.lexicons: read once, replaced at SIGHUP if every file is good, and reported."""

import logging

import pytest
import yaml

from app import lexicons
from app.lexicons import lexicons_of, reload_lexicons, report_lexicons
from loader.config.settings import load_settings
from loader.errors import ConfigError
from loader.voices.catalog import open_catalog
from tests.conftest import CACHE


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a lexicon file and returns the settings that name it."""
    path = tmp_path / "tts_config.yaml"

    def write_file(content, language="en"):
        (tmp_path / "terms.tsv").write_text(content, encoding="utf-8")
        files = [{"path": "terms.tsv", "language": language}]
        path.write_text(yaml.safe_dump({"model_path": "embedded/joe", "cache_dir": str(CACHE), "speech": {"lexicons": files}}))
        return load_settings(path)

    return write_file


@pytest.fixture(autouse=True)
def _read_nothing_before(monkeypatch, caplog):
    monkeypatch.setattr(lexicons, "_read", {})
    caplog.set_level(logging.INFO, "chorus.process")


def events(caplog):
    return [record.msg for record in caplog.records if isinstance(record.msg, dict)]


def test_files_are_read_once(write):
    settings = write("SQL\tsequel")
    first = lexicons_of(settings)
    write("SQL\tsequel\nnginx\tengine X")

    assert first is lexicons_of(settings)
    assert 1 == first.entries


def test_a_reload_reads_them_again(write, caplog):
    settings = write("SQL\tsequel")
    lexicons_of(settings)
    write("SQL\tsequel\nnginx\tengine X")
    reloaded = reload_lexicons(settings)

    assert reloaded is lexicons_of(settings)
    assert [{"event": "lexicon.reloaded", "files": 1, "entries": 2}] == events(caplog)


def test_a_bad_file_leaves_the_entries_and_its_problems_are_logged(write, caplog):
    settings = write("SQL\tsequel")
    first = lexicons_of(settings)
    write("bad\n" * 30)

    assert reload_lexicons(settings) is None
    assert first is lexicons_of(settings)
    (logged,) = events(caplog)
    assert ("lexicon.refused", 30) == (logged["event"], logged["problems"])
    assert 20 == logged["reason"].count("line ") and logged["reason"].endswith("; ...")


def test_a_defect_while_reading_does_not_end_the_master(write, caplog, monkeypatch):
    settings = write("SQL\tsequel")
    first = lexicons_of(settings)

    def fail(_settings):
        raise MemoryError("no more memory")

    monkeypatch.setattr(lexicons, "read_lexicons", fail)

    assert reload_lexicons(settings) is None
    assert first is lexicons_of(settings)
    assert "MemoryError: no more memory" == events(caplog)[0]["reason"]


def test_the_first_reading_reports_problems_as_an_error(write):
    with pytest.raises(ConfigError, match="terms.tsv: line 1"):
        lexicons_of(write("bad"))


def test_files_without_a_voice_and_unknown_symbols_are_logged(write, caplog, embedded_artifact):
    settings = write("\n".join(f"term{number}\t/ꞎ/" for number in range(12)))
    read = lexicons_of(settings)
    report_lexicons(read, open_catalog(settings, [embedded_artifact], lexicons=read))
    other = write("SQL\tEsskuell", "de")
    report_lexicons(lexicons_of(other), open_catalog(other, [embedded_artifact]))

    unknown, unused = events(caplog)
    assert ("lexicon.symbols_unknown", "joe", 12) == (unknown["event"], unknown["voice"], unknown["terms"])
    assert unknown["first"].startswith("'term0': ꞎ, ") and 10 == unknown["first"].count("ꞎ")
    assert ("lexicon.unused", "de") == (unused["event"], unused["language"])
    assert unknown["path"] == unused["path"] == settings.speech.lexicons[0].path
