"""/metrics of a real server: any worker reports the totals of all, including those of killed workers."""

import math
import shutil
import subprocess

import psutil
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from loader.releases.embedded import EMBEDDED_VERSION

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="there is no promtool; Debian's package is `prometheus`"
)
GROWING = ("_total", "_bucket", "_count", "_sum")


def scraped(server):
    """Return all series of one scrape, by name and labels."""
    answer = server.ask("GET", "/metrics")
    assert 200 == answer.status
    return series_of(text_string_to_metric_families(answer.body.decode()))


def series_of(families):
    return {(each.name, tuple(sorted(each.labels.items()))): each.value for family in families for each in family.samples}


def value(series, name, **labels):
    return series[name, tuple(sorted(labels.items()))]


def increase(before, after, name, **labels):
    return value(after, name, **labels) - value(before, name, **labels)


def decreased(before, after):
    """Return the totals that decreased or disappeared."""
    return [key for key, was in before.items() if key[0].endswith(GROWING) and after.get(key, -math.inf) < was]


def test_requests_are_counted_whichever_worker_answered(server):
    before = scraped(server)
    texts = ["One.", "Two, and a little more.", "Three."]

    seconds = [(len(server.speak(text).body) - 44) / 2 / 22050 for text in texts]
    refused = server.speak("Nobody.", voice="nobody")
    server.ask("GET", "/v1/models")
    after = scraped(server)

    assert 3 == increase(before, after, "tts_requests_total", route="speech", code="200")
    assert 1 == increase(before, after, "tts_requests_total", route="speech", code=str(refused.status))
    assert 1 == increase(before, after, "tts_requests_total", route="listings", code="200")
    assert 3 == increase(before, after, "tts_speeches_total", outcome="done")
    assert sum(map(len, texts)) == increase(before, after, "tts_input_characters_total")
    assert sum(seconds) == pytest.approx(increase(before, after, "tts_audio_seconds_total"), abs=0.01)
    for name in ("request_duration_seconds", "queue_wait_seconds", "time_to_first_audio_seconds", "synthesis_seconds"):
        assert 3 == increase(before, after, f"tts_{name}_count")
        assert increase(before, after, f"tts_{name}_sum") > 0
    assert 3 == increase(before, after, "tts_real_time_factor_count")


def test_buckets_are_cumulative_and_the_last_equals_the_count(server):
    server.speak("Something to measure.")
    series = scraped(server)

    names = {name for name, _ in series if name.endswith("_bucket")}
    assert 5 == len(names)
    for name in names:
        counts = sorted((float(dict(labels)["le"]), count) for (each, labels), count in series.items() if each == name)
        assert [count for _, count in counts] == sorted(count for _, count in counts)
        assert (math.inf, value(series, name.replace("_bucket", "_count"))) == counts[-1]


def test_workers_and_voices_are_reported(server):
    series = scraped(server)

    assert 4 == value(series, "tts_workers", state="ready")
    assert 0 == value(series, "tts_workers", state="draining")
    assert 4 == value(series, "tts_worker_starts_total")
    assert 1 == value(series, "tts_voices")
    assert 1 == value(series, "tts_voice_constructions", voice="joe", generation="1")
    (voice,) = (dict(labels) for name, labels in series if name == "tts_voice_info")
    assert ("joe", "onnx", "cpu", "1") == (voice["voice"], voice["engine"], voice["device"], voice["generation"])
    assert (0, 0) == (value(series, "tts_queue_depth"), value(series, "tts_requests_in_progress"))
    assert value(series, "tts_uptime_seconds") > 0


def test_a_voice_is_constructed_once_over_many_requests_on_every_worker(server):
    for _ in range(3):
        server.on_every_worker(lambda: server.speak("Again."))

    assert {1} == {value(scraped(server), "tts_voice_constructions", voice="joe", generation="1") for _ in range(20)}
    for _ in range(20):
        (voice,) = server.ask("GET", "/status").json()["voices"]
        assert ("joe", 1, 1) == (voice["voice"], voice["generation"], voice["constructions"])


def test_the_revision_and_the_release_of_a_voice_are_in_metrics_and_status(server):
    status, series = server.ask("GET", "/status").json(), scraped(server)
    (voice,) = status["voices"]

    assert 1 == value(series, "tts_revision_info", revision=status["revision"], candidate="")
    assert {status["revision"]} == {worker["revision"] for worker in status["workers"]}
    (described,) = [dict(labels) for name, labels in series if name == "tts_voice_info"]
    assert (voice["release"], voice["version"]) == (described["release"], described["version"])
    assert 12 == len(voice["release"]) and EMBEDDED_VERSION == voice["version"] and "none" == status["rollout"]["state"]
    assert 0 == value(series, "tts_rollouts_total", outcome="refused")


def test_openmetrics_is_returned_on_request(server):
    plain = server.ask("GET", "/metrics")
    answer = server.ask("GET", "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})

    assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.body.endswith(b"# EOF\n")
    assert set(series_of(openmetrics_families(answer.body.decode()))) == set(scraped(server))


@needs_promtool
def test_promtool_finds_no_problem(server):
    body = server.ask("GET", "/metrics").body
    result = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)

    assert (0, b"", b"") == (result.returncode, result.stdout, result.stderr)


def test_metrics_contain_no_text_and_no_pid(server):
    server.speak("Sesquipedalian secrets.")
    body = server.ask("GET", "/metrics").body.decode()

    assert "esquipedalian" not in body
    labels = {label for family in text_string_to_metric_families(body) for each in family.samples for label in each.labels}
    assert not labels & {"pid", "instance", "job"}
    assert not [line for line in body.splitlines() if line.startswith(("process_", "python_"))]


def test_scraping_needs_no_key(start):
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"  # of `secret`
    server = start(keys={"api_keys": {"sha256": [digest]}}).ready()

    assert 401 == server.speak("Hello.").status
    assert 200 == server.ask("GET", "/metrics").status


def test_killed_workers_keep_their_totals_and_leave_no_series(start):
    kills = 100
    server = start(expected_deaths=kills).ready()
    server.speak("Something to count.")
    first = before = scraped(server)

    for number in range(kills):
        victim = pair(server)[number % 2]
        victim.kill()
        server.eventually(lambda dead=victim: dead not in (pair(server) or [dead]))
        after = server.eventually(lambda: scraped_or_none(server))
        assert not decreased(before, after)
        before = after
    after = server.eventually(lambda: exits(server) == kills and scraped(server))

    assert of_the_server(first) == of_the_server(after)
    assert {dict(labels).get("worker", "0") for _, labels in after} <= {"0", "1", "2"}
    assert 1 == value(after, "tts_speeches_total", outcome="done")
    assert kills + 2 == value(after, "tts_worker_starts_total")
    assert kills == value(after, "tts_worker_exits_total", reason="killed")


def of_the_server(series):
    """Without the series of slots, which are measured one after the other."""
    return {(name, labels) for name, labels in series if "worker" not in dict(labels)}


def pair(server):
    """Return the two workers; None while one of them is being replaced."""
    try:
        workers = server.workers()
    except psutil.NoSuchProcess:  # ended meanwhile
        return []
    return workers if len(workers) == 2 else []


def exits(server):
    return value(scraped(server), "tts_worker_exits_total", reason="killed")


def scraped_or_none(server):
    """Scrape, or return None if the connection was to the killed worker."""
    try:
        return scraped(server)
    except OSError:
        return None
