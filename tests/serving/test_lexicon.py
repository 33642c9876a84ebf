"""Lexicons in a server: files that SIGHUP reads again, shared by all workers, and the lexicon of a request."""

import signal
from itertools import islice, product

import pytest

from app.system.processes import memory_of
from tests.support.load import load_on

TEXT = "The SQL server."
CHOIR = ("choir", "joe", "robot")


@pytest.fixture
def lexicon(tmp_path):
    """Return a function that writes the lexicon file, and the keys that configure it."""
    path = tmp_path / "terms.tsv"

    def write(*lines):
        path.write_text("\n".join(lines), encoding="utf-8")
        return {"speech": {"lexicons": [{"path": str(path), "language": "en"}]}}

    return write


def captions(server, text, **fields):
    body = {"input": text, "timestamp_granularities": ["word", "phoneme"], "seed": 1, **fields}
    return server.ask("POST", "/v1/audio/captions", body)


def sounds(server, text, **fields):
    """Return the phonemes of a text."""
    (sentence,) = captions(server, text, **fields).json()["sentences"]
    return "".join(sound["text"] for sound in sentence["phonemes"])


def written(server, text, **fields):
    (sentence,) = captions(server, text, **fields).json()["sentences"]
    return [word["text"] for word in sentence["words"]]


def replace_workers(server):
    """Send SIGHUP, and wait until every worker is another one."""
    before = {worker.pid for worker in server.workers()}
    server.process.send_signal(signal.SIGHUP)
    server.eventually(lambda: len(server.workers()) == 2 and not before & {worker.pid for worker in server.workers()})


def count(server, name):
    return server.log().count(f"event={name}")


@pytest.mark.parametrize("preload", [True, False])
def test_sighup_reads_the_files_again_and_a_bad_file_leaves_the_old_entries(start, lexicon, preload):
    server = start(keys={**lexicon("SQL\tsequel"), "preload": preload, "rollout": {"canary_s": 0}}, expects_errors=True).ready()
    spelled, sequel, squirrel = (sounds(server, f"The {each} server.") for each in ("S Q L", "sequel", "squirrel"))
    assert sequel == sounds(server, TEXT) != spelled
    assert ["The", "SQL", "server"] == written(server, TEXT)

    with load_on(server, clients=2) as load:
        lexicon("SQL\tsquirrel", "nginx\tengine X")
        replace_workers(server)
        assert {squirrel} == {sounds(server, TEXT) for _ in range(8)}
        assert "event=lexicon.reloaded files=1 entries=2" in server.log()

        lexicon("SQL\tsequel", "one column", "x\t/half")
        pids = {worker.pid for worker in server.workers()}
        server.process.send_signal(signal.SIGHUP)
        server.eventually(lambda: count(server, "rollout.refused"))
        assert {squirrel} == {sounds(server, TEXT) for _ in range(8)}
        assert pids == {worker.pid for worker in server.workers()}
        assert 1 == count(server, "lexicon.reloaded")
        assert "line 2: 'one column' has 1 column" in server.log() and "line 3: " in server.log()

    assert {200} == {status for status, *_ in load.answers}
    assert 1 == server.master.num_threads()
    # A worker that the master forks by itself has them too.
    server.expected_deaths = 1
    server.workers()[0].kill()
    server.eventually(lambda: "ending=killed" in server.log() and len(server.workers()) == 2)
    assert {squirrel} == {sounds(server, TEXT) for _ in range(8)}


def test_a_configuration_without_lexicons_restarts_as_ever(start):
    server = start().ready()
    replace_workers(server)

    assert 0 == count(server, "lexicon")


def test_a_bad_file_ends_the_server_before_any_worker(start, lexicon):
    for preload in (True, False):
        server = start(keys={**lexicon("SQL sequel"), "preload": preload})

        assert 78 == server.process.wait(timeout=60)
        assert "terms.tsv: line 1: 'SQL sequel' has 1 column; write term<TAB>respelling or term<TAB>/ipa/" in server.log()
        assert "Booting worker" not in server.log() and "Traceback" not in server.log()


def test_workers_share_a_large_lexicon(start, lexicon):
    consonants, vowels = "bdfgklmnprstvz", "aeiou"
    terms = list(map("".join, islice(product(consonants, vowels, consonants, vowels, consonants), 60_000)))
    lines = [f"{term}\t{'respelled ' * 19}" for term in terms]
    server = start(keys={**lexicon(*lines[1:]), "rollout": {"canary_s": 0}}).ready()
    lexicon(*lines)
    replace_workers(server)
    server.on_every_worker(lambda: captions(server, f"Say {terms[0]} and {terms[-1]} twice."))

    assert f"event=lexicon.reloaded files=1 entries={len(terms)}" in server.log()
    for worker in server.workers():
        # An idle worker has 14 MB of its own; the table has 12.
        server.eventually(lambda pid=worker.pid: memory_of(pid).uss_bytes < 20 * 1024 * 1024, within_s=20)


def test_files_that_no_voice_can_use_are_named_in_the_log(start, lexicon, tmp_path):
    keys = lexicon("Nguyen\t/wɪn/", "click\t/ǃa/", "klick\t/ꞎaǃ/")
    (tmp_path / "german.tsv").write_text("SQL\tEsskuell")
    keys["speech"]["lexicons"].append({"path": str(tmp_path / "german.tsv"), "language": "de"})
    server = start(keys=keys).ready()

    assert 1 == count(server, "lexicon.unused") and "german.tsv language=de" in server.log()
    assert 1 == count(server, "lexicon.symbols_unknown")
    assert "terms=1" in server.log() and "klick" in server.log()


def test_the_lexicon_of_a_request_is_over_the_configured_ones_and_of_that_request_alone(start, lexicon):
    server = start(keys=lexicon("SQL\tsequel", "server\tservant")).ready()
    configured = sounds(server, TEXT)
    spelled = sounds(server, "The S Q L servant.")

    assert spelled == sounds(server, TEXT, lexicon={"SQL": "S Q L"}) != configured
    assert configured == sounds(server, TEXT)
    assert "wɪn" in sounds(server, "Ask Nguyen.", lexicon={"nguyen": "/wɪn/"})
    assert ["Ask", "Nguyen"] == written(server, "Ask Nguyen.", lexicon={"nguyen": "/wɪn/"})
    spoken = [server.speak(TEXT, seed=1, lexicon=each).body for each in ({"SQL": "sequel"}, {}, None, {"SQL": "S Q L"})]
    assert 1 == len(set(spoken[:3])) and spoken[3] != spoken[0]


@pytest.mark.parametrize(
    ("voice", "given", "code", "message"),
    [
        ("joe", ["SQL"], "invalid_value", "lexicon: expected an object of terms and how they are spoken, each a string"),
        ("joe", {"SQL": 7}, "invalid_value", "lexicon: expected an object of terms"),
        ("joe", {"SQL": ""}, "invalid_lexicon", "lexicon: 'SQL': no respelling"),
        ("joe", {"a": "/x", "b": ""}, "invalid_lexicon", "'a': '/x' has one slash"),
        ("joe", {f"t{n}": "x" for n in range(201)}, "invalid_lexicon", "201 entries; at most 200"),
        ("joe", {"x\ud800": "x"}, "invalid_lexicon", "U+D800"),
        ("joe", {"SQL": "/ꞎa/"}, "unknown_phonemes", "the phonemes of 'SQL' have symbols that voice 'joe' does not have: ꞎ"),
        ("robot", {"SQL": "/a/"}, "unknown_phonemes", "it reads letters; respell the word instead"),
    ],
)
def test_a_lexicon_with_a_mistake_is_refused(choir, voice, given, code, message):
    for path in ("speech", "captions"):
        answer = choir.ask("POST", f"/v1/audio/{path}", {"input": TEXT, "voice": voice, "lexicon": given})
        error = answer.json()["error"]

        assert (400, "lexicon", code) == (answer.status, error["param"], error["code"])
        assert message in error["message"]
        assert len(error["message"]) < 2_100


def test_the_number_of_entries_of_a_request_is_configured(start):
    server = start(keys={"limits": {"lexicon_entries": 1}}).ready()
    one, two = {"SQL": "sequel"}, {"SQL": "sequel", "server": "servant"}

    assert [200, 400] == [captions(server, TEXT, lexicon=each).status for each in (one, two)]
