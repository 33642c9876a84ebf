"""loader.storage.store: a folder is complete or missing after kills, concurrent publishers and full disks."""

import json
import subprocess
import sys
import textwrap

import pytest

from loader.errors import StoreError
from loader.storage.store import Store
from tests.loader.children import ROOT, run_program

#: Content of a complete folder, the proof last.
FILES = {f"{name}.bin": name.encode() * 3000 for name in "abcdef"} | {"proof": b"whole"}

PUBLISH = """
    import json, os, shutil, signal, subprocess, sys
    from pathlib import Path
    from loader.storage.store import Store

    def make(folder, mark=b""):
        for name in "abcdef":
            with (folder / f"{name}.bin").open("wb") as file:
                for _ in range(3):
                    file.write(name.encode() * 1000 + mark)
                    file.flush()
        (folder / "proof").write_bytes(b"whole")

    def store(directory):
        return Store(Path(directory), proof="proof")
"""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", proof="proof")


def write_files(folder):
    for name, content in FILES.items():
        (folder / name).write_bytes(content)


def is_whole(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


def names_in(directory):
    return {path.name for path in directory.iterdir()}


def test_a_published_folder_is_found(store, tmp_path):
    assert store.find("key") is None

    published = store.publish("key", write_files)

    assert published == store.find("key") == tmp_path / "store" / "key"
    assert is_whole(published)


def test_a_published_folder_can_be_read_by_other_users(store):
    assert 0o755 == store.publish("key", write_files).stat().st_mode & 0o777


def test_an_existing_folder_is_not_made_again(store):
    store.publish("key", write_files)

    def refuse(folder):
        raise AssertionError("made again")

    assert is_whole(store.publish("key", refuse))


def test_anew_replaces_an_existing_folder(store):
    store.publish("key", lambda folder: (folder / "proof").write_bytes(b"old"))
    store.publish("key", write_files, anew=True)

    assert is_whole(store.find("key"))


def test_an_error_while_a_folder_is_made_leaves_nothing(store, tmp_path):
    def fail(folder):
        write_files(folder)
        raise RuntimeError("in the middle")

    for anew in (False, True):
        with pytest.raises(RuntimeError, match="in the middle"):
            store.publish("key", fail, anew)

        assert store.find("key") is None
        assert {".key.lock"} == names_in(tmp_path / "store")


def test_an_error_while_a_folder_is_made_anew_leaves_the_old_one(store):
    store.publish("key", write_files)

    def fail(folder):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.publish("key", fail, anew=True)

    assert is_whole(store.find("key"))


def test_a_folder_without_its_proof_is_replaced(store, tmp_path):
    (tmp_path / "store" / "key").mkdir(parents=True)
    (tmp_path / "store" / "key" / "half.bin").write_bytes(b"half")

    assert is_whole(store.publish("key", write_files))


def test_a_folder_that_another_key_is_making_is_kept(store, tmp_path):
    """A key may be a prefix of another: `v1` and `v1.5`."""

    def make_while_the_shorter_key_is_published(folder):
        write_files(folder)
        store.publish("v1", write_files)

    assert is_whole(store.publish("v1.5", make_while_the_shorter_key_is_published))
    assert is_whole(store.find("v1"))


def test_an_unwritable_store_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="set cache_dir") as caught:
        Store(tmp_path / "file" / "store", proof="proof").publish("key", write_files)

    assert 73 == caught.value.exit_status


@pytest.mark.parametrize("anew", [False, True], ids=["first time", "anew"])
def test_kill_9_before_any_step_leaves_a_complete_folder_or_none(tmp_path, anew):
    """Python audits every file it opens, renames and removes: the child kills itself at the nth of these events."""
    source = PUBLISH + """
    directory, anew = sys.argv[1], sys.argv[2] == "True"

    def publish_and_die_at(step):
        seen = 0
        def count(event, arguments):
            nonlocal seen
            if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.scandir"):
                seen += 1
                if seen == step:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count)
        store(directory).publish("key", make, anew)
        os._exit(0)

    whole = {f"{name}.bin": name.encode() * 3000 for name in "abcdef"} | {"proof": b"whole"}
    store(directory).find("key")
    killed, found_whole = 0, 0
    for step in range(1, 500):
        if anew:
            store(directory).publish("key", make)
        child = os.fork()
        if child == 0:
            publish_and_die_at(step)
        status = os.waitpid(child, 0)[1]
        if status == 0:
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
        killed += 1
        found = store(directory).find("key")
        if found is not None:
            found_whole += 1
            assert {path.name: path.read_bytes() for path in found.iterdir()} == whole, (step, os.listdir(found))
        again = store(directory).publish("key", make)
        assert {path.name: path.read_bytes() for path in again.iterdir()} == whole, step
        assert set(os.listdir(directory)) == {"key", ".key.lock"}, (step, os.listdir(directory))
        if not anew:
            shutil.rmtree(directory)
    print(json.dumps([status, killed, found_whole]))
    """

    done = run_program(source, tmp_path / "store", anew)

    assert 0 == done.returncode, done.stderr
    status, killed, found_whole = json.loads(done.stdout)
    assert 0 == status, "no child completed"
    assert killed > (30 if anew else 20)
    assert found_whole > (20 if anew else 0)


def test_kill_9_at_any_time_leaves_a_complete_folder_or_none(store, tmp_path):
    source = PUBLISH + """
    def make_and_tell(folder):
        make(folder)
        for name in range(200):
            (folder / str(name)).write_bytes(bytes(100))
            os.write(1, b".")
            (folder / str(name)).unlink()
    store(sys.argv[1]).publish("key", make_and_tell)
    """
    for progress in range(1, 200, 13):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(source), tmp_path / "store"], cwd=ROOT, stdout=subprocess.PIPE
        ) as child:
            child.stdout.read(progress)
            child.kill()

        assert child.returncode in (-9, 0)
        assert store.find("key") is None or is_whole(store.find("key"))

    assert is_whole(store.publish("key", write_files))
    assert {"key", ".key.lock"} == names_in(tmp_path / "store")


def test_of_several_processes_that_publish_one_key_one_makes_the_folder(tmp_path):
    source = PUBLISH + """
    def make_and_sign(folder):
        with open(sys.argv[2], "a") as made:
            made.write(f"{os.getpid()}\\n")
        make(folder)
    sys.stdin.read()
    folder = store(sys.argv[1]).publish("key", make_and_sign)
    assert len(os.listdir(folder)) == 7
    print(folder)
    """
    program = [sys.executable, "-c", textwrap.dedent(source), tmp_path / "store", tmp_path / "made"]
    children = [
        subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    for child in children:
        child.stdin.close()
        child.stdin = None
    answers = {child.communicate()[0].strip() for child in children}

    assert [0] * 6 == [child.returncode for child in children]
    assert {str(tmp_path / "store" / "key")} == answers
    assert 1 == len((tmp_path / "made").read_text().splitlines())
    assert is_whole(tmp_path / "store" / "key")


def test_a_waiting_publisher_takes_over_if_the_first_is_killed(tmp_path):
    first = PUBLISH + """
    def make_for_ever(folder):
        make(folder)
        os.write(1, b"!")
        signal.pause()
    store(sys.argv[1]).publish("key", make_for_ever)
    """
    second = PUBLISH + """
    os.write(1, b"!")
    store(sys.argv[1]).publish("key", make)
    """

    def start(source):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(source), tmp_path / "store"], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert b"!" == child.stdout.read(1)
        return child

    with start(first) as holder, start(second) as waiter:
        holder.kill()

        assert 0 == waiter.wait(60)

    assert is_whole(tmp_path / "store" / "key")
    assert {"key", ".key.lock"} == names_in(tmp_path / "store")


def test_a_full_disk_leaves_a_complete_folder_or_none_and_no_temporary_files(tmp_path):
    """The file system grows page by page until the folder fits."""
    source = PUBLISH + """
    from loader.errors import StoreError
    mount = sys.argv[1]
    outcomes = []
    for pages in range(4, 24):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={4 * pages}k", "tmpfs", mount], check=True)
        try:
            store(mount).publish("key", make)
            outcomes.append("published")
        except StoreError as error:
            outcomes.append("full")
            assert "No space left on device" in str(error) and "make room" in str(error)
            assert os.listdir(mount) == [".key.lock"], os.listdir(mount)
            assert store(mount).find("key") is None
            # Room is made, and the next one succeeds.
            subprocess.run(["mount", "-o", "remount,size=1m", mount], check=True)
            store(mount).publish("key", make)
        assert len(os.listdir(Path(mount, "key"))) == 7
        assert sum(path.stat().st_size for path in Path(mount, "key").iterdir()) == 18_005
        assert set(os.listdir(mount)) == {"key", ".key.lock"}
        subprocess.run(["umount", mount], check=True)
    print(json.dumps(outcomes))
    """
    (tmp_path / "mount").mkdir()
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", tmp_path / "mount"], check=False).returncode:
        pytest.skip("this machine permits no mounts in a user namespace, so no disk can be filled")
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", textwrap.dedent(source), tmp_path / "mount"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert 0 == done.returncode, done.stderr
    outcomes = json.loads(done.stdout)
    assert {"full", "published"} == set(outcomes)
    assert sorted(outcomes) == outcomes, "it did not fit on a larger disk than one on which it fitted"
