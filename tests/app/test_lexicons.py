"""app.lexicons: what is reported of lexicon files."""

import logging

import pytest
import yaml

from app.lexicons import report_lexicons
from loader.config.settings import load_settings
from loader.voices.catalog import open_catalog
from loader.voices.lexicons import read_lexicons
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
def _keep_events(caplog):
    caplog.set_level(logging.INFO, "chorus.process")


def events(caplog):
    return [record.msg for record in caplog.records if isinstance(record.msg, dict)]


def test_files_without_a_voice_and_unknown_symbols_are_logged(write, caplog, embedded_artifact):
    settings = write("\n".join(f"term{number}\t/ꞎ/" for number in range(12)))
    read = read_lexicons(settings)
    report_lexicons(read, open_catalog(settings, [embedded_artifact], lexicons=read))
    other = write("SQL\tEsskuell", "de")
    report_lexicons(read_lexicons(other), open_catalog(other, [embedded_artifact]))

    unknown, unused = events(caplog)
    assert ("lexicon.symbols_unknown", "joe", 12) == (unknown["event"], unknown["voice"], unknown["terms"])
    assert unknown["first"].startswith("'term0': ꞎ, ") and 10 == unknown["first"].count("ꞎ")
    assert ("lexicon.unused", "de") == (unused["event"], unused["language"])
    assert unknown["path"] == unused["path"] == settings.speech.lexicons[0].path
