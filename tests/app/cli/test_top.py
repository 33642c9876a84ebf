"""chorus top: the view of a scoreboard, the choice of the server, and control characters in texts."""

import os
import subprocess
import sys
import time

import pytest
from rich.console import Console

from app.cli.top import EndedError, NoServerError, WatchedServer, only
from app.cli.top_view import view
from app.scoreboard.board import Scoreboard
from app.scoreboard.discovery import server_of, servers
from app.scoreboard.layout import State
from app.scoreboard.rates import History
from app.scoreboard.snapshot import snapshot
from tests.conftest import ROOT

#: A process with a board, and a forked child with the same board, until standard input ends.
SERVER = """
import os, sys
from app.scoreboard.board import Scoreboard
board = Scoreboard(2)
slot = board.take_slot()
if os.fork() == 0:
    slot.set_pid(os.getpid())
    print(os.getpid(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def board():
    made = Scoreboard(4)
    made.describe(places=2, queue=64)
    return made


@pytest.fixture
def worker(board):
    """The slot of a ready worker."""
    slot = board.take_slot()
    slot.set_pid(4242)
    slot.set_state(State.READY)
    return slot


@pytest.fixture
def serving():
    """The process of a server, and the pid of its worker."""
    with subprocess.Popen([sys.executable, "-c", SERVER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process, int(process.stdout.readline())
        process.stdin.close()


def history_of(*snapshots):
    history = History()
    for each in snapshots:
        history.add(each)
    return history


def rendered(history, width=80, **options):
    console = Console(width=width, record=True, file=open(os.devnull, "w"))
    with console.file:
        console.print(view(history, **options))
    return console.export_text()


def test_every_worker_has_a_line_with_its_load(board, worker):
    worker.set_gauges(connections=7, active=3, waiting=1, speaking=2, parked=4, service_s=0.25, uss_bytes=120e6, live_bytes=80e6)
    worker.set_gauges(descriptors=31, threads=5)
    line = next(line for line in rendered(history_of(snapshot(board))).splitlines() if "4242" in line)

    assert ["0", "4242", "ready", "1", "7", "3/1/2/4", "-", "0.25", "-", "120/80", "31", "5"] == line.split()


def test_nothing_is_truncated_on_80_columns(board, worker):
    worker.set_pid(4_194_304)
    worker.set_state(State.DRAINING)
    worker.set_gauges(connections=100, active=10, waiting=6, speaking=4, descriptors=512, threads=99)
    worker.set_gauges(uss_bytes=987e6, live_bytes=765e6)
    worker.set_gauges(service_s=12.34)
    worker.set_gauges(request_since_s=time.monotonic() - 100.5, stalls_s=time.monotonic() + 19.5)

    assert "…" not in rendered(history_of(snapshot(board)), 80)


def test_rates_are_between_two_updates(board, worker):
    before = snapshot(board)
    worker.count_audio(50.0)
    for _ in range(20):
        worker.count_answer("speech", 200)
    worker.count_answer("status", 200)
    board.header["began_at_s"] -= 10  # ten seconds later
    text = rendered(history_of(before, snapshot(board)))

    assert "requests 2.0/s" in text
    assert "audio 5.0 s/s" in text


def test_quantiles_are_of_the_last_minute_or_of_all_time_with_their_bounds(board, worker):
    for _ in range(100):
        worker.observe({"request_s": 100.0, "first_audio_s": 500.0})
    before = snapshot(board)
    worker.observe({"request_s": 0.2})
    board.header["began_at_s"] -= 10
    text = rendered(history_of(before, snapshot(board)))

    assert "request     p50 <= 0.25 s   p95 <= 0.25 s   of 1, last minute" in text
    assert "first audio p50 > 120 s   p95 > 120 s   of 100, since start" in text


def test_snapshots_of_another_server_make_no_rates(board, worker):
    worker.count_audio(50.0)
    history = history_of(snapshot(board), snapshot(Scoreboard(1)))

    assert history.rates() is None or history.rates().audio_s_per_s == 0


def test_the_queue_refusals_and_ended_processes_are_shown(board, worker):
    worker.set_gauges(waiting=5)
    worker.count_refusal("queue_full")
    board.release_slot(board.take_slot(), "stalled")
    worker.row["reader_ends"] += 2
    text = rendered(history_of(snapshot(board)))

    assert "queue 5 of 64" in text
    assert "audio - s/s   readers ended 2" in text
    assert "refused 1 queue full   workers ended 1 stalled" in text


def test_control_characters_of_an_error_are_replaced(board, worker):
    worker.set_error("ValueError: [bold]\x1b[2J\x07 is no text")

    assert "slot 0: ValueError: [bold]?[2J? is no text" in rendered(history_of(snapshot(board)))


def test_workers_that_do_not_fit_are_counted():
    board = Scoreboard(40)
    for pid in range(1000, 1040):
        board.take_slot().set_pid(pid)
    lines = rendered(history_of(snapshot(board)), lines=24, note="q ends this").rstrip().splitlines()

    assert 24 >= len(lines)
    assert "and 27 more workers" in lines[-2]
    assert "q ends this" == lines[-1].rstrip()


def test_a_server_is_found_by_its_master_and_by_its_worker(serving):
    process, worker = serving

    found = [each.pid for each in servers(os.getuid())]
    assert process.pid in found
    assert worker not in found
    assert process.pid == server_of(worker).pid == server_of(process.pid).pid


def test_a_process_that_only_reads_a_board_is_not_a_server(serving):
    process, _ = serving
    looking = server_of(process.pid)

    assert os.getpid() not in [each.pid for each in servers(os.getuid()) if each.board.header == looking.board.header]
    assert process.pid == server_of(process.pid).pid


def test_another_users_servers_are_not_listed(serving):
    assert [] == [each for each in servers(os.getuid() + 12345) if each.pid == serving[0].pid]


def test_the_end_of_a_watched_server_is_reported(serving):
    process, _ = serving
    watched = WatchedServer(server_of(process.pid))
    assert process.pid == watched.snapshot().master
    process.stdin.close()
    process.wait()

    with pytest.raises(EndedError, match=f"the server of master {process.pid} has ended"):
        watched.snapshot()


def test_the_error_says_what_to_do_if_there_is_no_server_or_several(serving):
    found = server_of(serving[0].pid)

    assert found is only([found])
    with pytest.raises(NoServerError, match=r"start one \(chorus serve\)"):
        only([])
    with pytest.raises(NoServerError, match=rf"select one with --pid\n  --pid {found.pid}  up \d+ s, 1 workers\n"):
        only([found, found])


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--pid", "4194305"], 69, "there is no process 4194305"),
        (["--pid", str(os.getppid())], 69, "is not a Chorus server of this version"),
        (["--url", "http://127.0.0.1:9"], 64, "--url"),
        (["--interval", "0"], 64, "0.1<=x<=60"),
    ],
)
def test_an_error_is_one_line_with_a_status(invoke, words, status, says):
    done = invoke("top", *words)

    assert status == done.exit_code
    assert says in done.stderr
    assert done.stderr.startswith("chorus: ") and 1 == done.stderr.count("\n")
