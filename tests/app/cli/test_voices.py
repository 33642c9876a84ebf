"""chorus voices: list voices from their manifests alone."""

import json
import shutil

import pytest

from tests.app.cli.conftest import flip
from tests.loader.children import answer_of


@pytest.fixture
def many(embedded_artifact, joe_coqui_release, tmp_path):
    """Settings of a baked voice, one that is not baked, and one that does not exist."""
    (tmp_path / "voices.yaml").write_text(
        "cache_dir: cache\nvoices:\n"
        f"- {{name: joe, aliases: [alloy, echo], model_path: {embedded_artifact}}}\n"
        f"- {{name: raw, model_path: {joe_coqui_release}}}\n"
        f"- {{name: unbuilt, model_path: embedded/joe}}\n"
        f"- {{name: gone, model_path: nowhere}}\n"
    )
    return tmp_path / "voices.yaml"


def test_the_table_has_one_line_per_voice(invoke, many):
    done = invoke("voices", "--config", many)
    joe, raw, unbuilt, gone = [line.split() for line in done.stdout.splitlines()[1:]]

    assert "joe alloy, echo onnx en-us 1 22050 62.8 MB default" == " ".join(joe)
    assert "raw not baked yet; chorus bake bakes it" == " ".join(raw)
    assert "unbuilt not baked yet; chorus bake bakes it" == " ".join(unbuilt)
    assert f"gone {many.parent / 'nowhere'}: no such model directory; check model_path" == " ".join(gone)
    assert 66 == done.exit_code
    assert not (many.parent / "cache").exists()


def test_json_has_more_facts_than_the_table(invoke, settings, embedded_artifact):
    done = invoke("voices", "--json", "--config", settings.path)

    assert 0 == done.exit_code
    assert [
        {
            "name": "joe", "aliases": [], "default": True, "model_path": "embedded/joe", "baked": True, "engine": "onnx",
            "languages": ["en-us"], "speakers": [], "sample_rate_hz": 22050, "artifact": str(embedded_artifact),
            "size_bytes": sum(path.stat().st_size for path in embedded_artifact.iterdir()), "problem": None,
        }
    ] == json.loads(done.stdout)  # fmt: skip


def test_the_speakers_are_counted_and_named(invoke, artifact_of, tmp_path):
    config = tmp_path / "tts_config.yaml"
    config.write_text(f"voices: [{{name: many, model_path: {artifact_of('speakers')}}}]\n")
    (voice,) = json.loads(invoke("voices", "--json", "--config", config).stdout)

    assert len(voice["speakers"]) > 1
    table = invoke("voices", "--config", config).stdout
    assert str(len(voice["speakers"])) == table.splitlines()[1].split()[3]


def test_the_configured_language_is_listed(invoke, embedded_artifact, tmp_path):
    config = tmp_path / "tts_config.yaml"
    config.write_text(f"voices: [{{name: joe, model_path: {embedded_artifact}, language: en-gb}}]\n")
    (voice,) = json.loads(invoke("voices", "--json", "--config", config).stdout)

    assert ["en-gb"] == voice["languages"]


def test_an_unreadable_manifest_is_reported(invoke, embedded_artifact, tmp_path):
    (tmp_path / "broken").mkdir()
    shutil.copy(embedded_artifact / "manifest.json", tmp_path / "broken")
    flip(tmp_path / "broken" / "manifest.json", position=0)
    config = tmp_path / "tts_config.yaml"
    config.write_text("voices: [{name: joe, model_path: broken}]\n")
    done = invoke("voices", "--config", config)

    assert 65 == done.exit_code
    assert "no manifest that this version reads" in done.stdout


HEAVY = """
    import json, sys
    from app.cli.main import chorus
    try:
        chorus(sys.argv[1:])
    except SystemExit as ended:
        assert not ended.code
    heavy = {"torch", "TTS", "onnx", "onnxruntime", "numpy", "flask", "gunicorn", "rich", "yaml", "msgspec"}
    print(json.dumps(sorted(heavy & set(sys.modules))))
    """


def test_help_imports_click_only():
    for words in (["--help"], ["--version"], *([name, "--help"] for name in ("serve", "bake", "say", "voices"))):
        assert [] == answer_of(HEAVY, *words)


def test_listing_voices_opens_no_engine(settings, embedded_artifact):
    assert ["msgspec", "rich", "yaml"] == answer_of(HEAVY, "voices", "--config", settings.path)
