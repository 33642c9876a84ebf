"""A synthesis that hangs: the stacks of its worker are logged, and the worker alone is ended and replaced."""

import http.client
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from ops.benchmarks.faults import HANGS

APPLICATION = "ops.benchmarks.faults:hanging_voice()"


@pytest.fixture
def hanging(start, tmp_path: Path):
    """Two workers, one of which hangs once a file is written; and the path of that file."""
    trigger = tmp_path / "hang"
    server = start(
        APPLICATION, keys={"admission": {"stall_s": 1.0}}, environment={"CHORUS_HANG_NOW": str(trigger)},
        expects_errors=True, expected_deaths=1,
    )  # fmt: skip
    return server.ready(), trigger


@pytest.mark.parametrize("how", HANGS)
def test_a_hung_worker_is_dumped_and_replaced_and_the_others_continue(hanging, how):
    server, trigger = hanging
    before = {worker.pid for worker in server.workers()}
    reference = server.speak("Hello there.", seed=3).body
    trigger.write_text(how)
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(server.speak, "This will never be heard.")
        server.eventually(lambda: not trigger.exists())
        assert reference == server.speak("Hello there.", seed=3).body  # from the other worker
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            hung.result()
    server.eventually(lambda: len({worker.pid for worker in server.workers()} - before) == 1)

    assert 1 == len({worker.pid for worker in server.workers()} & before)
    assert reference == server.speak("Hello there.", seed=3).body
    log = server.log()
    assert "Fatal Python error: Aborted" in log and f"in {how}" in log
    assert (1, 1) == (log.count("event=worker.stalled"), log.count("ending=stalled"))
    totals = server.ask("GET", "/status").json()["totals"]
    assert (1, 3) == (totals["endings"]["stalled"], totals["forks"])


def speak(server, text, seed):
    return server.speak(text, seed=seed)


def test_a_worker_that_makes_progress_does_not_count_as_stalled(start):
    """The speech takes longer than the limit, but none of its pieces does."""
    server = start(keys={"admission": {"stall_s": 4.0}}).ready()
    before = {worker.pid for worker in server.workers()}
    text = "A sentence that is long enough to be decoded in several windows, one after the other. "
    # On any machine one of these takes longer than the limit.
    for repeats in (8, 25, 75, 200):
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(partial(speak, server, repeats * text), range(4)))
        assert {200} == {answer.status for answer in answers}
        if any(float(took) > 4.0 for took in re.findall(r"event=speech.done .*took_s=([\d.]+)", server.log())):
            break
    else:
        pytest.skip("this machine speaks 17,000 characters in less than the limit of 4 s")

    assert before == {worker.pid for worker in server.workers()}
