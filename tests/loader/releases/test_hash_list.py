"""loader.releases.hash_list: names as people have them survive a seal."""

import hashlib
import shutil
import subprocess

import pytest

from loader.errors import IntegrityError, ModelNotFoundError
from loader.releases.hash_list import parse_hash_list, read_hash_list
from loader.releases.release import open_release
from loader.releases.sealing import seal_release

DIGEST = hashlib.sha256(b"").hexdigest()
NAMES = [
    "-x.pth", "my voice.pth", " first blank.pth", "Stimme für Ältere.pth", "u\u0308.pth", "声.pth", "a  b.pth", "*.pth", "'q'.pth",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_of_that_name_can_be_sealed_and_opened(tmp_path, name):
    (tmp_path / name).write_bytes(b"weights")
    (tmp_path / "config.json").write_text('{"model": "vits"}')
    seal_release(tmp_path, "1", ["config.json", name])

    assert tmp_path / name == open_release(tmp_path).checkpoint_path
    # And others can check it.
    done = subprocess.run(
        [shutil.which("sha256sum"), "--check", "--strict", "hash.sha256"], cwd=tmp_path, capture_output=True, check=False
    )
    assert 0 == done.returncode, done.stderr


@pytest.mark.parametrize("name", ["a\nb.pth", "a\\b.pth", "a\x1bb.pth", "a\u2028b.pth", "\udcff.pth"])
def test_a_name_that_a_list_cannot_hold_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"weights")

    with pytest.raises(ModelNotFoundError, match="rename the file"):
        seal_release(tmp_path, "1", [name])
    assert not (tmp_path / "hash.sha256").exists()


@pytest.mark.parametrize("form", ["{}  a b", "{} *a b", "{}  ./a b", "{} a b", "{}  a b\r"])
def test_lines_of_every_program_are_read(form):
    for digest in (DIGEST, DIGEST.upper()):
        assert {"a b": DIGEST} == parse_hash_list(f"\n{form.format(digest)}\n")


def test_a_list_with_a_subfolder_is_refused(tmp_path):
    (tmp_path / "hash.sha256").write_text(f"{DIGEST}  run/a\n")

    with pytest.raises(IntegrityError, match="chorus seal"):
        read_hash_list(tmp_path)
