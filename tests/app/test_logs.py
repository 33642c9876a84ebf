"""app.logs: one line per event, in both formats."""

import json
import logging
import re
import subprocess
import sys

import pytest

from app.logs import HideExceptions, SpeechReport, log_speech, logging_config, place_of, trace_id_of
from tests.conftest import ROOT

PROGRAM = """
import logging, logging.config
from app.logs import event, logging_config
logging.config.dictConfig(logging_config({log_format!r}))
log = logging.getLogger("chorus.test")
event(log, "speech.done", chars=4, took_s=0.25, voice="a voice")
logging.getLogger("gunicorn.access").info("GET /api/tts?text=secret")
logging.getLogger("gunicorn.error").info("Booting")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("request.failed")
"""


@pytest.fixture(params=["logfmt", "json"])
def lines(request):
    command = [sys.executable, "-c", PROGRAM.format(log_format=request.param)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return request.param, result.stderr.splitlines()


def test_every_event_is_one_line_even_with_a_traceback(lines):
    _, written = lines

    assert 3 == len(written)
    assert "ZeroDivisionError" in written[2]


def test_fields_keep_their_names_and_values(lines):
    log_format, written = lines

    if log_format == "json":
        line = json.loads(written[0])
        assert ("speech.done", 4, 0.25, "a voice") == (line["event"], line["chars"], line["took_s"], line["voice"])
        assert {"at", "level", "pid", "log"} <= set(line)
    else:
        assert 'log=chorus.test event=speech.done chars=4 took_s=0.25 voice="a voice"' in written[0]


def test_access_lines_which_contain_queries_are_not_written(lines):
    assert "secret" not in "".join(lines[1])


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "traceparent, found",
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"00-{TRACE}-00f067aa0ba902b7-00", TRACE),
        (f"cc-{TRACE}-00f067aa0ba902b7-01-what-later-versions-say", TRACE),
        (f"00-{TRACE}-00f067aa0ba902b7-01-more", None),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}-00f067aa0ba902b7-01\n", None),
        (f"00-{TRACE[1:]}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}", None),
        ("", None),
    ],
)
def test_a_trace_is_continued_only_if_the_traceparent_is_valid(traceparent, found):
    assert found == trace_id_of(traceparent)


def test_lines_of_gunicorn_name_the_exception_without_its_text():
    record = logging.LogRecord("gunicorn.error", logging.DEBUG, __file__, 1, "Ignored. %s after %d", (OSError("secret"), 3), None)

    assert HideExceptions().filter(record)
    assert "Ignored. OSError after 3" == record.getMessage()
    assert "filters" in logging_config("logfmt")["loggers"]["gunicorn.error"]


def test_the_location_of_an_error_is_where_it_was_raised_first():
    try:
        int("secret")
    except ValueError as error:
        assert re.fullmatch(r"test_logs\.py:\d+", place_of(error))
    assert "an unknown place" == place_of(ValueError())


@pytest.mark.parametrize("outcome, reason, level", [("done", "", logging.INFO), ("failed", "MemoryError: none", logging.ERROR)])
def test_the_line_of_a_request_has_what_was_asked_how_long_it_took_and_why_it_failed(caplog, outcome, reason, level):
    caplog.set_level(logging.INFO, "chorus.speech")
    report = SpeechReport(
        noun="speech", outcome=outcome, reason=reason, request={"request_id": "id-1", "chars": 4}, queue_s=0.5, arrived_s=10.0,
        started_s=10.5, first_chunk_s=11.0, ended_s=14.5, made_s=2.0, audio_s=8.0,
    )  # fmt: skip
    log_speech(report)
    (record,) = caplog.records

    assert (level, f"speech.{outcome}") == (record.levelno, record.msg.pop("event"))
    assert reason == record.msg.pop("reason", "")
    assert {
        "request_id": "id-1", "chars": 4, "queue_s": 0.5, "first_window_s": 0.5, "first_audio_s": 1.0, "audio_s": 8.0,
        "took_s": 4.0, "made_s": 2.0, "rtf": 0.25,
    } == record.msg  # fmt: skip


def test_the_line_of_a_request_without_audio_has_no_figures_of_it(caplog):
    caplog.set_level(logging.INFO, "chorus.speech")
    log_speech(SpeechReport("captions", "refused", "", {}, 0.0, 1.0, 1.0, None, 2.0, 0.0, 0.0))

    assert [None] * 3 == [caplog.records[0].msg[name] for name in ("first_window_s", "first_audio_s", "rtf")]
