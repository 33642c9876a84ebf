"""loader.ahead: the same results in the same order, whoever made them and whenever."""

import random
import threading

import numpy as np
import pytest

from loader.ahead import Ahead, one_hand

PATIENCE_S = 60


def samples(*values):
    return np.array(values, dtype=np.float32)


def group_of(name, works):
    return name, works


def results(groups, hands, most=4):
    return Ahead(iter(groups), lambda group: iter(group[1]), hands, most).results()


def told(groups, hands, most=4):
    return [(group and group[0], values.tolist()) for group, values in results(groups, hands, most)]


def counting(groups=5, works=4):
    return [group_of(f"g{g}", [lambda g=g, w=w: samples(g, w) for w in range(works)]) for g in range(groups)]


EXPECTED = [(f"g{g}" if w == 0 else None, [g, w]) for g in range(5) for w in range(4)]


@pytest.mark.parametrize("hands", [1, 2, 3, 8])
def test_results_come_in_order_with_their_group_at_its_first(hands):
    assert EXPECTED == told(counting(), lambda: hands)


@pytest.mark.parametrize("seed", range(20))
def test_hands_may_come_and_go_at_any_time(seed):
    chance = random.Random(seed)

    assert EXPECTED == told(counting(), lambda: chance.choice([1, 2, 3]))


def test_nothing_gives_nothing():
    assert [] == told([], lambda: 2)
    assert [("b", [1])] == told([group_of("a", []), group_of("b", [lambda: samples(1)])], lambda: 2)


def test_one_hand_starts_no_thread():
    threads = {threading.get_ident()}
    works = [lambda: threads.add(threading.get_ident()) or samples(1)] * 5
    told([group_of("g", works)], one_hand)

    assert {threading.get_ident()} == threads


def meeting(count):
    """Return work that only ends when all of it is under way at once."""
    together = threading.Barrier(count, timeout=PATIENCE_S)

    def work():
        together.wait()
        return samples(1)

    return [work] * count


def test_two_hands_work_at_the_same_time():
    assert 2 == len(told([group_of("g", meeting(2))], lambda: 2))


def test_three_hands_work_at_the_same_time():
    assert 3 == len(told([group_of("g", meeting(3))], lambda: 3))


def test_the_next_group_is_read_while_the_last_one_is_worked_on():
    read = threading.Event()

    def groups():
        yield group_of("a", [lambda: (read.wait(PATIENCE_S), samples(1))[1]])
        read.set()
        yield group_of("b", [lambda: samples(2)])

    assert [("a", [1]), ("b", [2])] == told(groups(), lambda: 2)
    assert read.is_set()


def test_groups_are_never_asked_for_by_two_threads_at_once():
    """A generator that is entered twice raises."""
    chance = random.Random(1)

    def groups():
        yield from counting(groups=50, works=2)

    assert 100 == len(told(groups(), lambda: chance.choice([1, 2, 3])))


def test_what_work_raises_comes_after_the_results_before_it():
    works = [lambda: samples(0), lambda: samples(1), lambda: 1 / 0, lambda: samples(3)]
    made = results([group_of("g", works)], lambda: 3)

    assert [[0], [1]] == [next(made)[1].tolist() for _ in range(2)]
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.parametrize("hands", [1, 2, 3])
def test_what_reading_a_group_raises_comes_after_the_results_before_it(hands):
    def groups():
        yield from counting(groups=1)
        raise ZeroDivisionError

    made = results(groups(), lambda: hands)

    assert [[0, 0], [0, 1], [0, 2], [0, 3]] == [next(made)[1].tolist() for _ in range(4)]
    with pytest.raises(ZeroDivisionError):
        next(made)


def test_closing_cancels_what_has_not_begun_and_leaves_no_thread():
    before, begun = threading.active_count(), []
    works = [lambda number=number: begun.append(number) or samples(number) for number in range(1000)]
    made = results([group_of("g", works)], lambda: 2)
    next(made)
    made.close()

    assert len(begun) <= 4
    assert before == threading.active_count()


def test_no_more_is_begun_than_there_are_hands_and_one_piece():
    begun = []
    works = [lambda number=number: begun.append(number) or samples(number) for number in range(100)]
    made = results([group_of("g", works)], lambda: 2)
    for taken in range(1, 50):
        next(made)
        assert len(begun) <= taken + 3
    made.close()
