"""loader.engines.decoder_windows: windows cover every frame once, and have their whole margin at inner edges."""

import pytest

from loader.engines.decoder_windows import plan_windows

FIRST = (32, 64, 128)


@pytest.mark.parametrize("most", [256, 512])
@pytest.mark.parametrize("first", [(), (32,), FIRST])
@pytest.mark.parametrize("frames", [1, 31, 44, 45, 46, 255, 256, 257, 270, 300, 500, 512, 513, 516, 1000, 1025, 50_000])
def test_windows_cover_every_frame_once(frames, first, most):
    kept = []
    for window in plan_windows(frames, margin=12, max_frames=most, first=first):
        assert 0 <= window.start < window.stop <= frames
        assert 0 < window.keep_to - window.keep_from <= most
        kept += range(window.start + window.keep_from, window.start + window.keep_to)

    assert list(range(frames)) == kept


@pytest.mark.parametrize("frames", [289, 300, 611, 1000, 1001])
@pytest.mark.parametrize("first", [(), (32,), FIRST])
def test_windows_have_their_whole_margin_at_inner_edges(frames, first):
    for window in plan_windows(frames, margin=14, max_frames=256, first=first):
        assert window.start == 0 or window.keep_from >= 14
        assert window.stop == frames or window.stop - window.start - window.keep_to == 14


@pytest.mark.parametrize("frames", [289, 300, 611, 1000, 1001])
def test_windows_after_the_short_first_ones_have_one_length(frames):
    """Libraries compile kernels for each length."""
    whole = [window.stop - window.start for window in plan_windows(frames, margin=14, max_frames=256)]
    soon = [window.stop - window.start for window in plan_windows(frames, margin=14, max_frames=256, first=FIRST)]

    assert 1 == len(set(whole)) < len(whole)
    assert [32 + 14, 14 + 64 + 14, 14 + 128 + 14] == soon[:3]
    assert len(set(soon[3:])) <= 1


def test_the_rest_after_a_short_window_is_at_least_as_long_as_the_margin():
    assert [(0, 46), (18, 60)] == [(each.start, each.stop) for each in plan_windows(60, 14, 256, FIRST)]
    assert [(0, 46)] == [(each.start, each.stop) for each in plan_windows(46, 14, 256, FIRST)]


def test_a_sentence_a_little_longer_than_a_window_is_split_in_two():
    assert [(0, 272), (244, 516)] == [(window.start, window.stop) for window in plan_windows(516, margin=14, max_frames=512)]
