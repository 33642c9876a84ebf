"""loader.voices.chunks: the audio in order, with silence between sentences and the position of each segment.

It is the same with any number of threads, at any time.
"""

import random
import threading

import numpy as np
import pytest

from loader.engines.base import NO_SAMPLES, Plan
from loader.text.normalization.aligned import AlignedText
from loader.text.reading import Reading
from loader.voices.chunks import Prefetcher, Segment, one_thread, time_segments

TIMEOUT_S = 60
#: Larger than the address space: the system cannot start a thread with such a stack.
STACK_TOO_LARGE_BYTES = 2**47

#: A sentence, and what is spoken of it.
AS_WRITTEN = ("text", AlignedText.of("text", 0, 4))


def samples(*values):
    return np.array(values, dtype=np.float32)


def segment_of(name, works):
    """Return a segment of unknown length; its text is its name."""
    return Segment(0, Reading([1], name), "en", 0, Plan(None, iter(works)), *AS_WRITTEN)


def chunks(segments, threads, most=4):
    return Prefetcher(iter(segments), threads, most).chunks()


def collected(segments, threads, most=4):
    return [(each.begins and each.begins.reading.text, each.samples.tolist()) for each in chunks(segments, threads, most)]


def counting(segments=5, works=4):
    return [segment_of(f"g{g}", [lambda g=g, w=w: samples(g, w) for w in range(works)]) for g in range(segments)]


EXPECTED = [(f"g{g}" if w == 0 else None, [g, w]) for g in range(5) for w in range(4)]


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_chunks_come_in_order_with_their_segment_at_its_first(threads):
    assert EXPECTED == collected(counting(), lambda: threads)


@pytest.mark.parametrize("seed", range(20))
def test_the_number_of_threads_can_change_at_any_time(seed):
    chance = random.Random(seed)

    assert EXPECTED == collected(counting(), lambda: chance.choice([1, 2, 3]))


def test_no_segments_give_no_chunks():
    assert [] == collected([], lambda: 2)
    assert [("b", [1])] == collected([segment_of("a", []), segment_of("b", [lambda: samples(1)])], lambda: 2)


def test_with_one_thread_no_thread_is_started():
    threads = {threading.get_ident()}
    works = [lambda: threads.add(threading.get_ident()) or samples(1)] * 5
    collected([segment_of("g", works)], one_thread)

    assert {threading.get_ident()} == threads


def simultaneous(count):
    """Return pieces of work that end only when all of them run at the same time."""
    together = threading.Barrier(count, timeout=TIMEOUT_S)

    def work():
        together.wait()
        return samples(1)

    return [work] * count


def test_two_threads_work_at_the_same_time():
    assert 2 == len(collected([segment_of("g", simultaneous(2))], lambda: 2))


def test_three_threads_work_at_the_same_time():
    assert 3 == len(collected([segment_of("g", simultaneous(3))], lambda: 3))


def test_the_next_segment_is_read_while_the_previous_one_is_in_work():
    read = threading.Event()

    def segments():
        yield segment_of("a", [lambda: (read.wait(TIMEOUT_S), samples(1))[1]])
        read.set()
        yield segment_of("b", [lambda: samples(2)])

    assert [("a", [1]), ("b", [2])] == collected(segments(), lambda: 2)
    assert read.is_set()


def test_segments_are_read_by_one_thread_at_a_time():
    """A generator that runs in two threads raises."""
    chance = random.Random(1)

    def segments():
        yield from counting(segments=50, works=2)

    assert 100 == len(collected(segments(), lambda: chance.choice([1, 2, 3])))


def test_an_error_of_work_is_raised_after_the_chunks_before_it():
    works = [lambda: samples(0), lambda: samples(1), lambda: 1 / 0, lambda: samples(3)]
    made = chunks([segment_of("g", works)], lambda: 3)

    assert [[0], [1]] == [next(made).samples.tolist() for _ in range(2)]
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_error_of_reading_a_segment_is_raised_after_the_chunks_before_it(threads):
    def segments():
        yield from counting(segments=1)
        raise ZeroDivisionError

    made = chunks(segments(), lambda: threads)

    assert [[0, 0], [0, 1], [0, 2], [0, 3]] == [next(made).samples.tolist() for _ in range(4)]
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_error_of_the_work_iterator_is_raised_after_its_chunks(threads):
    def works():
        yield from [lambda number=number: samples(number) for number in range(3)]
        raise ZeroDivisionError

    made = chunks([segment_of("g", works())], lambda: threads)

    assert [[0], [1], [2]] == [next(made).samples.tolist() for _ in range(3)]
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_error_of_a_segment_is_raised_after_all_earlier_chunks(threads):
    segments = [*counting(segments=1), segment_of("unhappy", (1 / 0 for _ in range(1)))]
    made = chunks(segments, lambda: threads)

    assert [[0, 0], [0, 1], [0, 2], [0, 3]] == [next(made).samples.tolist() for _ in range(4)]
    with pytest.raises(ZeroDivisionError):
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

    def segments():
        for each in counting():
            used.add(threading.get_ident())
            works = [lambda work=work: used.add(threading.get_ident()) or work() for work in each.plan.work]
            yield segment_of(each.reading.text, works)

    assert EXPECTED == collected(segments(), lambda: threads)
    assert {threading.get_ident()} == used


def test_if_no_thread_can_be_started_nothing_is_done_ahead(no_more_threads):
    no_more_threads()
    read, done = [], []

    def segments():
        for number in range(10):
            read.append(number)
            yield segment_of(f"g{number}", [lambda number=number: done.append(number) or samples(number)])

    for number, _chunk in enumerate(chunks(segments(), lambda: 4)):
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
    made = chunks([segment_of("g", works)], lambda: 2)
    next(made)
    no_more_threads()
    rest = [each.samples.tolist() for each in made]

    assert [[number] for number in range(1, 200)] == rest
    assert list(range(200)) == sorted(done)


def test_closing_cancels_pending_work_and_leaves_no_thread():
    before, begun = threading.active_count(), []
    works = [lambda number=number: begun.append(number) or samples(number) for number in range(1000)]
    made = chunks([segment_of("g", works)], lambda: 2)
    next(made)
    made.close()

    assert len(begun) <= 4
    assert before == threading.active_count()


def test_at_most_one_piece_per_thread_and_one_more_are_begun():
    begun = []
    works = [lambda number=number: begun.append(number) or samples(number) for number in range(100)]
    made = chunks([segment_of("g", works)], lambda: 2)
    for taken in range(1, 50):
        next(made)
        assert len(begun) <= taken + 3
    made.close()


def segment(sentence, lengths, windows, pause=0):
    known = None if lengths is None else np.array(lengths)
    work = iter([lambda window=window: np.full(window, sentence + 1, dtype=np.float32) for window in windows])
    return Segment(sentence, Reading([1], "text"), "en", pause, Plan(known, work), *AS_WRITTEN)


def chunk_list(segments):
    return list(chunks(segments, one_thread))


def test_silence_comes_before_a_segment_and_belongs_to_none():
    first, silence, second = chunk_list([segment(0, [4, 6], [10]), segment(1, [5], [5], pause=3)])

    assert [0, 0, 0] == silence.samples.tolist()
    assert silence.begins is None
    assert (0, 10) == (first.start_samples, first.end_samples)
    assert (13, 18) == (second.start_samples, second.end_samples)


def test_only_the_first_chunk_of_a_segment_has_the_segment():
    assert [True, False, False] == [each.begins is not None for each in chunk_list([segment(0, [30], [10, 10, 10])])]


def test_work_without_samples_is_skipped_and_the_next_chunk_has_the_segment():
    prepares = segment(0, [5], [])
    work = iter([lambda: NO_SAMPLES, lambda: np.ones(5, dtype=np.float32)])
    (only,) = chunk_list([Segment(0, prepares.reading, "en", 0, Plan(np.array([5]), work), *AS_WRITTEN)])

    assert 5 == only.samples.size == only.end_samples


def test_a_segment_of_unknown_length_is_as_long_as_its_audio():
    first, second = chunk_list([segment(0, None, [7]), segment(1, None, [9])])

    assert [(0, 7), (7, 16)] == [(each.start_samples, each.end_samples) for each in (first, second)]


def test_timing_segments_makes_no_audio_if_the_length_is_known():
    def segments():
        return [segment(0, [4, 6], [10]), segment(1, None, [5], pause=3), segment(1, [2], [2])]

    spoken = [(each.start_samples, each.end_samples) for each in chunk_list(segments()) if each.begins]
    asked = segments()
    found = [(each.start_samples, each.end_samples) for each in time_segments(iter(asked))]

    assert spoken == found
    assert 1 == len(list(asked[0].plan.work))
