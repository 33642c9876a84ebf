"""Texts that would crash a worker, block a core or fill the memory: their own outcome, and that of other requests."""

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from tests.loader.text.crashing import CRASHING
from tests.support.harness import Server

#: Each crashed a worker through espeak-ng.
ENDED = ["'s" * 68, "auto" * 51, "non" * 51, "un" * 51, "w" * 300, "9" * 84, *(text for text, _ in CRASHING)]
SOUNDLESS = "\u200b!"
LONG = "A sentence that is long enough to be decoded in several windows, one after the other. "


def readers_of(worker):
    """Return the keeper and the reader of a worker's espeak-ng."""
    return worker.children(recursive=True)


def ask(server, how, text):
    if how == "speech":
        return server.speak(text)
    if how == "stream":
        return server.speak(text, stream=True, response_format="mp3")
    if how == "sse":
        return server.speak(text, stream_format="sse", timestamp_granularities=["word"])
    if how == "captions":
        return server.ask("POST", "/v1/audio/captions", {"input": text, "caption_format": "srt"})
    if how == "explain":
        return server.ask("POST", "/v1/audio/explain", {"input": text})
    path, field = {"coqui": ("/api/tts", "text"), "marytts": ("/process", "INPUT_TEXT")}[how]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return server.ask("POST", path, urlencode({field: text}), form)


@pytest.mark.parametrize("how", ["speech", "stream", "sse", "captions", "explain", "coqui", "marytts"])
def test_no_text_crashes_a_worker(server, how):
    before = {worker.pid for worker in server.workers()}

    answers = [ask(server, how, f"Before. {text} After.") for text in ENDED]

    assert {200} == {answer.status for answer in answers}
    assert before == {worker.pid for worker in server.workers()}
    assert server.speak("Hello there.", seed=3).body == server.speak("Hello there.", seed=3).body


def test_each_worker_has_one_reader_which_ends_with_the_worker(start):
    server = start(expected_deaths=1).ready()
    server.speak("Hello.")
    first, second = server.workers()
    families = [readers_of(worker) for worker in (first, second)]
    assert [2, 2] == [len(family) for family in families]

    first.kill()
    server.eventually(lambda: first.pid not in {worker.pid for worker in server.workers()})
    server.eventually(lambda: not any(each.is_running() for each in families[0]))

    assert all(each.is_running() for each in families[1])
    server.eventually(lambda: len(server.workers()) == 2 and server.speak("Hello.").status == 200)


def test_killed_readers_are_restarted(start):
    server = start().ready()
    for each in [reader for worker in server.workers() for reader in readers_of(worker)]:
        each.kill()

    answers = [server.speak("Hello.", seed=1) for _ in range(4)]

    assert {200} == {answer.status for answer in answers}
    assert 1 == len({answer.body for answer in answers})
    assert "ended from outside" in server.log()


@pytest.fixture(scope="module")
def unreadable(write_config):
    server = Server(write_config(), ("tests.support.unreadable_voice:create()",)).start().ready()
    yield server
    server.stop()


@pytest.mark.parametrize("how", ["speech", "stream", "sse", "captions", "explain", "coqui", "marytts"])
@pytest.mark.parametrize("text", ["xyzzy", "Hello xyzzy there.", "Say xyzzy-xyzzy now!"])
def test_a_text_that_cannot_be_read_is_a_400_that_names_the_part(unreadable, how, text):
    answer = ask(unreadable, how, text)

    assert 400 == answer.status
    assert b"xyzzy" in answer.body and b"cannot be read" in answer.body
    assert "xyzzy" not in unreadable.log()
    assert unreadable.ask("GET", "/status").json()["totals"]["reader_ends"] > 0


@pytest.mark.parametrize("how", ["speech", "captions", "explain", "coqui", "marytts"])
def test_a_part_that_cannot_be_read_after_the_first_sentence_is_a_400_for_a_whole_answer(unreadable, how):
    answer = ask(unreadable, how, LONG * 3 + "Then xyzzy came.")

    assert 400 == answer.status
    assert b"xyzzy" in answer.body


def test_a_stream_with_such_a_part_is_truncated_and_an_event_stream_has_the_error(unreadable):
    text = LONG * 3 + "Then xyzzy came."
    connection = unreadable.connection()
    connection.request("POST", "/v1/audio/speech", json.dumps({"input": text, "stream": True, "response_format": "pcm"}))
    response = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as cut:
        response.read()
    connection.close()
    events = [json.loads(block[6:]) for block in ask(unreadable, "sse", text).body.decode().split("\n\n") if block]

    assert len(cut.value.partial) > 22050
    assert ("error", "unspeakable_text") == (events[-1]["type"], events[-1]["error"]["code"])
    assert unreadable.ask("GET", "/status").json()["totals"]["outcomes"]["refused"] >= 2


def test_a_text_without_sound_is_progress_and_ends_with_its_client(start):
    limits = {"text_characters": 1_000_000, "body_bytes": 8_000_000}
    server = start("--workers", "1", keys={"limits": limits, "admission": {"stall_s": 1.0}}).ready()
    body = json.dumps({"input": SOUNDLESS * 400_000, "sentence_pause": 0})
    leaving = server.connection()
    leaving.request("POST", "/v1/audio/speech", body)
    server.eventually(lambda: server.ask("GET", "/status").json()["workers"][0]["speaking"] == 1)

    late = server.ask("POST", "/v1/audio/speech", body, {"X-Request-Timeout": "3"})
    honest = server.speak("Hello there.")
    leaving.close()
    server.eventually(lambda: server.ask("GET", "/status").json()["workers"][0]["speaking"] == 0)

    assert (503, "deadline_exceeded") == (late.status, late.json()["error"]["code"])
    assert 200 == honest.status
    assert 1 == server.ask("GET", "/status").json()["totals"]["forks"]


@pytest.mark.parametrize("stream", [False, True])
def test_silence_above_the_limit_is_refused_at_once(server, stream):
    answer = server.speak("A! " * 650, sample_rate=48_000, sentence_pause=10, stream=stream)

    error = answer.json()["error"]
    assert (413, "silence_too_long", "sentence_pause") == (answer.status, error["code"], error["param"])
    assert "650 sentences with pauses of 10 s" in error["message"]


def test_a_whole_answer_above_the_limit_is_refused_with_the_advice_to_stream(start):
    server = start(keys={"limits": {"answer_bytes": 1_000_000}}).ready()
    text = "A! " * 4

    refused = server.speak(text, sample_rate=48_000, sentence_pause=5)
    answers = [server.speak(text, sample_rate=48_000, sentence_pause=5, stream=True, response_format="wav"), server.speak(text)]

    assert (413, "answer_too_large") == (refused.status, refused.json()["error"]["code"])
    assert "more than 1000000 bytes" in refused.json()["error"]["message"] and "stream" in refused.json()["error"]["message"]
    assert [200, 200] == [answer.status for answer in answers]
    assert len(answers[0].body) > 1_000_000


def test_four_answers_of_silence_use_little_more_memory_than_four_ordinary_ones(start):
    """90 MB each, spooled in a file while they are made and sent."""
    server = start("--workers", "1").ready()
    (worker,) = server.workers()

    def peak_of(**fields):
        peaks, over = [0], threading.Event()

        def look():
            while not over.wait(0.02):
                peaks.append(worker.memory_full_info().uss)

        with ThreadPoolExecutor(5) as pool:
            watching = pool.submit(look)
            answers = list(pool.map(lambda seed: server.speak(seed=seed, **fields), range(4)))
            over.set()
            watching.result()
        assert {200} == {answer.status for answer in answers}
        return max(peaks), len(answers[0].body)

    ordinary, _ = peak_of(text=LONG * 20)
    silent, size_bytes = peak_of(text="A! " * 95, sample_rate=48_000, sentence_pause=10)

    assert size_bytes > 90_000_000
    assert silent < 1.3 * ordinary


def test_a_chapter_is_within_the_default_limits(server):
    """20,000 characters as a whole WAV at the highest rate would be 115 MB; a twentieth of the text shows the size."""
    text = (LONG * 12)[:1000]
    answer = server.speak(text, sample_rate=48_000)

    assert 200 == answer.status
    assert 20 * len(answer.body) < 134_217_728
