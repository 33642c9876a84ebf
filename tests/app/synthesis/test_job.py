"""app.synthesis.job: every job is timed, logged and counted, for each way to end; speech and captions have one policy."""

import itertools
import logging
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from app.api.responses import _stream
from app.api.sse import stream_events
from app.codecs.registry import PlainEncoder
from app.errors import (
    AudioTooLongError,
    ClientDisconnectedError,
    DeadlineError,
    SpeechFailedError,
    UnknownPhonemesError,
    UnspeakableError,
)
from app.scheduling.admission import Turn
from app.scheduling.cpu import CpuBudget
from app.scheduling.deadline import Client
from app.scheduling.slow_clients import Delivery, Parking
from app.scoreboard.board import Scoreboard
from app.scoreboard.snapshot import snapshot
from app.synthesis.job import SynthesisJob
from app.synthesis.request import SpeechRequest
from app.system.heap import IdleHeap
from loader.config.settings import Limits
from loader.errors import UnknownSymbolsError
from loader.text.lexicon.entries import Entry
from loader.voices.voice import SpeechOptions

LIMITS = Limits(text_characters=20, body_bytes=1024)
WAITING = Client(lambda: False, 100.0)
SILENT = "\u200b? " * 300
LONG = "One sentence. And another one. And a third one."


class Bench:
    """The scoreboard of a worker, and jobs on it."""

    def __init__(self, catalogue):
        self.voice = catalogue.default
        self.board = Scoreboard(1)
        self.slot = self.board.take_slot()
        self.parking = Parking(4, 1, IdleHeap(), self.slot)

    def job(self, text="Hello there.", client=WAITING, cores=1, audible=True, stream=False, limits=LIMITS, now=None, **options):
        cpu = CpuBudget(self.board, self.slot, cores, **options)
        delivery = Delivery(self.parking, None, "id-1", Turn(lambda: None))
        request = SpeechRequest(text, self.voice, SpeechOptions(9, soon=stream), "wav", "id-1")
        return SynthesisJob(request, client, 2.5, cpu, self.slot, delivery, limits, audible, **({"now": now} if now else {}))

    def outcomes(self):
        return {name: count for name, count in snapshot(self.board).totals.outcomes.items() if count}


@pytest.fixture
def bench(catalogue, caplog):
    caplog.set_level(logging.INFO, "chorus.speech")
    return Bench(catalogue)


def steps():
    clock = itertools.count(100.0, 0.5)
    return lambda: next(clock)


def events(caplog):
    return [record.msg["event"] for record in caplog.records if isinstance(record.msg, dict)]


def test_a_finished_job_is_logged_and_counted_as_done(bench, caplog):
    with bench.job(client=Client(lambda: False, 90.0), now=steps()) as job:
        chunks = list(job)

    (record,) = caplog.records
    audio_s = sum(each.samples.size for each in chunks) / 22050
    totals = snapshot(bench.board).totals
    assert ("speech.done", round(audio_s, 3)) == (record.msg["event"], record.msg["audio_s"])
    assert (12, "id-1", "joe", 2.5) == tuple(record.msg[name] for name in ("chars", "request_id", "voice", "queue_s"))
    assert record.msg["took_s"] > record.msg["first_window_s"] > 0
    assert ({"done": 1}, 12, pytest.approx(audio_s)) == (bench.outcomes(), totals.characters, totals.audio_s)
    assert 11.0 == totals.histograms["first_audio_s"].sum == record.msg["first_audio_s"]
    assert totals.histograms["synthesis_s"].sum / totals.audio_s == pytest.approx(totals.histograms["rtf"].sum)


def test_audio_counts_on_the_scoreboard_as_it_is_made(bench):
    with bench.job(LONG) as job:
        counted_s = [snapshot(bench.board).totals.audio_s for _ in job]

    assert 0 < counted_s[0] < counted_s[-1] == pytest.approx(bench.slot.row["audio_s"])


@pytest.mark.parametrize("chunks", [0, 1, 2])
@pytest.mark.parametrize("begins", [False, True])
def test_a_job_that_is_closed_early_is_logged_and_counted_as_abandoned(bench, caplog, begins, chunks):
    with bench.job(LONG) as job:
        if begins:
            job.begin()
        for _ in range(chunks):
            next(job)

    assert (["speech.abandoned"], {"abandoned": 1}) == (events(caplog), bench.outcomes())
    assert [] == list(job)


@pytest.mark.parametrize("audible, noun", [(True, "speech"), (False, "captions")])
@pytest.mark.parametrize(
    "text, client, limits, error, outcome",
    [
        (LONG, WAITING, replace(LIMITS, audio_s=0.1), AudioTooLongError, "refused"),
        (LONG, Client(lambda: True, 0.0), LIMITS, ClientDisconnectedError, "abandoned"),
        (LONG, Client(lambda: False, 0.0, deadline_s=1.0), LIMITS, DeadlineError, "abandoned"),
    ],
)
def test_speech_and_captions_have_the_same_outcomes(bench, caplog, audible, noun, text, client, limits, error, outcome):
    with pytest.raises(error), bench.job(text, client, audible=audible, limits=limits) as job:
        list(job)

    assert ([f"{noun}.{outcome}"], {outcome: 1} if audible else {}) == (events(caplog), bench.outcomes())


@pytest.mark.parametrize("audible", [True, False])
def test_a_text_without_sound_is_a_short_silence(bench, caplog, audible):
    with bench.job("?!", WAITING, audible=audible) as job:
        (chunk,) = job

    assert (True, 0.2) == (job.is_silent, chunk.end_samples / bench.voice.sample_rate_hz)
    assert not chunk.samples.any() and chunk.samples.size == audible * chunk.end_samples
    assert [f"{'speech' if audible else 'captions'}.done"] == events(caplog)


@pytest.mark.parametrize("audible, noun", [(True, "speech"), (False, "captions")])
def test_a_text_without_sound_is_refused_if_it_is_configured_so(bench, caplog, monkeypatch, audible, noun):
    monkeypatch.setattr(bench.voice, "unspeakable", "error")

    with pytest.raises(UnspeakableError), bench.job("?!", WAITING, audible=audible) as job:
        list(job)

    assert ([f"{noun}.refused"], {"refused": 1} if audible else {}) == (events(caplog), bench.outcomes())


@pytest.mark.parametrize(("term", "parameter"), [("there", "lexicon"), ("hello", "input")])
def test_phonemes_that_the_voice_does_not_have_are_refused_and_their_field_is_named(bench, caplog, monkeypatch, term, parameter):
    def segments(*_):
        yield from ()
        raise UnknownSymbolsError("joe", term, "ꞎ", "ab")

    monkeypatch.setattr(bench.voice, "segments", segments)
    job = bench.job()
    job.request = replace(job.request, options=replace(job.request.options, lexicon=(Entry("there", phonemes="ꞎ"),)))
    with pytest.raises(UnknownPhonemesError, match="'joe' does not have: ꞎ; it has a b") as refused, job:
        job.begin()

    assert (parameter, 400) == (refused.value.parameter, refused.value.status)
    assert ["speech.refused"] == events(caplog)


def test_a_voice_that_fails_is_logged_and_counted_as_failed(bench, caplog, monkeypatch):
    def segments(*_):
        yield from ()
        raise MemoryError("no more memory")

    monkeypatch.setattr(bench.voice, "segments", segments)
    with pytest.raises(MemoryError), bench.job() as job:
        job.begin()

    assert (["speech.failed"], {"failed": 1}) == (events(caplog), bench.outcomes())
    assert "MemoryError: no more memory" == caplog.records[0].msg["reason"] == snapshot(bench.board).failures[0].what


def test_a_voice_that_fails_after_its_first_chunk_ends_the_job(bench, caplog, monkeypatch):
    spoken = bench.voice.segments

    def segments(*arguments):
        yield next(spoken(*arguments))
        raise MemoryError("no more memory")

    monkeypatch.setattr(bench.voice, "segments", segments)
    with pytest.raises(SpeechFailedError), bench.job(LONG, stream=True) as job:
        job.begin()
        list(job)

    assert (["speech.failed"], {"failed": 1}) == (events(caplog), bench.outcomes())


def test_an_exception_of_the_consumer_is_a_failure(bench, caplog):
    with pytest.raises(ZeroDivisionError), bench.job(LONG) as job:
        next(job)
        raise ZeroDivisionError

    assert (["speech.failed"], {"failed": 1}) == (events(caplog), bench.outcomes())


@pytest.mark.parametrize("made_of", [_stream, stream_events])
def test_an_exception_of_the_codec_in_a_stream_is_a_failure(bench, caplog, made_of):
    """The server closes a failed stream without passing the exception on."""

    class BrokenEncoder(PlainEncoder):
        def encode(self, samples):
            raise ZeroDivisionError

    job = bench.job(LONG, stream=True)
    pieces = made_of(job, BrokenEncoder(True, bench.voice.sample_rate_hz, streamed=True))
    with suppress(ZeroDivisionError):
        list(pieces)
    pieces.close()
    job.__exit__(None, None, None)

    assert (["speech.failed"], {"failed": 1}) == (events(caplog), bench.outcomes())


@pytest.mark.parametrize("cores", [2, 3])
def test_more_threads_do_not_change_the_audio(bench, cores):
    text = "One sentence, of some length, so that there is more than one window to it. And another one! And a third."
    alone, together = (list(bench.job(text, cores=each)) for each in (1, cores))

    assert len(alone) == len(together) > 3
    assert all(np.array_equal(one.samples, other.samples) for one, other in zip(alone, together, strict=True))
    assert [0, 1, 2] == [each.begins.sentence for each in together if each.begins]


def test_a_request_counts_as_speaking_only_while_a_chunk_is_made(bench):
    with bench.job(LONG) as job:
        next(job)

        assert 0 == bench.board.speaking()


def test_captions_have_the_times_of_the_audio(bench):
    text = "On the 3rd of May it cost $3.50. Nobody minded, and everybody went home."
    timings, audible = (
        [bench.voice.timing(chunk) for chunk in bench.job(text, audible=audible) if chunk.begins]
        for audible in (False, True)
    )

    assert timings == audible
    assert timings[-1].end_samples == sum(each.samples.size for each in bench.job(text))
    assert ["On", "the", "3rd", "of", "May", "it", "cost", "$3.50"] == [word.text for word in timings[0].words]


def test_captions_are_logged_and_not_counted_as_speech(bench, caplog):
    with bench.job(audible=False) as job:
        assert [0] == [chunk.samples.size for chunk in job]

    totals = snapshot(bench.board).totals
    assert (["captions.done"], {}, 0.0) == (events(caplog), bench.outcomes(), totals.audio_s)
    assert 0 == totals.histograms["first_audio_s"].count == totals.histograms["synthesis_s"].count
    assert caplog.records[0].msg["audio_s"] > 0.5


@pytest.mark.parametrize("audible", [True, False])
def test_a_disconnect_ends_the_processing_of_a_text_without_sound(bench, audible):
    checks = itertools.count()
    client = Client(lambda: next(checks) >= 10, 0.0)

    with pytest.raises(ClientDisconnectedError), bench.job(SILENT, client, audible=audible) as job:
        list(job)

    assert 11 == next(checks)


def test_processing_a_text_without_sound_is_progress(bench):
    clock = itertools.count(100.0, 1.0)
    overdue = []
    client = Client(lambda: bool(overdue.append(next(clock) > bench.slot.row["stalls_s"])), 0.0)

    with bench.job(SILENT, client, stall_s=5.0) as job:
        job._cpu._now = lambda: next(clock)
        job.begin()

    assert 300 == len(overdue) and not any(overdue)


def test_a_stream_that_started_in_time_has_no_deadline(bench):
    client = Client(lambda: False, 0.0, deadline_s=time.monotonic() + 3600)
    streamed, whole = (bench.job(LONG, client, stream=stream) for stream in (True, False))
    for job in (streamed, whole):
        job.begin()
    object.__setattr__(client, "deadline_s", 1.0)

    assert len(list(streamed)) > 2
    with pytest.raises(DeadlineError):
        list(whole)
