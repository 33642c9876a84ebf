"""Releases of a source: a candidate is tried by the server, which accepts or rejects it; the wanted version comes by itself."""

import os
import shutil
from pathlib import Path

import pytest

from loader.config.settings import load_settings
from loader.releases.fetch_process import fetch_in_child
from loader.releases.installed import InstalledReleases
from tests.app.cli.running import chorus
from tests.serving.test_rollout import AT_ONCE, TEXT, configure, ended, reload_to
from tests.support.load import load_on


@pytest.fixture
def publish(release_of, artifact_of, tmp_path):
    """Return a function that makes a release the one that the source has; its artifact is in the server's cache already."""
    source, artifacts = tmp_path / "source", tmp_path / "cache" / "artifacts"

    def publish(name):
        artifact = artifact_of(name)
        if not (artifacts / artifact.name).exists():
            shutil.copytree(artifact, artifacts / artifact.name, copy_function=os.link)
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(release_of(name), source)

    return publish


@pytest.fixture
def keys(tmp_path):
    return {**AT_ONCE, "model_path": f"file://{tmp_path}/source", "cache_dir": str(tmp_path / "cache")}


def offer(server):
    """Fetch what the source has and make it the candidate, as `chorus release` does; return its id."""
    settings = load_settings(server.config)
    release = fetch_in_child(settings.voices[0], settings)
    installed_by(server).offer(release)
    return release


def installed_by(server):
    settings = load_settings(server.config)
    return InstalledReleases(settings.voices[0].model_path, Path(settings.cache_dir))


def test_a_candidate_that_speaks_well_becomes_current(start, keys, publish):
    publish("tiny")
    server = start(keys=keys).ready()
    before = server.speak(TEXT, seed=1)
    publish("louder")
    release = offer(server)
    reload_to(server, "completed")
    after = server.speak(TEXT, seed=1)

    record = installed_by(server).record
    assert (release, None) == (record.current, record.candidate)
    assert (before.headers["X-Release"], after.headers["X-Release"]) == (record.previous[:12], record.current[:12])
    assert ("random-tiny", "random-louder") == tuple(each.headers["X-Release-Version"] for each in (before, after))


def test_a_candidate_that_is_silent_is_rejected_with_the_reason(start, keys, publish):
    publish("tiny")
    server = start(keys=keys, expects_errors=True).ready()
    before = server.speak(TEXT, seed=1)
    publish("silent")
    release = offer(server)
    assert "it is silent" in reload_to(server, "refused")

    record = installed_by(server).record
    assert None is record.candidate and record.current[:12] == before.headers["X-Release"]
    assert "it is silent" in record.rejected[release].reason
    assert before.body == server.speak(TEXT, seed=1).body


def test_five_rollbacks_by_the_command_need_no_source_and_lose_no_answer(start, keys, publish, tmp_path):
    publish("tiny")
    server = start(keys=keys).ready()
    tiny = installed_by(server).record.current
    publish("louder")
    assert 0 == chorus("release", "fetch", "--config", server.config).returncode
    (louder,) = {each.id for each in installed_by(server).list()} - {tiny}
    (tmp_path / "source").rename(tmp_path / "gone")

    with load_on(server, clients=2) as load:
        for _ in range(5):
            for words, release in ((("activate", "--id", louder), louder), (("rollback",), tiny)):
                done = chorus("release", *words, "--config", server.config)
                assert (0, release) == (done.returncode, installed_by(server).record.current), done.stderr
                assert f"(by the server {server.process.pid})" in done.stdout

    assert {200} == {status for status, *_ in load.answers}
    spoken = {(seed, release, body) for _, seed, body, release in load.answers}
    assert {tiny[:12], louder[:12]} == {release for _, release, _ in spoken}
    assert len(spoken) == len({(seed, release) for seed, release, _ in spoken}), "an answer of two releases"


def test_a_mistake_in_the_configuration_rejects_no_candidate(start, keys, publish):
    publish("tiny")
    server = start(keys=keys, expects_errors=True).ready()
    publish("louder")
    release = offer(server)
    configure(server, threads="many")
    reload_to(server, "refused")
    configure(server, threads=None)
    assert release == installed_by(server).record.candidate

    reload_to(server, "completed")
    assert release == installed_by(server).record.current


def test_the_wanted_version_is_fetched_and_tried_by_itself_while_the_installed_one_serves(start, keys, publish):
    publish("tiny")
    start(keys=keys).ready().stop()
    publish("louder")
    server = start(keys={**keys, "version": "random-louder"}).ready()
    assert 200 == server.speak(TEXT).status
    server.eventually(lambda: server.speak(TEXT).headers["X-Release-Version"] == "random-louder")

    server.eventually(lambda: installed_by(server).current.version == "random-louder")


def test_without_its_source_the_installed_release_serves_on(start, keys, publish, tmp_path):
    publish("tiny")
    start(keys=keys).ready().stop()
    (tmp_path / "source").rename(tmp_path / "gone")
    server = start(keys={**keys, "version": "random-louder"}).ready()
    before = {worker.pid for worker in server.workers()}
    server.eventually(lambda: ended(server)["unchanged"] == 1)

    assert "random-tiny" == server.speak(TEXT).headers["X-Release-Version"]
    assert "event=release.not_fetched" in server.log()
    assert before == {worker.pid for worker in server.workers()}
