"""loader.config.yaml: a bad file is refused with the line that exceeds a bound, before anything large is built."""

import os
import shutil
import subprocess
import sys

import pytest

from loader.config.yaml import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_NUMBER_CHARACTERS, read_document
from loader.errors import ConfigError
from tests.conftest import ROOT

MULTIPLIED = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGED = "a0: &a0 {k0: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}\n" for n in range(1, 12)
)


@pytest.fixture
def read(tmp_path):
    """Parse a file with this content, bytes or text."""

    def read(content):
        path = tmp_path / "tts_config.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_document(path)

    return read


@pytest.fixture
def problem(read):
    """The only problem of a file."""

    def problem(content):
        with pytest.raises(ConfigError) as caught:
            read(content)
        (found,) = caught.value.problems
        assert found.isprintable() and len(found) <= 300
        return found

    return problem


@pytest.mark.parametrize("text, line", [(MULTIPLIED, 5), (MERGED, 5)], ids=["aliases", "merges"])
def test_anchors_that_multiply_are_refused(problem, text, line):
    assert f"line {line}: expected at most {MAX_NODES} values in the file" in problem(text)


def test_too_many_values_are_refused(problem, read):
    assert problem("[" + "1, " * MAX_NODES + "]").startswith(f"line 1: expected at most {MAX_NODES} values")
    assert MAX_NODES - 1 == len(read("[" + "1, " * (MAX_NODES - 1) + "]"))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_in_every_notation(problem, opening):
    found = problem("model_path: a\ndevice:\n " + opening * 10_000)

    assert f"line 3: expected at most {MAX_DEPTH} levels of lists and keys, found more" == found


def test_the_deepest_allowed_level_is_read(read):
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_an_alias_inside_its_own_anchor_is_refused(problem):
    assert "line 2: the alias 'b' is inside its own anchor" == problem("model_path: a\nvoices: &b [*b]")


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 5000, "1." + "9" * 5000, "-" + "1_" * 2500, "5:" * 2500 + "5"])
def test_numbers_of_thousands_of_digits_are_refused(problem, number):
    expected = f"line 2: expected a number of at most {MAX_NUMBER_CHARACTERS} characters, found {len(number)}"

    assert expected == problem(f"model_path: a\nthreads: {number}")


@pytest.mark.parametrize("literal, base", [("012", "octal"), ("-012", "octal"), ("1:30:00", "base 60"), ("1:30.5", "base 60")])
def test_numbers_that_yaml_reads_in_another_base_are_refused(problem, read, literal, base):
    expected = f"line 1: '{literal}' is a number in {base} in YAML; write it in base 10, or text in quotes"

    assert expected == problem(f"request_timeout_s: {literal}")
    assert {"version": literal} == read(f"version: '{literal}'")


@pytest.mark.parametrize(
    "literal, value",
    [("0", 0), ("-7", -7), ("1_000", 1000), ("0x10", 16), ("0b11", 3), ("0.5", 0.5), ("00.5", 0.5), ("1.0e+999", float("inf"))],
)
def test_other_numbers_are_read_as_they_look(read, literal, value):
    assert {"a": value} == read(f"a: {literal}")


@pytest.mark.parametrize("date", ["2026-11-30", "2026-13-45", "2026-11-30 10:00:00"])
def test_a_date_is_refused_with_the_remedy(problem, date):
    assert f"line 1: '{date}' is a date in YAML, which no key takes; put text in quotes" == problem(f"version: {date}")


@pytest.mark.parametrize(
    "value, kind",
    [("!!int x", "int"), ("!!float x", "float"), ("!!bool x", "bool"), ("0x_", "int"), ("0b_", "int"), ("!!int ''", "int")],
)
def test_values_of_another_type_are_refused(problem, value, kind):
    assert problem(f"a: 1\nb: {value}").startswith(f"line 2: expected a value of the kind '{kind}', found ")


@pytest.mark.parametrize(
    "text, key, lines",
    [
        ("model_path: a\ndevice: cpu\nmodel_path: b\n", "model_path", (3, 1)),
        ("speech:\n  parallel: true\n  parallel: true\n", "parallel", (3, 2)),
        ("- {a: 1,\n   'a': 2}", "a", (2, 1)),
        ("x: &x {a: 1}\ny: &y {a: 2}\nz:\n  <<: *x\n  <<: *y\n", "<<", (5, 4)),
        ("? {a: 1,\n a: 2}\n: b", "a", (2, 1)),
    ],
)
def test_a_duplicate_key_is_refused_with_both_lines(problem, text, key, lines):
    assert f"line {lines[0]}: duplicate key '{key}', first in line {lines[1]}; join the two" == problem(text)


def test_merged_keys_may_be_overridden_in_any_order(read):
    text = "p: {q: &q {<<: {x: 1, y: 1}, x: 2}}\nr: {<<: *q, y: 3}\ns: {<<: [*q, {z: 4}]}\n"

    assert {"p": {"q": {"x": 2, "y": 1}}, "r": {"x": 2, "y": 3}, "s": {"x": 2, "y": 1, "z": 4}} == read(text)


def test_aliases_are_read(read):
    assert {"a": ["x"], "b": ["x"]} == read("a: &a [x]\nb: *a")


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"a: 1\n---\nb: 2\n", "not YAML: line 2: but found another document"),
        (b"a: 1\nb: *c\n", "not YAML: line 2: found undefined alias 'c'"),
        (b"a: 1\nb: !!python/object/apply:os.mkdir [x]\n", "not YAML: line 2: could not determine a constructor for the tag"),
        (b"a: !<" + b"x" * 5000 + b"> b", "not YAML: line 1: could not determine a constructor for the tag"),
        (b"a: 1\n\tb: 2\n", "not YAML: line 2: "),
        (b"a: 1\n" + bytes(100_000), "not YAML: line 2: the character U+0000"),
        ("a: 1\nb: é".encode("latin-1"), "cannot be read: line 2: expected UTF-8, found byte 0xe9"),
        ("a: 1".encode("utf-16"), "cannot be read: line 1: expected UTF-8, found byte 0xff"),
        (b"#" * (MAX_BYTES + 1), f"expected at most {MAX_BYTES} bytes, found more; is this the right file?"),
    ],
    ids=["documents", "alias", "tag", "long tag", "tab", "nul", "latin-1", "utf-16", "bytes"],
)
def test_invalid_yaml_is_refused_in_one_short_line(problem, content, expected):
    assert problem(content).startswith(expected)


def test_a_byte_order_mark_is_not_part_of_the_first_key(read):
    assert {"a": 1} == read("\ufeffa: 1")


def test_a_path_that_is_not_a_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    found = {}
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero", tmp_path / "x\0y"):
        with pytest.raises(ConfigError) as caught:
            read_document(path)
        (found[str(path).rpartition("/")[2]],) = caught.value.problems

    expected = "cannot be read: expected a regular file, found a "
    assert [f"{expected}folder", f"{expected}pipe", f"{expected}device"] == list(found.values())[:3]
    assert "embedded null byte" in found["x\0y"]


def test_an_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text("model_path: a")
    path.chmod(0)
    program = "import sys; from loader.config.yaml import read_document; read_document(sys.argv[1])"
    setpriv = shutil.which("setpriv")
    if os.getuid() == 0 and setpriv is None:
        pytest.skip("root reads any file, and setpriv is not on this machine")
    # Without the capabilities that let root read any file.
    words = [setpriv, "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*words, sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert "cannot be read: [Errno 13] Permission denied" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", [["-m", "app.cli", "show-config"], ["-m", "gunicorn", "-c", "gunicorn.conf.py"]])
@pytest.mark.parametrize("text", [MULTIPLIED, "a: " + "[" * 10_000, "threads: " + "9" * 5000, "a: 1\na: 2"])
def test_a_bad_file_prints_one_line_and_exits_with_78(tmp_path, command, text):
    path = tmp_path / "tts_config.yaml"
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, "CHORUS_CONFIG": str(path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert (78, 2) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert f"chorus: {path}: 1 problem\n  line " in done.stderr
    assert "" == done.stdout
