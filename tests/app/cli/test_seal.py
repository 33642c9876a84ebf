"""chorus seal: it records what speaking reads, and says what has changed."""

import json

import pytest

from loader.errors import ModelNotFoundError, UnsupportedModelError
from loader.releases.release import open_release
from tests.app.cli.running import chorus


@pytest.fixture
def folder(tmp_path):
    """A trainer's output folder."""
    folder = tmp_path / "run 1"
    folder.mkdir()
    (folder / "config.json").write_text('{"model": "vits"}')
    for name in ("best_model_1500.pth", "checkpoint_2000.pth"):
        (folder / name).write_bytes(name.encode() * 100)
    (folder / "trainer_0_log.txt").write_text("epoch 1")
    (folder / "wavs").mkdir()
    return folder


def test_a_trainers_folder_is_sealed_and_opens(invoke, folder):
    done = invoke("seal", folder)

    assert (0, "") == (done.exit_code, done.stderr)
    assert done.stdout.startswith(f"{folder}: Coqui vits\n")
    assert "  checkpoint: best_model_1500.pth, 1,900 bytes\n" in done.stdout
    assert "  not chosen: checkpoint_2000.pth (best_model_1500.pth is the newest of the best)\n" in done.stdout
    assert "  ignored: trainer_0_log.txt, wavs/\n" in done.stdout
    assert done.stdout.endswith(f"sealed as version 1, 2 files: {folder}\n")
    assert ("1", {"config.json", "best_model_1500.pth"}) == ((release := open_release(folder)).version, set(release.hashes))


def test_a_second_seal_says_what_has_changed(invoke, folder):
    invoke("seal", folder, "--version", "1.0")
    assert "  nothing has changed since the last seal\nsealed as version 1.0, 2 files" in invoke("seal", folder).stdout

    (folder / "config.json").write_text('{"model": "VITS"}')
    done = invoke("seal", folder, "--checkpoint", "checkpoint_2000.pth", "--version", "1.1")

    assert "  changed since the last seal: config.json\n" in done.stdout
    assert "  new since the last seal: checkpoint_2000.pth\n" in done.stdout
    assert "  no longer listed since the last seal: best_model_1500.pth\n" in done.stdout
    assert "checkpoint_2000.pth" == open_release(folder, "1.1").checkpoint_path.name


def test_several_piper_voices_of_a_folder_are_sealed_together(invoke, tmp_path):
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / name).write_bytes(b"graph")
        (tmp_path / f"{name}.json").write_text(json.dumps({"audio": {"sample_rate": 16000}, "phoneme_id_map": {}}))
    done = invoke("seal", tmp_path)

    assert 0 == done.exit_code, done.stderr
    assert "sealed as version 1, 4 files" in done.stdout
    assert {"b.onnx", "b.onnx.json"} == set(open_release(tmp_path / "b.onnx").hashes)


@pytest.mark.parametrize(
    ("config", "error", "said"),
    [(None, ModelNotFoundError, "without config.json beside it"), ('{"model": "bark"}', UnsupportedModelError, "model 'bark'")],
    ids=["no-config", "bark"],
)
def test_a_folder_that_cannot_be_served_is_refused_and_stays_as_it_is(invoke, folder, config, error, said):
    (folder / "config.json").unlink()
    if config:
        (folder / "config.json").write_text(config)
    before = {each.name for each in folder.iterdir()}
    done = invoke("seal", folder)

    assert (error.exit_status, "") == (done.exit_code, done.stdout)
    assert said in done.stderr and 1 == len(done.stderr.splitlines())
    assert before == {each.name for each in folder.iterdir()}


def test_control_characters_of_names_and_texts_are_escaped(invoke, folder):
    (folder / "\x1b[31m.txt").write_text("")
    (folder / "\udcff").write_text("")
    (folder / "LICENSE").write_text("License: \x1b]0;x\x07\n")
    done = invoke("seal", folder)

    assert 0 == done.exit_code
    assert all(line.isprintable() for line in done.stdout.splitlines())


@pytest.mark.parametrize("version", ["", " ", "1\n2", "\x1b[0m"])
def test_a_version_is_one_line_of_text(invoke, folder, version):
    done = invoke("seal", folder, "--version", version)

    assert 64 == done.exit_code
    assert "expected one line of text" in done.stderr


def test_a_folder_that_cannot_be_written_is_named_with_the_way_round(folder):
    (folder / "hash.sha256").mkdir()
    done = chorus("seal", folder)

    assert 73 == done.returncode
    assert f"chorus: {folder}: cannot be sealed (" in done.stderr and "verify: warn" in done.stderr
