"""loader.voices.segments: the audio in order, with silence between sentences, and the position of each segment."""

import numpy as np

from loader.engines.base import NO_SAMPLES, Plan
from loader.text.front_end import Reading
from loader.voices.prefetch import Prefetcher, one_thread
from loader.voices.segments import Segment, chunks, time_segments


def segment(sentence, lengths, windows, pause=0):
    known = None if lengths is None else np.array(lengths)
    work = iter([lambda window=window: np.full(window, sentence + 1, dtype=np.float32) for window in windows])
    return Segment(sentence, Reading([1], "text"), "en", pause, Plan(known, work))


def chunk_list(segments):
    return list(chunks(Prefetcher(iter(segments), lambda each: each.plan.work, one_thread, 1).results()))


def test_silence_comes_before_a_segment_and_belongs_to_none():
    first, silence, second = chunk_list([segment(0, [4, 6], [10]), segment(1, [5], [5], pause=3)])

    assert [0, 0, 0] == silence.samples.tolist()
    assert silence.begins is None
    assert (0, 10) == (first.begins.start_samples, first.begins.end_samples)
    assert (13, 18) == (second.begins.start_samples, second.begins.end_samples)


def test_only_the_first_chunk_of_a_segment_has_the_segment():
    assert [True, False, False] == [each.begins is not None for each in chunk_list([segment(0, [30], [10, 10, 10])])]


def test_work_without_samples_is_skipped_and_the_next_chunk_has_the_segment():
    prepares = segment(0, [5], [])
    work = iter([lambda: NO_SAMPLES, lambda: np.ones(5, dtype=np.float32)])
    (only,) = chunk_list([Segment(0, prepares.reading, "en", 0, Plan(np.array([5]), work))])

    assert 5 == only.samples.size == only.begins.end_samples


def test_a_segment_of_unknown_length_is_as_long_as_its_audio():
    first, second = chunk_list([segment(0, None, [7]), segment(1, None, [9])])

    assert [(0, 7), (7, 16)] == [(each.begins.start_samples, each.begins.end_samples) for each in (first, second)]


def test_timing_segments_makes_no_audio_if_the_length_is_known():
    def segments():
        return [segment(0, [4, 6], [10]), segment(1, None, [5], pause=3), segment(1, [2], [2])]

    spoken = [(each.begins.start_samples, each.begins.end_samples) for each in chunk_list(segments()) if each.begins]
    asked = segments()
    found = [(each.start_samples, each.end_samples) for each in time_segments(iter(asked))]

    assert spoken == found
    assert 1 == len(list(asked[0].plan.work))
