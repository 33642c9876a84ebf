"""Twenty swaps and five abandoned rollouts behind nginx and under load: no answer fails, none is mixed, nothing grows."""

import itertools
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from tests.serving.test_rollout import AT_ONCE, configure, ended, point, reload_to
from tests.serving.test_rollout_faults import canary_of
from tests.support.load import Load
from tests.support.nginx import Edge, Origin, needs_nginx

pytestmark = needs_nginx

TEXT = "Hello there, whoever you are."
SEEDS = range(3)
SWAPS, ABANDONED = 20, 5
_MIB = 1024 * 1024
#: How much the master may grow over the last ten swaps: from one to the next it varies by 8 MB, around 65 to 77 MB; after
#: twenty swaps and four abandoned ones it had 73 MB (2026-11-30).
_GROWTH_BYTES = 16 * _MIB
#: Between the requests of a client, so that the preparation has a core.
_PAUSE_S = 0.1


def speaking(edge):
    """Return what speaks through nginx, each time from another address, which nginx would limit."""
    numbers = itertools.count()

    def speak(seed):
        number = next(numbers)
        return edge.speak(TEXT, f"10.{number // 62_500}.{number // 250 % 250}.{number % 250}", seed=seed)

    return speak


@pytest.mark.timeout(3600)
def test_no_answer_fails_or_is_mixed_and_nothing_grows(write_config, release_of, artifact_of, tmp_path):
    releases = [release_of("tiny"), release_of("louder")]
    for name in ("tiny", "louder"):
        artifact_of(name)  # baked before
    link = tmp_path / "voice"
    link.symlink_to(releases[0])
    with TemporaryDirectory(prefix="chorus-") as folder:
        edge = Edge(Path(folder)).start()
        config = write_config(**AT_ONCE, model_path=str(link))
        origin = Origin(config, path=edge.place.upstream, expects_errors=True, expected_deaths=ABANDONED).start().ready()
        with Load(speaking(edge), SEEDS, _PAUSE_S) as load:
            for number in range(1, SWAPS + 1):
                point(link, releases[number % 2])
                reload_to(origin, "completed", within_s=300)
                if number == SWAPS // 2:
                    before = footprint(origin)
                if number % (SWAPS // ABANDONED) == 0:
                    abandon(origin, link, releases, number)
            after = footprint(origin)
        origin.stop()
        edge.stop()

    assert {200} == {status for status, *_ in load.answers}
    spoken = {(seed, release, body) for _, seed, body, release in load.answers}
    assert 2 * len(SEEDS) == len(spoken) == len({(seed, release) for seed, release, _ in spoken})
    assert before[:2] == after[:2]
    assert after[2] - before[2] < _GROWTH_BYTES


def abandon(server, link, releases, number):
    """Try the other release, and kill its canary; then go back to the one that is served."""
    configure(server, rollout={"canary_s": 600})
    point(link, releases[(number + 1) % 2])
    began = server.log().count("event=rollout.canary_started")
    reload_to(server, "abandoned", within_s=300, meanwhile=lambda: kill_canary(server, began))
    configure(server, **AT_ONCE)
    point(link, releases[number % 2])


def kill_canary(server, began):
    server.eventually(lambda: server.log().count("event=rollout.canary_started") > began, within_s=300)
    psutil.Process(canary_of(server)).kill()


def footprint(server):
    """Return the master's descriptors, mapped files and memory."""
    server.eventually(lambda: len(server.workers()) == 2 and ended(server))
    maps = {each.path for each in server.master.memory_maps() if each.path.startswith("/")}
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    # Not its PSS, which depends on how many pages the workers of the moment share with it.
    return server.master.num_fds(), len(maps), 1024 * int(re.search(r"RssAnon:\s+(\d+) kB", status)[1])
