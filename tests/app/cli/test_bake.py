"""chorus bake: it bakes what a server would bake at start."""

import re

from app.cli.bake import _ENGINES
from loader.artifacts.artifact import ENGINES
from loader.errors import IntegrityError, UnknownVoiceError
from tests.app.cli.conftest import flip
from tests.app.cli.running import chorus, interrupt, start


def test_a_missing_artifact_is_baked_and_printed(first_bake):
    folder, done = first_bake

    assert 0 == done.returncode, done.stderr
    said = re.fullmatch(r"release: onnx, (\d+\.\d) MB, baked in \d+\.\d s: (\S+)\n", done.stdout)
    assert f"{folder}/cache/artifacts" == said[2].rpartition("/")[0]
    assert 3 < float(said[1]) < 5
    assert re.search(r"^chorus: starting torch and Coqui \.\.\. \d+\.\d s$", done.stderr, re.MULTILINE)


def test_an_existing_artifact_is_kept(baked, artifact):
    before = artifact.stat().st_ctime_ns
    done = chorus("bake", "--config", baked.path)

    assert (0, "") == (done.returncode, done.stderr)
    assert re.fullmatch(rf"release: onnx, \d+\.\d MB, already baked: {artifact}\n", done.stdout)
    assert before == artifact.stat().st_ctime_ns


def test_anew_replaces_an_artifact(baked, artifact):
    before = artifact.stat().st_ino
    done = chorus("bake", "release", "--anew", "--config", baked.path)

    assert 0 == done.returncode, done.stderr
    assert re.search(r"baked in \d+\.\d s", done.stdout)
    assert before != artifact.stat().st_ino
    assert [artifact] == [path.parent for path in artifact.parent.glob("*/manifest.json")]


def test_ctrl_c_leaves_no_child_and_no_partial_artifact(baked, artifact):
    running = start("bake", "--anew", "--config", baked.path)
    first = running.stderr.readline().decode()
    status, errors, living = interrupt(running)

    assert first.startswith("chorus: verifying ")
    assert (130, []) == (status, living)
    assert "Traceback" not in errors
    assert errors.endswith("chorus: interrupted\n")
    assert [artifact.name] == [path.name for path in artifact.parent.iterdir() if path.is_dir()]


def test_an_unknown_voice_is_refused_with_the_known_names(invoke, baked):
    done = invoke("bake", "nobody", "--config", baked.path)

    assert UnknownVoiceError.exit_status == done.exit_code
    assert "chorus: no voice named 'nobody'; known voices: release\n" == done.stderr


def test_the_voices_after_a_bad_one_are_baked(invoke, baked, artifact):
    flip(baked.path.parent / "release" / "model_file.pth")
    two = baked.path.with_name("two.yaml")
    two.write_text(
        f"voices: [{{name: bad, model_path: release}}, {{name: good, model_path: {artifact}}}]\ncache_dir: cache\n"
    )
    done = invoke("bake", "--config", two)

    assert IntegrityError.exit_status == done.exit_code
    assert "model_file.pth: expected sha256" in done.stderr
    assert done.stdout.startswith("good: onnx, ")


def test_the_engine_option_has_every_engine():
    assert ENGINES == _ENGINES
