"""app.startup: the limit of open files is raised as far as the system allows; too low a limit ends the process."""

import re
from types import SimpleNamespace

import pytest

from app.startup import needed_to_serve, needed_to_speak
from tests.loader.children import answer_of

REQUIRE = """
    import json, resource, sys
    from app.startup import require_open_files
    from loader.errors import ShortageError
    soft, hard, needed, wanted = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        require_open_files(needed, wanted)
        found = None
    except ShortageError as error:
        found = [error.exit_status, str(error)]
    print(json.dumps([found, *resource.getrlimit(resource.RLIMIT_NOFILE)]))
"""


@pytest.mark.parametrize(
    "limits, needed, wanted, left",
    [
        ((100, 1000), 200, 300, 300),
        ((100, 250), 200, 300, 250),
        ((100, 200), 200, 0, 200),
        ((500, 1000), 200, 300, 500),
    ],
)
def test_the_soft_limit_is_raised_up_to_the_hard_limit(limits, needed, wanted, left):
    assert [None, left, limits[1]] == answer_of(REQUIRE, *limits, needed, wanted)


def test_too_low_a_hard_limit_is_refused_with_the_required_number():
    (status, message), *_ = answer_of(REQUIRE, 24, 24, 152, 1152)

    assert 71 == status
    expected = r"this configuration needs 152 open files .* the limit is 24; raise it to at least 152 \(ulimit -n, .*"
    assert re.fullmatch(expected, message)


def test_voices_workers_and_admitted_requests_count():
    settings = SimpleNamespace(voices=["joe"], threads=4, admission=SimpleNamespace(queue=64, parked=32))
    needed = needed_to_serve(settings, workers=2)
    two = SimpleNamespace(voices=["joe", "amy"], threads=4, admission=SimpleNamespace(queue=64, parked=32))

    assert needed_to_speak(settings) < needed_to_speak(two)
    assert needed_to_serve(two, workers=2) - needed == needed_to_speak(two) - needed_to_speak(settings)
    assert needed < needed_to_serve(settings, workers=3)
    settings.admission.queue += 1
    assert needed + 1 == needed_to_serve(settings, workers=2)
