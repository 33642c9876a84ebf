"""loader.bake.checkpoint: Coqui's files are read as data only, and only if the release sealed them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loader.releases.sealing import seal_release
from tests.loader.bake.damaged import configure, error_line, errors_of_loading, set_keys
from tests.loader.children import run_program

NAMES = ["config.json", "model_file.pth"]

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 145678901\n"

#: A content instead of a checkpoint, and what the error says that it is.
CHECKPOINTS = {
    "bytes": (b"not a checkpoint", "torch cannot read it: Unsupported operand"),
    "empty": (b"", "expected weights, found an empty file; copy or download it again"),
    "half a zip": (b"PK\3\4" + bytes(100), "torch cannot read it: PytorchStreamReader failed"),
    "pointer": (POINTER, "expected weights, found a Git LFS pointer of a file of 145,678,901 bytes, not the file itself; run"),
    "page": (b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>", "expected weights, found a web page (HTML)"),
    "page without a type": (b"<html>\n", "expected weights, found a web page (HTML)"),
    "error of a storage": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "found an XML text"),
    "zeros": (bytes(4096), "zeros"),
    "gzip": (b"\x1f\x8b\x08" + bytes(40), "found a gzip archive; unpack it"),
}

CONFIGURATIONS = {
    "unknown family": (lambda config: config.update(model="no_such_model"), "this version speaks vits, xtts, "),
    "no family": (lambda config: config.pop("model"), "Coqui cannot read it"),
    "no JSON": ("{", "Coqui cannot read it"),
    "deep JSON": ('{"model": ' + "[" * 100_000, "Coqui cannot read it"),
    "long number": ('{"model": "vits", "epochs": ' + "9" * 5000 + "}", "Coqui cannot read it"),
    "page for JSON": ("<html><body>404</body></html>", "expected a configuration, found a web page (HTML)"),
    "pointer for JSON": (POINTER.decode(), "expected a configuration, found a Git LFS pointer"),
    "nothing for JSON": ("", "expected a configuration, found an empty file"),
    "speakers elsewhere": (
        set_keys(model_args__use_speaker_embedding=True, model_args__speakers_file="/home/trainer/speakers.pth"),
        "speakers_file names speakers.pth, which hash.sha256 does not list; add it and seal again",
    ),
    "vectors elsewhere": (
        set_keys(model_args__use_d_vector_file=True, model_args__d_vector_file=["..\\..\\etc\\vectors.json"]),
        "d_vector_file names vectors.json, which hash.sha256 does not list",
    ),
    "languages elsewhere": (
        set_keys(model_args__use_language_embedding=True, model_args__language_ids_file="ids.json"),
        "language_ids_file names ids.json, which hash.sha256 does not list",
    ),
}


@pytest.fixture(scope="module")
def refusals(tiny_release, tmp_path_factory):
    """The errors of the bake for all foreign files, tried in one child."""
    base = tmp_path_factory.mktemp("foreign")
    for name, (content, _) in CHECKPOINTS.items():
        directory = Path(shutil.copytree(tiny_release, base / name))
        (directory / "model_file.pth").write_bytes(content)
        seal_release(directory, "1", NAMES)
    for name, (change, _) in CONFIGURATIONS.items():
        directory = Path(shutil.copytree(tiny_release, base / name))
        if isinstance(change, str):
            (directory / "config.json").write_text(change)
            seal_release(directory, "1", NAMES)
        else:
            configure(directory, change)
    return base, errors_of_loading(base)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_file_that_is_not_a_checkpoint_is_refused(refusals, name):
    base, answers = refusals
    status, message = answers[name]

    assert 70 == status
    assert message.startswith(f"{base / name / 'model_file.pth'}: ")
    assert CHECKPOINTS[name][1] in message
    assert "\n" not in message and "\x1b" not in message and len(message) < 700


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_unreadable_and_unsealed_files_are_refused(refusals, name):
    base, answers = refusals
    status, message = answers[name]

    assert (69 if name == "unknown family" else 70) == status
    assert message.startswith(f"{base / name / 'config.json'}: ")
    assert CONFIGURATIONS[name][1] in message
    assert "\n" not in message


BOMB = """
    import os, pickle, sys
    import torch
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (sys.argv[2],)
    path, canary, form = sys.argv[1:]
    if form != "pickle":
        torch.save({"model": {"weight": Bomb()}}, path, _use_new_zipfile_serialization=form == "zip")
    else:
        with open(path, "wb") as file:
            pickle.dump({"model": Bomb()}, file)
    # The file is as dangerous as it is meant to be.
    try:
        torch.load(path, weights_only=False)
    except RuntimeError:
        pass
    os.rmdir(canary)
"""


#: A pickle alone is no file of torch's.
REFUSALS = {
    "zip": "it names posix.mkdir, by which a file runs code when it is opened; do not open it",
    "legacy": "it names posix.mkdir, by which a file runs code when it is opened; do not open it",
    "pickle": "torch cannot read it",
}


@pytest.mark.parametrize("form", REFUSALS)
def test_code_in_a_checkpoint_is_never_run(release, bake, tmp_path, form):
    canary = tmp_path / "canary"
    made = run_program(BOMB, release / "model_file.pth", canary, form)
    assert made.returncode == 0, made.stderr
    seal_release(release, "1", ["config.json", "model_file.pth"])

    done = bake()

    assert 70 == done.returncode
    assert REFUSALS[form] in error_line(done)
    assert not canary.exists()


OWN_CLASS = """
    import sys, types
    import torch
    module = types.ModuleType("trainers_own")
    exec("class Settings:\\n    def __init__(self):\\n        self.rate = 5", module.__dict__)
    module.Settings.__module__ = "trainers_own"
    sys.modules["trainers_own"] = module
    path = sys.argv[1]
    checkpoint = torch.load(path, weights_only=True)
    torch.save(checkpoint | {"settings": module.Settings()}, path)
    with open(f"{sys.argv[2]}/trainers_own.py", "w") as file:
        file.write("class Settings:\\n    pass\\n")
"""


def test_a_class_that_is_not_known_is_named_with_a_line_of_python_that_writes_the_weights_alone(release, bake, tmp_path):
    made = run_program(OWN_CLASS, release / "model_file.pth", tmp_path)
    assert made.returncode == 0, made.stderr
    seal_release(release, "1", NAMES)

    refused = bake()

    line = error_line(refused)
    assert "it holds an object of the class trainers_own.Settings, which is not opened here" in line
    assert "weights_only" not in line and "\x1b" not in line
    rewriting = re.search(r'python -c "(.*)"$', line)[1]
    # In the release, where the file is, with the class beside it.
    done = subprocess.run(
        [sys.executable, "-c", rewriting], cwd=release, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    (release / "weights.pth").rename(release / "model_file.pth")
    seal_release(release, "1", NAMES)
    for file in (tmp_path / "target").iterdir():
        file.unlink()

    assert 0 == bake().returncode
