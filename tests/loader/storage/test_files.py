"""loader.storage.files: atomic files and exclusive locks."""

import json
import os

import pytest

from loader.storage.files import exclusive, flush_tree, write_aside
from tests.loader.children import answer_of, run_program


def test_a_write_replaces_the_content_and_leaves_no_other_file(tmp_path):
    for content in (b"first", b"", b"third"):
        write_aside(tmp_path / "file", content)

        assert content == (tmp_path / "file").read_bytes()
        assert ["file"] == os.listdir(tmp_path)


def test_a_write_that_fails_keeps_the_old_content(tmp_path):
    write_aside(tmp_path / "file", b"old")

    with pytest.raises(TypeError):
        write_aside(tmp_path / "file", "no bytes")

    assert b"old" == (tmp_path / "file").read_bytes()
    assert ["file"] == os.listdir(tmp_path)


def test_a_file_above_the_limit_keeps_the_old_content(tmp_path):
    write_aside(tmp_path / "file", b"old")

    names = answer_of("""
        import json, os, resource, signal, sys
        from pathlib import Path
        from loader.storage.files import write_aside
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_aside(Path(sys.argv[1]), bytes(5000))
        except OSError:
            print(json.dumps(os.listdir(Path(sys.argv[1]).parent)))
        """, tmp_path / "file")

    assert ["file"] == names
    assert b"old" == (tmp_path / "file").read_bytes()


def test_a_reader_never_sees_a_partial_file(tmp_path):
    """Two processes write two contents while this one reads."""
    sizes = answer_of("""
        import json, os, sys
        from pathlib import Path
        from loader.storage.files import write_aside
        path = Path(sys.argv[1])
        write_aside(path, b"a" * 10000)
        writers = []
        for letter in (b"a", b"b"):
            child = os.fork()
            if child == 0:
                for _ in range(60):
                    write_aside(path, letter * 10000)
                os._exit(0)
            writers.append(child)
        seen = set()
        while writers:
            content = path.read_bytes()
            seen.add((len(content), len(set(content))))
            done, status = os.waitpid(-1, os.WNOHANG)
            if done:
                assert status == 0
                writers.remove(done)
        print(json.dumps(sorted(seen)))
        """, tmp_path / "file")

    assert [[10000, 1]] == sizes


def test_a_tree_with_unwritable_files_can_be_flushed(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"content")
    (tmp_path / "folder" / "file").chmod(0o444)

    flush_tree(tmp_path)


def test_a_lock_is_exclusive_and_freed_by_death(tmp_path):
    """Four children increment a counter in turn; each exits in another way, one by kill -9 while it holds the lock."""
    done = run_program("""
        import json, os, signal, sys
        from pathlib import Path
        from loader.storage.files import exclusive
        lock, counter = Path(sys.argv[1]) / "new" / "lock", Path(sys.argv[1]) / "counter"
        counter.write_text("0")
        children = []
        for number in range(4):
            child = os.fork()
            if child == 0:
                for _ in range(100):
                    with exclusive(lock):
                        counter.write_text(str(int(counter.read_text()) + 1))
                if number == 0:
                    with exclusive(lock):
                        os.kill(os.getpid(), signal.SIGKILL)
                os._exit(number)
            children.append(child)
        statuses = [os.waitpid(child, 0)[1] for child in children]
        with exclusive(lock):
            print(json.dumps([int(counter.read_text()), [os.waitstatus_to_exitcode(status) for status in statuses]]))
        """, tmp_path)

    assert [400, [-9, 1, 2, 3]] == json.loads(done.stdout), done.stderr


def test_a_lock_is_freed_by_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(RuntimeError), exclusive(tmp_path / "lock"):
            raise RuntimeError
