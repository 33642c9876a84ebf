"""loader.voices.prefetch: the same results in the same order with any number of threads."""

import random
import threading

import numpy as np
import pytest

from loader.voices.prefetch import Prefetcher, one_thread

PATIENCE_S = 60
#: More than the machine has addresses for: a thread with such a stack is one that the system does not start.
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
def test_the_number_of_threads_may_change_at_any_time(seed):
    chance = random.Random(seed)

    assert EXPECTED == collected(counting(), lambda: chance.choice([1, 2, 3]))


def test_nothing_gives_nothing():
    assert [] == collected([], lambda: 2)
    assert [("b", [1])] == collected([group_of("a", []), group_of("b", [lambda: samples(1)])], lambda: 2)


def test_one_thread_starts_no_thread():
    threads = {threading.get_ident()}
    works = [lambda: threads.add(threading.get_ident()) or samples(1)] * 5
    collected([group_of("g", works)], one_thread)

    assert {threading.get_ident()} == threads


def meeting(count):
    """Return work that only ends when all of it is under way at once."""
    together = threading.Barrier(count, timeout=PATIENCE_S)

    def work():
        together.wait()
        return samples(1)

    return [work] * count


def test_two_threads_work_at_the_same_time():
    assert 2 == len(collected([group_of("g", meeting(2))], lambda: 2))


def test_three_threads_work_at_the_same_time():
    assert 3 == len(collected([group_of("g", meeting(3))], lambda: 3))


def test_the_next_group_is_read_while_the_last_one_is_worked_on():
    read = threading.Event()

    def groups():
        yield group_of("a", [lambda: (read.wait(PATIENCE_S), samples(1))[1]])
        read.set()
        yield group_of("b", [lambda: samples(2)])

    assert [("a", [1]), ("b", [2])] == collected(groups(), lambda: 2)
    assert read.is_set()


def test_groups_are_never_asked_for_by_two_threads_at_once():
    """A generator that is entered twice raises."""
    chance = random.Random(1)

    def groups():
        yield from counting(groups=50, works=2)

    assert 100 == len(collected(groups(), lambda: chance.choice([1, 2, 3])))


def test_what_work_raises_comes_after_the_results_before_it():
    works = [lambda: samples(0), lambda: samples(1), lambda: 1 / 0, lambda: samples(3)]
    made = results([group_of("g", works)], lambda: 3)

    assert [[0], [1]] == [next(made)[1].tolist() for _ in range(2)]
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_what_reading_a_group_raises_comes_after_the_results_before_it(threads):
    def groups():
        yield from counting(groups=1)
        raise ZeroDivisionError

    made = results(groups(), lambda: threads)

    assert [[0, 0], [0, 1], [0, 2], [0, 3]] == [next(made)[1].tolist() for _ in range(4)]
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_what_the_iterator_of_work_raises_comes_after_the_results_of_its_work(threads):
    def works():
        yield from [lambda number=number: samples(number) for number in range(3)]
        raise ZeroDivisionError

    made = results([group_of("g", works())], lambda: threads)

    assert [[0], [1], [2]] == [next(made)[1].tolist() for _ in range(3)]
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_error_of_a_groups_work_is_raised_after_all_earlier_results(threads):
    groups = [*counting(groups=1), group_of("unhappy", None)]
    made = results(groups, lambda: threads)

    assert [[0, 0], [0, 1], [0, 2], [0, 3]] == [next(made)[1].tolist() for _ in range(4)]
    with pytest.raises(TypeError):
        next(made)


@pytest.fixture
def no_more_threads():
    """Return what keeps the system from starting a thread until the test ends."""
    usual = threading.stack_size()
    yield lambda: threading.stack_size(STACK_TOO_LARGE_BYTES)
    threading.stack_size(usual)


def test_the_system_starts_no_thread_with_such_a_stack(no_more_threads):
    no_more_threads()

    with pytest.raises(RuntimeError, match="can't start new thread"):
        threading.Thread(target=int).start()


@pytest.mark.parametrize("threads", [2, 4])
def test_where_no_thread_can_be_started_the_calling_one_does_it_all(no_more_threads, threads):
    no_more_threads()
    used = set()

    def groups():
        for name, works in counting():
            used.add(threading.get_ident())
            yield group_of(name, [lambda work=work: used.add(threading.get_ident()) or work() for work in works])

    assert EXPECTED == collected(groups(), lambda: threads)
    assert {threading.get_ident()} == used


def test_where_no_thread_can_be_started_nothing_is_done_before_its_turn(no_more_threads):
    no_more_threads()
    read, done = [], []

    def groups():
        for number in range(10):
            read.append(number)
            yield group_of(f"g{number}", [lambda number=number: done.append(number) or samples(number)])

    for number, _result in enumerate(results(groups(), lambda: 4)):
        assert list(range(number + 1)) == read == done


@pytest.mark.parametrize("started", range(1, 8))
@pytest.mark.parametrize("most", [2, 4])
def test_where_no_further_thread_can_be_started_the_work_goes_on_with_those_there_are(no_more_threads, started, most):
    asked = []

    def threads():
        asked.append(1)
        if len(asked) > started:
            no_more_threads()
        return 4

    assert EXPECTED == collected(counting(), threads, most)


def test_work_is_done_once_where_threads_run_out(no_more_threads):
    """What could not be handed over lies in the queue of the pool too."""
    done = []
    works = [lambda number=number: done.append(number) or samples(number) for number in range(200)]
    made = results([group_of("g", works)], lambda: 2)
    next(made)
    no_more_threads()
    rest = [values.tolist() for _, values in made]

    assert [[number] for number in range(1, 200)] == rest
    assert list(range(200)) == sorted(done)


def test_closing_cancels_what_has_not_begun_and_leaves_no_thread():
    before, begun = threading.active_count(), []
    works = [lambda number=number: begun.append(number) or samples(number) for number in range(1000)]
    made = results([group_of("g", works)], lambda: 2)
    next(made)
    made.close()

    assert len(begun) <= 4
    assert before == threading.active_count()


def test_no_more_is_begun_than_one_piece_a_thread_and_one():
    begun = []
    works = [lambda number=number: begun.append(number) or samples(number) for number in range(100)]
    made = results([group_of("g", works)], lambda: 2)
    for taken in range(1, 50):
        next(made)
        assert len(begun) <= taken + 3
    made.close()
