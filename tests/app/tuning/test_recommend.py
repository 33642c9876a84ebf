"""app.tuning.recommend: from figures to keys that the configuration accepts."""

import random

import pytest

from app.tuning.plan import Candidate, Objective
from app.tuning.recommend import Recommendation, keys_of, queue_of
from app.tuning.report import fragment
from app.tuning.results import Measurements, MemoryNeed, ServiceTime
from loader.config.settings import bounds_of, load_settings
from tests.support.simulated_server import MIB, plan_of

TOTAL = Objective("total", 95.0, 2.0)
PLAN = plan_of([TOTAL], [Candidate(2, 4)], max_characters=10_000)


def recommendation(**changed):
    facts = {
        "candidate": Candidate(2, 4), "is_met": True, "fits": True, "rate_hz": 3.0, "score": 0.9, "capacity_hz": 4.0,
        "parallel": 2, "service": ServiceTime(0.1, 0.01, 0.5, {TOTAL.name: 0.8}), "need": MemoryNeed(100 * MIB, 50 * MIB),
    }  # fmt: skip
    return Recommendation(**{**facts, **changed})


def key(name, found, plan=PLAN):
    return next(each for each in keys_of(plan, found) if each.name == name)


def test_a_stopping_worker_has_time_for_the_longest_text_among_others():
    # 100.1 s alone; eight requests share two servers.
    assert 406.0 == key("request_timeout_s", recommendation()).value
    assert 106.0 == key("request_timeout_s", recommendation(candidate=Candidate(1, 2))).value


def test_more_than_the_configuration_accepts_is_clamped_and_noted():
    # 64 cores, 96 requests a second, 30 s: a queue of 2611, of which the schema accepts 1000.
    objective = Objective("total", 95.0, 30.0)
    plan = plan_of([objective], [Candidate(64, 4)], cores=64, max_characters=1_000_000)
    found = recommendation(
        candidate=Candidate(64, 4), capacity_hz=96.0, parallel=64, service=ServiceTime(0.1, 0.01, 0.66, {objective.name: 0.8})
    )
    queue = key("admission.queue", found, plan)

    assert 2611 == queue_of(plan, found)
    assert 1000 == queue.value
    assert "calculated as 2611, and the configuration accepts 0 to 1000" in queue.reason
    assert "calculated as 40006, and the configuration accepts 1 to 3600" in key("request_timeout_s", found, plan).reason


def test_every_recommendation_is_accepted_by_the_configuration(tmp_path):
    draw = random.Random(5)
    for cores in (1, 2, 3, 4, 8, 16, 32, 64, 96, 128, 256, 512, 1024):
        for bound_s in (0.001, 0.3, 2.0, 30.0, 600.0, 3600.0):
            service = ServiceTime(draw.choice([0.0, 0.1, 5.0]), draw.choice([0.0, 0.0005, 0.01, 1.0]), 0.5, {TOTAL.name: 0.2})
            workers = min(512, cores)
            found = recommendation(
                candidate=Candidate(workers, draw.choice([2, 4, 64])), capacity_hz=cores * draw.choice([0.0, 0.1, 1.5, 50.0]),
                parallel=workers, service=service,
            )  # fmt: skip
            max_characters = draw.choice([100, 20_000, 1_000_000])
            plan = plan_of([Objective("total", 95.0, bound_s)], [], cores=cores, max_characters=max_characters)
            text = fragment(plan, Measurements(), found, "today")
            (tmp_path / "tts_config.yaml").write_text("model_path: embedded/joe\n" + text)

            settings = load_settings(tmp_path / "tts_config.yaml")
            assert (workers, max(bound_s, bounds_of("admission.wait_s")[0])) == (settings.workers, settings.admission.wait_s)


@pytest.mark.parametrize(
    ("changed", "queue"),
    [
        # capacity * (bound - idle) = 4 * 1.2, and 2 are being served at a time.
        ({"candidate": Candidate(1, 2)}, 4),
        ({"candidate": Candidate(2, 4)}, 0),
        ({"candidate": Candidate(1, 2), "service": ServiceTime(3.0, 0.0, 3.0, {TOTAL.name: 3.0})}, 0),
    ],
)
def test_as_many_may_wait_as_are_still_in_time(changed, queue):
    assert queue == queue_of(PLAN, recommendation(**changed))
