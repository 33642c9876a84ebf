"""app.rollout.preparation: a revision is prepared or refused, in this process and as the program that a master runs."""

import os
import signal
from dataclasses import replace

import psutil
import pytest
import yaml

from app.errors import RolloutError
from app.rollout.messages import Order, Served, fixed_values
from app.rollout.preparation import prepare, require_fixed
from app.rollout.process import PreparationProcess
from app.rollout.revision import read_revision
from loader.config.settings import load_settings
from loader.errors import ConfigError, UnknownSpeakerError
from tests.conftest import CACHE
from tests.support.waiting import until

MANY_BYTES = 2**60


@pytest.fixture
def write(tmp_path):
    """Return a function that writes the configuration with the given keys, and returns its settings."""
    path = tmp_path / "tts_config.yaml"

    def write(**keys):
        path.write_text(yaml.safe_dump({"model_path": "embedded/joe", "cache_dir": str(CACHE), **keys}))
        return load_settings(path)

    return write


def order_of(settings, **more):
    revision = read_revision(settings)
    voices = zip(settings.voices, map(str, revision.artifacts), revision.keys, strict=True)
    served = tuple(Served(voice.name, path, key) for voice, path, key in voices)
    return Order(str(settings.path), revision.id, "logfmt", fixed_values(settings), served, 2, 0, **more)


def test_the_same_configuration_is_the_same_revision(write):
    settings = write()
    assert order_of(settings).revision == prepare(order_of(settings), write(threads=4)).revision


@pytest.mark.parametrize(
    "keys",
    [
        {"threads": 5},
        {"speech": {"length_scale": 1.1}},
        {"voices": [{"name": "x", "model_path": "embedded/joe"}], "model_path": None},
    ],
    ids=["threads", "speech", "name"],
)
def test_every_change_is_another_revision(write, keys):
    order = order_of(write())
    assert order.revision != prepare(order, write(**keys)).revision


def test_a_voice_that_stays_is_not_spoken_with_and_a_new_one_is(write, artifact_of):
    order = order_of(write())
    tiny = {"name": "tiny", "model_path": str(artifact_of("tiny"))}
    outcome = prepare(order, write(voices=[{"name": "joe", "model_path": "embedded/joe"}, tiny], model_path=None))

    assert {"tiny"} == set(outcome.probes)
    assert outcome.probes["tiny"]["audio_s"] > 0.5 and "slowdown" not in outcome.probes["tiny"]


def test_a_voice_that_is_replaced_is_compared(write, artifact_of):
    order = order_of(write(model_path=None, voices=[{"name": "v", "model_path": str(artifact_of("tiny"))}]))
    outcome = prepare(order, write(model_path=None, voices=[{"name": "v", "model_path": str(artifact_of("louder"))}]))

    assert 0.5 < outcome.probes["v"]["slowdown"] < 1.3


def test_a_default_that_does_not_exist_is_refused_though_the_voice_stays(write):
    order = order_of(write())
    with pytest.raises(UnknownSpeakerError):
        prepare(order, write(model_path=None, voices=[{"name": "joe", "model_path": "embedded/joe", "speaker": "nobody"}]))


def test_memory_for_both_is_required(write):
    settings = write()
    order = replace(order_of(settings), worker_bytes=MANY_BYTES)
    with pytest.raises(RolloutError, match="memory: .* are needed to serve both revisions"):
        prepare(order, write(threads=5))


def test_a_lexicon_that_changes_is_another_revision_and_a_bad_one_is_refused(write, tmp_path):
    (tmp_path / "terms.tsv").write_text("SQL\tsequel")
    keys = {"speech": {"lexicons": [{"path": "terms.tsv", "language": "en"}]}}
    order = order_of(write(**keys))
    (tmp_path / "terms.tsv").write_text("SQL\tsquirrel")
    assert order.revision != prepare(order, write(**keys)).revision

    (tmp_path / "terms.tsv").write_text("one column")
    with pytest.raises(ConfigError, match="terms.tsv: line 1"):
        prepare(order, write(**keys))


def test_keys_that_cannot_change_are_named_together(write):
    settings = write()
    require_fixed(fixed_values(settings), write(threads=5))
    changed = write(bind="127.0.0.1:1", preload=False)
    expected = "^bind is .* and would be '127.0.0.1:1'; preload is True and would be False: a running server"
    with pytest.raises(RolloutError, match=expected):
        require_fixed(fixed_values(settings), changed)


def test_the_program_answers_with_the_outcome(write):
    settings = write()
    process = PreparationProcess(order_of(settings))
    outcomes = []
    until(lambda: (outcome := process.poll()) and not outcomes.append(outcome))
    process.kill()

    assert (order_of(settings).revision, None) == (outcomes[0].revision, outcomes[0].refusal)


def test_the_program_answers_a_mistake_with_every_problem(write):
    order = order_of(write())
    order_path = order.config
    with open(order_path, "a", encoding="utf-8") as file:
        file.write("nonsense: 1\nthreads: many\n")
    process = PreparationProcess(order)
    outcomes = []
    until(lambda: (outcome := process.poll()) and not outcomes.append(outcome))
    process.kill()

    assert "nonsense" in outcomes[0].refusal and "threads" in outcomes[0].refusal and "\n" not in outcomes[0].refusal


def test_a_program_that_is_killed_has_refused(write):
    process = PreparationProcess(order_of(write()))
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    outcomes = []
    until(lambda: (outcome := process.poll()) and not outcomes.append(outcome))
    process.kill()

    assert "the preparation ended without an outcome" in outcomes[0].refusal


def test_nothing_is_left_open_of_a_program_that_is_stopped(write):
    before = psutil.Process().num_fds()
    process = PreparationProcess(order_of(write()))
    process.stop()
    os.waitpid(process.pid, 0)

    assert before == psutil.Process().num_fds()
