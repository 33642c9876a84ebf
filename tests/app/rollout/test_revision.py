"""app.rollout.revision: an id for what is served, and one revision in a process."""

from dataclasses import replace

import pytest
import yaml

from app.rollout import revision as module
from app.rollout.revision import adopt, adopted, read_revision, reusable, reuse, revision_of
from loader.config.settings import load_settings
from loader.errors import ConfigError
from loader.voices.catalog import open_catalog
from tests.conftest import CACHE


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a lexicon file, and returns settings that name it."""
    path = tmp_path / "tts_config.yaml"

    def write(content):
        (tmp_path / "terms.tsv").write_text(content)
        lexicons = {"lexicons": [{"path": "terms.tsv", "language": "en"}]}
        path.write_text(yaml.safe_dump({"model_path": "embedded/joe", "cache_dir": str(CACHE), "speech": lexicons}))
        return load_settings(path)

    return write


@pytest.fixture(autouse=True)
def _adopt_nothing_before(monkeypatch):
    monkeypatch.setattr(module, "_adopted", None)


def test_an_id_is_of_the_content_and_not_of_the_place_of_the_file(settings, tmp_path):
    moved = replace(settings, path=tmp_path / "elsewhere.yaml")

    assert read_revision(settings).id == read_revision(moved).id != read_revision(replace(settings, threads=5)).id
    assert 12 == len(read_revision(settings).id) and read_revision(settings).number < 2**48


def test_a_process_reads_its_revision_once(write):
    settings = write("SQL\tsequel")
    first = revision_of(settings)
    write("SQL\tsquirrel")

    assert first is revision_of(settings) is adopted()
    assert 1 == first.lexicons.entries


def test_an_adopted_revision_is_served_from_then_on(settings):
    first, other = revision_of(settings), read_revision(replace(settings, threads=5))
    adopt(other)

    assert other is revision_of(other.settings) is adopted()
    assert first is not revision_of(settings)


def test_lexicons_are_used_again_if_no_file_has_changed(write):
    before = read_revision(write("SQL\tsequel"))
    same = read_revision(replace(before.settings, threads=5), beside=before)
    changed = read_revision(write("SQL\tsquirrel"), beside=before)

    assert before.lexicons is same.lexicons is not changed.lexicons
    assert before.lexicon_hashes == same.lexicon_hashes != changed.lexicon_hashes


def test_a_file_that_cannot_be_read_is_reported(write, tmp_path):
    settings = write("SQL\tsequel")
    (tmp_path / "terms.tsv").unlink()
    with pytest.raises(ConfigError, match="terms.tsv"):
        read_revision(settings)


def test_a_catalog_may_be_reused_as_long_as_it_is_open(settings, embedded_artifact):
    catalog = open_catalog(settings, [embedded_artifact])
    reuse(catalog)
    assert catalog is reusable()
    del catalog
    assert reusable() is None
    reuse(None)
