"""SIGHUP: a changed configuration or release is served by all workers without losing a request, or by none."""

import signal

import pytest
import yaml

from tests.support.load import load_on

TEXT = "Hello there."
#: No time for the canary: without requests there is nothing to compare.
AT_ONCE = {"rollout": {"canary_s": 0}}


def configure(server, **keys):
    """Change keys of the server's configuration; None removes one."""
    document = {**yaml.safe_load(server.config.read_text()), **keys}
    server.config.write_text(yaml.safe_dump({key: value for key, value in document.items() if value is not None}))


def rollout(server):
    return server.ask("GET", "/status").json()["rollout"]


def ended(server):
    """Return how many rollouts have ended in each way."""
    return rollout(server)["totals"]


def reload_to(server, outcome, within_s=120, meanwhile=lambda: None):
    """Send SIGHUP, and wait until the rollout has ended in that way; return its reason."""
    before = ended(server)[outcome]
    server.process.send_signal(signal.SIGHUP)
    meanwhile()
    server.eventually(lambda: ended(server)[outcome] == before + 1, within_s)
    return rollout(server)["reason"]


def point(link, target):
    """Let the link `link` name `target`, at once."""
    aside = link.with_name("aside")
    aside.symlink_to(target)
    aside.rename(link)


def revisions(server):
    return {worker["revision"] for worker in server.ask("GET", "/status").json()["workers"]}


@pytest.mark.parametrize("preload", [True, False])
def test_a_changed_configuration_is_served_by_every_worker(start, preload):
    server = start(keys={**AT_ONCE, "preload": preload}).ready()
    before = server.speak(TEXT, seed=1)
    configure(server, speech={"length_scale": 1.5})
    with load_on(server) as load:
        reload_to(server, "completed")
    after = server.on_every_worker(lambda: server.speak(TEXT, seed=1))

    assert {200} == {status for status, *_ in load.answers}
    assert 1 == len({answer.body for answer in after.values()})
    assert {before.body} != {answer.body for answer in after.values()}
    (revision,) = {answer.headers["X-Revision"] for answer in after.values()}
    assert revision != before.headers["X-Revision"] and {revision} == revisions(server)
    assert before.headers["X-Release"] == next(iter(after.values())).headers["X-Release"]


def test_an_unchanged_configuration_restarts_the_workers(start):
    server = start(keys=AT_ONCE).ready()
    before, revision = {worker.pid for worker in server.workers()}, revisions(server)
    reload_to(server, "unchanged")
    server.eventually(lambda: len(server.workers()) == 2 and not before & {worker.pid for worker in server.workers()})

    assert revision == revisions(server)


@pytest.mark.parametrize(
    "keys, reason",
    [
        ({"nonsense": 1}, "nonsense"),
        ({"threads": "many"}, "threads"),
        ({"bind": "127.0.0.1:1"}, "bind is '127.0.0.1:8080' and would be '127.0.0.1:1': a running server cannot change that"),
        ({"preload": False}, "preload is True and would be False"),
        ({"model_path": "/nowhere"}, "/nowhere: no such model directory"),
        ({"speech": {"lexicons": [{"path": "/nowhere.tsv", "language": "en"}]}}, "/nowhere.tsv"),
    ],
    ids=["unknown_key", "bad_value", "bind", "preload", "no_such_voice", "no_such_lexicon"],
)
def test_a_bad_configuration_leaves_everything_as_it_is(start, keys, reason):
    server = start(keys=AT_ONCE, expects_errors=True).ready()
    before, pids = server.speak(TEXT, seed=1), {worker.pid for worker in server.workers()}
    configure(server, **keys)

    assert reason in reload_to(server, "refused")
    assert reason in server.log() and "event=rollout.refused" in server.log()
    assert 'tts_rollouts_total{outcome="refused"} 1.0' in server.ask("GET", "/metrics").body.decode()
    assert pids == {worker.pid for worker in server.workers()}
    assert before.body == server.speak(TEXT, seed=1).body


def test_a_release_takes_the_place_of_another_one(start, release_of, artifact_of, tmp_path):
    artifact_of("louder")  # baked before, since a bake beside a busy server takes long
    link = tmp_path / "voice"
    link.symlink_to(release_of("tiny"))
    server = start(keys={**AT_ONCE, "model_path": str(link)}).ready()
    before = server.speak(TEXT, seed=1)
    point(link, release_of("louder"))
    with load_on(server) as load:
        reload_to(server, "completed")
    after = server.speak(TEXT, seed=1)

    assert {200} == {status for status, *_ in load.answers}
    assert 2 * 4 == len({(seed, body) for _, seed, body, _ in load.answers})
    assert ("random-tiny", "random-louder") == tuple(each.headers["X-Release-Version"] for each in (before, after))
    assert before.headers["X-Release"] != after.headers["X-Release"]
    assert before.body != after.body
    (model,) = [each for each in server.ask("GET", "/v1/models").json()["data"] if each["id"] == "voice"]
    assert (after.headers["X-Release"], "random-louder") == (model["release"], model["version"])
    voice = server.ask("GET", "/status").json()["voices"][0]
    assert (after.headers["X-Release"], "random-louder") == (voice["release"], voice["version"])


@pytest.mark.parametrize(
    "name, reason",
    [
        ("nan", "the bake child ended with status 65"),
        ("silent", "it is silent"),
        ("wide", "times as long as before; at most 1.3 times"),
    ],
)
def test_a_release_that_does_not_speak_well_is_refused(start, release_of, artifact_of, tmp_path, name, reason):
    if name != "nan":  # which cannot be baked
        artifact_of(name)
    link = tmp_path / "voice"
    link.symlink_to(release_of("tiny"))
    server = start(keys={**AT_ONCE, "model_path": str(link)}, expects_errors=True).ready()
    before = server.speak(TEXT, seed=1)
    point(link, release_of(name))

    assert reason in reload_to(server, "refused")
    assert before.body == server.speak(TEXT, seed=1).body
