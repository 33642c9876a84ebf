"""app.tuning.question: the grammar of --slo, and the least budget."""

import pytest

from app.tuning.candidate import Candidate
from app.tuning.question import Objective, check_budget, parse_objectives
from app.tuning.units import BadQuantityError
from tests.support.simulated_server import question_of


def test_an_slo_is_a_list_of_objectives():
    objectives = parse_objectives("first_audio_p95=300ms, total_p99.9=2s")

    assert (Objective("first_audio", 95.0, 0.3), Objective("total", 99.9, 2.0)) == objectives
    assert "first_audio_p95=300ms,total_p99.9=2s" == question_of(objectives, []).slo
    assert 2.0 == question_of(objectives, []).timeout_s


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
def test_what_is_no_slo_is_refused_with_what_is_accepted(written, said):
    with pytest.raises(BadQuantityError) as refusal:
        parse_objectives(written)

    assert said in str(refusal.value)


def test_a_budget_has_time_for_every_candidate():
    check_budget(26.0, [Candidate(1, 2)])
    with pytest.raises(BadQuantityError, match="the budget is 26s, expected at least 32s for 2 candidates"):
        check_budget(26.0, [Candidate(1, 2), Candidate(2, 2)])
