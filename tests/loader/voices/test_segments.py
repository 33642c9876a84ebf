"""loader.voices.segments: what is heard, in order, with silence between sentences, and where each passage stands."""

import numpy as np

from loader.engines.base import NO_SAMPLES, Plan
from loader.text.utterance import Reading
from loader.voices.prefetch import Ahead, one_hand
from loader.voices.segments import Passage, measured, stretches


def passage(sentence, lengths, windows, pause=0):
    known = None if lengths is None else np.array(lengths)
    work = iter([lambda window=window: np.full(window, sentence + 1, dtype=np.float32) for window in windows])
    return Passage(sentence, Reading([1], "text"), "en", pause, Plan(known, work))


def heard(passages):
    return list(stretches(Ahead(iter(passages), lambda each: each.plan.work, one_hand, 1).results()))


def test_silence_comes_before_a_passage_and_is_part_of_none():
    first, silence, second = heard([passage(0, [4, 6], [10]), passage(1, [5], [5], pause=3)])

    assert [0, 0, 0] == silence.samples.tolist()
    assert silence.begins is None
    assert (0, 10) == (first.begins.start_samples, first.begins.end_samples)
    assert (13, 18) == (second.begins.start_samples, second.begins.end_samples)


def test_only_the_first_stretch_of_a_passage_begins_it():
    assert [True, False, False] == [each.begins is not None for each in heard([passage(0, [30], [10, 10, 10])])]


def test_work_that_only_prepares_is_not_heard_and_hides_no_beginning():
    prepares = passage(0, [5], [])
    work = iter([lambda: NO_SAMPLES, lambda: np.ones(5, dtype=np.float32)])
    (only,) = heard([Passage(0, prepares.reading, "en", 0, Plan(np.array([5]), work))])

    assert 5 == only.samples.size == only.begins.end_samples


def test_a_passage_of_unknown_length_is_as_long_as_what_was_spoken():
    first, second = heard([passage(0, None, [7]), passage(1, None, [9])])

    assert [(0, 7), (7, 16)] == [(each.begins.start_samples, each.begins.end_samples) for each in (first, second)]


def test_measuring_places_passages_where_they_are_heard_and_makes_none_audible_that_is_known():
    def passages():
        return [passage(0, [4, 6], [10]), passage(1, None, [5], pause=3), passage(1, [2], [2])]

    spoken = [(each.begins.start_samples, each.begins.end_samples) for each in heard(passages()) if each.begins]
    asked = passages()
    found = [(each.start_samples, each.end_samples) for each in measured(iter(asked))]

    assert spoken == found
    assert 1 == len(list(asked[0].plan.work))
