"""A voice of every Coqui family in one server: all are served, and with one seed every worker returns the same."""

import re

import pytest

from tests.support.family_checkpoints import FAMILIES, RECORDED, SPEAKERS, family_artifacts
from tests.support.harness import Server

TEXT = "Hello from one of many workers."


@pytest.fixture(scope="module")
def server(write_config, tmp_path_factory):
    """Two workers that inherit an open voice of every family."""
    artifacts = family_artifacts(tmp_path_factory.mktemp("families"))
    voices = [{"name": name, "model_path": str(path), "preload": True} for name, path in artifacts.items()]
    running = Server(write_config(voices=voices), ("--workers", "2")).start().ready()
    yield running
    running.stop()


@pytest.mark.parametrize("family", FAMILIES)
def test_both_workers_return_the_same_samples_with_one_seed(server, family):
    answers = server.on_every_worker(lambda: server.speak(TEXT, voice=family, seed=5))

    assert {200} == {answer.status for answer in answers.values()}
    assert 2 == len(answers) and 1 == len({answer.body for answer in answers.values()})
    [body] = {answer.body for answer in answers.values()}
    assert body.startswith(b"RIFF") and len(body) > 6000 and any(body[44:])


def test_speakers_are_selected_by_name_and_recordings_only_if_they_are_registered(server):
    for family, names in {"glow_tts": SPEAKERS, "fast_pitch": SPEAKERS, "xtts": ("ana", RECORDED)}.items():
        said = {server.speak(TEXT, voice=family, seed=5, speaker=name).body for name in names}
        assert len(names) == len(said)

    refused = server.speak(TEXT, voice="xtts", speaker="/etc/passwd")
    assert 400 == refused.status
    assert f"ana, {RECORDED}" in refused.json()["error"]["message"]


def test_a_stream_has_the_samples_of_the_file(server):
    whole = server.speak(TEXT, voice="glow_tts", seed=5, response_format="pcm")
    stream = server.speak(TEXT, voice="glow_tts", seed=5, response_format="pcm", stream=True)

    assert whole.body == stream.body


def test_the_master_opened_every_voice_and_has_one_thread(server):
    assert len(FAMILIES) == len(re.findall(r"artifact \w+ opened", server.log()))
    assert 1 == server.master.num_threads()
