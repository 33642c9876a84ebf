"""app.tuning.candidate: what is compared, in which order, and the memory of a server."""

import subprocess
import sys

import pytest

from app.tuning.candidate import Candidate, baseline_first, candidates_of, default_workers, parse_counts, server_memory
from app.tuning.units import BadQuantityError


@pytest.mark.parametrize(
    ("cores", "workers"), [(0.5, (1,)), (2, (1, 2, 3)), (8, (1, 2, 4, 6, 8, 12)), (1000, (1, 250, 500, 512))]
)
def test_workers_are_shares_of_the_cores_that_the_configuration_accepts(cores, workers):
    assert workers == default_workers(cores)


def test_the_baseline_is_a_worker_a_core_with_four_threads():
    ordered = baseline_first(candidates_of((1, 2, 3), (2, 4, 8)), 2.0)

    assert Candidate(2, 4) == ordered[0]
    assert {Candidate(2, 2), Candidate(2, 8)} == set(ordered[1:3])


def test_counts_are_within_the_bounds_of_their_key():
    assert (1, 2, 4) == parse_counts("4, 1,2,2", "workers")
    with pytest.raises(BadQuantityError, match="'1' is none of the numbers 2 to 64; several by commas: 2,4"):
        parse_counts("1,2", "threads")


def test_the_children_of_a_worker_count_as_its_own():
    family = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1], *sys.argv[2:]])"
    words = [sys.executable, "-c", family, family, "print(1, flush=True); input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as master:
        master.stdout.readline()
        memory = server_memory(master.pid)
        master.stdin.close()

    assert 1 == len(memory.worker_uss_bytes)
    assert 0 < memory.worker_uss_bytes[0] < memory.pss_bytes
    assert 0 < memory.shared_bytes
