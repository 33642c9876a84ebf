"""Long text: which samples of memory belong to which audio."""

from ops.benchmarks.clients import Delivery
from ops.benchmarks.memory import Reading, Sample


def reading(delivered, sampled_at_s):
    """Return a reading that began when the clock showed 100."""
    deliveries = tuple(Delivery(at_s, at_s, audio_s) for at_s, audio_s in delivered)
    return Reading(100, deliveries, tuple(Sample(100 + at_s, 0, 0) for at_s in sampled_at_s))


def hearing(taken, from_audio_s, to_audio_s):
    return [sample.at_s - 100 for sample in taken.while_hearing(from_audio_s, to_audio_s)]


def test_samples_are_those_between_the_arrivals_of_two_lengths_of_audio():
    taken = reading([(1, 60), (2, 30), (3, 30), (4, 60)], [0, 0.5, 1, 1.5, 2.5, 3, 3.5])
    assert [1, 1.5, 2.5, 3] == hearing(taken, 60, 120)


def test_the_last_stretch_ends_with_the_last_byte_and_not_with_the_server():
    taken = reading([(1, 60), (2, 60)], [0.5, 1.5, 2.5])
    assert [1.5] == hearing(taken, 60, taken.audio_s)


def test_audio_that_came_between_two_samples_is_given_the_nearest():
    taken = reading([(1, 60), (1.1, 60), (9, 60)], [0, 2, 8])
    assert [2] == hearing(taken, 60, 120)


def test_the_speed_is_that_of_the_bytes_that_arrived():
    assert 30 == reading([(1, 60), (4, 60)], [0]).speed
