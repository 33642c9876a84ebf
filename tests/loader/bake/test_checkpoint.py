"""loader.bake.checkpoint: Coqui's files are read as data only, and only if the release sealed them."""

import shutil
from pathlib import Path

import pytest

from loader.releases.release import seal_release
from tests.loader.bake.damaged import configure, error_line, errors_of_loading, set_keys
from tests.loader.children import run_program

NAMES = ["config.json", "model_file.pth"]

CHECKPOINTS = {
    "bytes": b"not a checkpoint",
    "empty": b"",
    "half a zip": b"PK\3\4" + bytes(100),
}

CONFIGURATIONS = {
    "unknown family": (lambda config: config.update(model="no_such_model"), "Coqui cannot read it"),
    "no family": (lambda config: config.pop("model"), "Coqui cannot read it"),
    "no JSON": ("{", "Coqui cannot read it"),
    "deep JSON": ('{"model": ' + "[" * 100_000, "Coqui cannot read it"),
    "long number": ('{"model": "vits", "epochs": ' + "9" * 5000 + "}", "Coqui cannot read it"),
    "speakers elsewhere": (
        set_keys(model_args__speakers_file="/home/trainer/speakers.pth"),
        "speakers_file names speakers.pth, which hash.sha256 does not list; add it and seal again",
    ),
    "vectors elsewhere": (
        set_keys(model_args__d_vector_file=["../../etc/vectors.json"]),
        "d_vector_file names vectors.json, which hash.sha256 does not list",
    ),
    "languages elsewhere": (
        set_keys(model_args__language_ids_file="language_ids.json"),
        "language_ids_file names language_ids.json, which hash.sha256 does not list",
    ),
}


@pytest.fixture(scope="module")
def refusals(tiny_release, tmp_path_factory):
    """The errors of the bake for all foreign files, tried in one child."""
    base = tmp_path_factory.mktemp("foreign")
    for name, content in CHECKPOINTS.items():
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
    assert message.startswith(f"{base / name / 'model_file.pth'}: torch cannot read it")
    assert "\n" not in message and len(message) < 700


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_unreadable_and_unsealed_files_are_refused(refusals, name):
    base, answers = refusals
    status, message = answers[name]

    assert 70 == status
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
    if form == "zip":
        torch.save({"model": {"weight": Bomb()}}, path)
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


@pytest.mark.parametrize("form", ["zip", "pickle"])
def test_code_in_a_checkpoint_is_never_run(release, bake, tmp_path, form):
    canary = tmp_path / "canary"
    made = run_program(BOMB, release / "model_file.pth", canary, form)
    assert made.returncode == 0, made.stderr
    seal_release(release, "1", ["config.json", "model_file.pth"])

    done = bake()

    assert 70 == done.returncode
    assert "torch cannot read it" in error_line(done)
    assert not canary.exists()
