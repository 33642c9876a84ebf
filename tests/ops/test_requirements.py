"""ops/requirements-serve.txt: all that serves, pinned as everywhere else, and no file without its hash."""

import configparser
import importlib.metadata
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

LOCK = ROOT / "ops" / "requirements-serve.txt"


def read_pins(text):
    """Return package to version of lines such as `name==1.0`."""
    requirements = [Requirement(line) for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in requirements}


def read_lock():
    """Return package to version and hashes."""
    text = re.sub(r"^#.*\n", "", LOCK.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    locked = {}
    for line in text.splitlines():
        pin, *hashes = line.split()
        name, version = pin.split("==")
        locked[canonicalize_name(name)] = (version, hashes)
    return locked


def test_every_package_is_pinned_and_hashed():
    for name, (version, hashes) in read_lock().items():
        assert re.fullmatch(r"[\w.]+", version), name
        assert hashes, name
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), name


def test_it_names_no_index():
    assert not re.search(r"://|--index|--find-links|--trusted", LOCK.read_text())


def test_it_agrees_with_the_other_pins():
    setup = configparser.ConfigParser(comment_prefixes=("#",))
    setup.read(ROOT / "setup.cfg")
    wanted = read_pins(setup["options"]["install_requires"]) | read_pins(setup["options.extras_require"]["serve"])
    locked = {name: version for name, (version, _) in read_lock().items()}
    constrained = read_pins((ROOT / "ops" / "constraints.txt").read_text())

    assert wanted == {name: locked.get(name) for name in wanted}
    both = locked.keys() & constrained.keys()
    assert {name: constrained[name] for name in both} == {name: locked[name] for name in both}
    # setuptools only builds; everything else that serves is pinned for the full install too.
    assert {"setuptools"} == locked.keys() - constrained.keys() - wanted.keys()


def test_it_holds_all_that_is_needed_and_nothing_else():
    needed, unread = {"setuptools"}, [("chorus-tts", "serve")]
    while unread:
        name, extra = unread.pop()
        for line in importlib.metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                found = canonicalize_name(requirement.name)
                unread += [] if found in needed else [(found, "")]
                needed.add(found)

    assert needed == read_lock().keys()


@pytest.mark.parametrize("tampered", [False, True])
def test_pip_refuses_a_file_with_another_hash(tmp_path, tampered):
    version, hashes = read_lock()["six"]
    changed = [each[:-1] + ("0" if each[-1] != "0" else "1") for each in hashes] if tampered else hashes
    (tmp_path / "lock.txt").write_text(f"six=={version} {' '.join(changed)}\n")
    words = ["install", "--dry-run", "--ignore-installed", "--require-hashes", "--only-binary", ":all:", "--no-cache-dir"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "--requirement", tmp_path / "lock.txt"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "No matching distribution" in done.stderr or "Max retries" in done.stderr:
        pytest.skip("no package index can be reached")

    assert tampered == bool(done.returncode), done.stderr
    assert tampered == ("DO NOT MATCH THE HASHES" in done.stderr)
