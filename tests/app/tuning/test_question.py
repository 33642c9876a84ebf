"""app.tuning.objectives: the grammar of --slo."""

import pytest

from app.tuning.objectives import Objective, patience_s, read_objectives, shown_objectives
from app.tuning.quantities import BadQuantityError


def test_an_slo_is_a_list_of_objectives():
    objectives = read_objectives("first_audio_p95=300ms, total_p99.9=2s")

    assert (Objective("first_audio", 95.0, 0.3), Objective("total", 99.9, 2.0)) == objectives
    assert "first_audio_p95=300ms,total_p99.9=2s" == shown_objectives(objectives)
    assert 2.0 == patience_s(objectives)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "'' is no objective, expected first_audio or total, _p and a percentile"),
        ("total_p95=2s,", "'' is no objective"),
        ("ttfa_p95=300ms", "'ttfa_p95=300ms' is no objective"),
        ("total=2s", "is no objective"),
        ("total_p95", "is no objective"),
        ("total_p95<2s", "is no objective"),
        ("total_p0=2s", "'total_p0' has the percentile 0, expected one above 0 and below 100"),
        ("total_p100=2s", "is no objective"),
        ("total_p95=2", "total_p95: '2' has no unit"),
        ("total_p95=0s", "total_p95: '0s' is out of bounds, expected 1ms to 60m"),
        ("total_p95=2s,total_p95=3s", "total_p95 stands in the SLO 2 times; keep one"),
    ],
)
def test_what_is_no_slo_is_refused_with_what_would_be(written, said):
    with pytest.raises(BadQuantityError) as refusal:
        read_objectives(written)

    assert said in str(refusal.value)
