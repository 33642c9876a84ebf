"""loader.voices.prefetch: the same results in the same order with any number of threads."""

import random
import threading

import numpy as np
import pytest

from loader.voices.prefetch import Prefetcher, one_thread

TIMEOUT_S = 60
#: Larger than the address space: the system cannot start a thread with such a stack.
STACK_TOO_LARGE_BYTES = 2**47


def samples(*values):
    return np.array(values, dtype=np.float32)


def group_of(name, works):
    return name, works


def results(groups, threads, most=4):
    return Prefetcher(iter(groups), lambda group: iter(group[1]), threads, most).results()


def collected(groups, threads, most=4):
    return [(group and group[0], values.tolist()) for group, values in results(groups, threads, most)]


def counting(groups=5, works=4):
    return [group_of(f"g{g}", [lambda g=g, w=w: samples(g, w) for w in range(works)]) for g in range(groups)]


EXPECTED = [(f"g{g}" if w == 0 else None, [g, w]) for g in range(5) for w in range(4)]


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_results_come_in_order_with_their_group_at_its_first(threads):
    assert EXPECTED == collected(counting(), lambda: threads)


@pytest.mark.parametrize("seed", range(20))
def test_the_number_of_threads_can_change_at_any_time(seed):
    chance = random.Random(seed)

    assert EXPECTED == collected(counting(), lambda: chance.choice([1, 2, 3]))


def test_no_groups_give_no_results():
    assert [] == collected([], lambda: 2)
    assert [("b", [1])] == collected([group_of("a", []), group_of("b", [lambda: samples(1)])], lambda: 2)


def test_with_one_thread_no_thread_is_started():
    threads = {threading.get_ident()}
    works = [lambda: threads.add(threading.get_ident()) or samples(1)] * 5
    collected([group_of("g", works)], one_thread)

    assert {threading.get_ident()} == threads


def simultaneous(count):
    """Return pieces of work that end only when all of them run at the same time."""
    together = threading.Barrier(count, timeout=TIMEOUT_S)

    def work():
        together.wait()
        return samples(1)

    return [work] * count


def test_two_threads_work_at_the_same_time():
    assert 2 == len(collected([group_of("g", simultaneous(2))], lambda: 2))


def test_three_threads_work_at_the_same_time():
    assert 3 == len(collected([group_of("g", simultaneous(3))], lambda: 3))


def test_the_next_group_is_read_while_the_previous_one_is_in_work():
    read = threading.Event()

    def groups():
        yield group_of("a", [lambda: (read.wait(TIMEOUT_S), samples(1))[1]])
        read.set()
        yield group_of("b", [lambda: samples(2)])

    assert [("a", [1]), ("b", [2])] == collected(groups(), lambda: 2)
    assert read.is_set()


def test_groups_are_read_by_one_thread_at_a_time():
    """A generator that runs in two threads raises."""
    chance = random.Random(1)

    def groups():
        yield from counting(groups=50, works=2)

    assert 100 == len(collected(groups(), lambda: chance.choice([1, 2, 3])))


def test_an_error_of_work_is_raised_after_the_results_before_it():
    works = [lambda: samples(0), lambda: samples(1), lambda: 1 / 0, lambda: samples(3)]
    made = results([group_of("g", works)], lambda: 3)

    assert [[0], [1]] == [next(made)[1].tolist() for _ in range(2)]
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_error_of_reading_a_group_is_raised_after_the_results_before_it(threads):
    def groups():
        yield from counting(groups=1)
        raise ZeroDivisionError

    made = results(groups(), lambda: threads)

    assert [[0, 0], [0, 1], [0, 2], [0, 3]] == [next(made)[1].tolist() for _ in range(4)]
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_error_of_the_work_iterator_is_raised_after_its_results(threads):
    def works():
        yield from [lambda number=number: samples(number) for number in range(3)]
        raise ZeroDivisionError

    made = results([group_of("g", works())], lambda: threads)

    assert [[0], [1], [2]] == [next(made)[1].tolist() for _ in range(3)]
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_error_of_a_group_is_raised_after_all_earlier_results(threads):
    groups = [*counting(groups=1), group_of("unhappy", None)]
    made = results(groups, lambda: threads)

    assert [[0, 0], [0, 1], [0, 2], [0, 3]] == [next(made)[1].tolist() for _ in range(4)]
    with pytest.raises(TypeError):
        next(made)


@pytest.fixture
def no_more_threads():
    """Return a function that keeps the system from starting threads until the test ends."""
    usual = threading.stack_size()
    yield lambda: threading.stack_size(STACK_TOO_LARGE_BYTES)
    threading.stack_size(usual)


def test_no_thread_can_be_started_with_such_a_stack(no_more_threads):
    no_more_threads()

    with pytest.raises(RuntimeError, match="can't start new thread"):
        threading.Thread(target=int).start()


@pytest.mark.parametrize("threads", [2, 4])
def test_if_no_thread_can_be_started_the_calling_thread_does_all_the_work(no_more_threads, threads):
    no_more_threads()
    used = set()

    def groups():
        for name, works in counting():
            used.add(threading.get_ident())
            yield group_of(name, [lambda work=work: used.add(threading.get_ident()) or work() for work in works])

    assert EXPECTED == collected(groups(), lambda: threads)
    assert {threading.get_ident()} == used


def test_if_no_thread_can_be_started_nothing_is_done_ahead(no_more_threads):
    no_more_threads()
    read, done = [], []

    def groups():
        for number in range(10):
            read.append(number)
            yield group_of(f"g{number}", [lambda number=number: done.append(number) or samples(number)])

    for number, _result in enumerate(results(groups(), lambda: 4)):
        assert list(range(number + 1)) == read == done
    assert 10 == len(done)


@pytest.mark.parametrize("started", range(1, 8))
@pytest.mark.parametrize("most", [2, 4])
def test_if_no_further_thread_can_be_started_the_existing_ones_do_the_work(no_more_threads, started, most):
    asked = []

    def threads():
        asked.append(1)
        if len(asked) > started:
            no_more_threads()
        return 4

    assert EXPECTED == collected(counting(), threads, most)


def test_work_is_done_once_though_no_further_thread_can_be_started(no_more_threads):
    """Work that could not be submitted is in the queue of the pool as well."""
    done = []
    works = [lambda number=number: done.append(number) or samples(number) for number in range(200)]
    made = results([group_of("g", works)], lambda: 2)
    next(made)
    no_more_threads()
    rest = [values.tolist() for _, values in made]

    assert [[number] for number in range(1, 200)] == rest
    assert list(range(200)) == sorted(done)


def test_closing_cancels_pending_work_and_leaves_no_thread():
    before, begun = threading.active_count(), []
    works = [lambda number=number: begun.append(number) or samples(number) for number in range(1000)]
    made = results([group_of("g", works)], lambda: 2)
    next(made)
    made.close()

    assert len(begun) <= 4
    assert before == threading.active_count()


def test_at_most_one_piece_per_thread_and_one_more_are_begun():
    begun = []
    works = [lambda number=number: begun.append(number) or samples(number) for number in range(100)]
    made = results([group_of("g", works)], lambda: 2)
    for taken in range(1, 50):
        next(made)
        assert len(begun) <= taken + 3
    made.close()
