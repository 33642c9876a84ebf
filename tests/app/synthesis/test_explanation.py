"""app.synthesis.explanation: every explanation is timed and logged, without its text, for each way to end."""

import itertools
import json
import logging
import re

import pytest

import app.synthesis.explanation
from app.errors import ClientDisconnectedError, DeadlineError, UnspeakableError
from app.scheduling.cpu import CpuBudget
from app.scheduling.deadline import Client
from app.scoreboard.board import Scoreboard
from app.scoreboard.snapshot import snapshot
from app.synthesis.explanation import ExplanationJob, explanation_json
from app.synthesis.request import SpeechRequest
from loader.errors import UnreadableTextError
from loader.voices.voice import SpeechOptions
from tests.conftest import ROOT

WAITING = Client(lambda: False, 100.0)


class Bench:
    """The scoreboard of a worker, and explanations on it."""

    def __init__(self, catalogue):
        self.voice = catalogue.default
        self.board = Scoreboard(1)
        self.slot = self.board.take_slot()

    def request(self, text):
        return SpeechRequest(text, self.voice, SpeechOptions(9), "mp3", "id-1")

    def job(self, text="It costs $1. Yes.", client=WAITING):
        cpu, clock = CpuBudget(self.board, self.slot, 1), itertools.count(100.0, 0.5)
        return ExplanationJob(self.request(text), client, 2.5, cpu, self.slot, lambda: next(clock))


@pytest.fixture
def bench(catalogue, caplog):
    caplog.set_level(logging.INFO, "chorus.speech")
    return Bench(catalogue)


def test_an_explanation_is_logged_as_done_and_not_counted_as_speech(bench, caplog):
    sentences = bench.job().run()

    (record,) = caplog.records
    totals = snapshot(bench.board).totals
    assert ["It costs $1.", "Yes."] == [sentence.written for sentence in sentences]
    assert ("explanation.done", 17, "joe") == tuple(record.msg[name] for name in ("event", "chars", "voice"))
    assert (2.5, 1.5, 0.0) == tuple(record.msg[name] for name in ("queue_s", "made_s", "audio_s"))
    assert not any("costs" in str(value) or "dollar" in str(value) for value in record.msg.values())
    assert (0.0, 0, 0) == (totals.audio_s, totals.characters, sum(totals.outcomes.values()))


@pytest.mark.parametrize(
    ("client", "error"),
    [(Client(lambda: True, 0.0), ClientDisconnectedError), (Client(lambda: False, 0.0, deadline_s=1.0), DeadlineError)],
    ids=["disconnected", "deadline"],
)
def test_a_client_that_does_not_wait_ends_it(bench, caplog, client, error):
    with pytest.raises(error):
        bench.job(client=client).run()

    assert "explanation.abandoned" == caplog.records[-1].msg["event"]


@pytest.mark.parametrize(
    ("raised", "error", "event", "level"),
    [
        (UnreadableTextError("a part", "en"), UnspeakableError, "explanation.refused", logging.INFO),
        (RuntimeError("a defect"), RuntimeError, "explanation.failed", logging.ERROR),
    ],
    ids=["unreadable", "defect"],
)
def test_a_text_that_cannot_be_read_and_a_defect_are_logged(bench, caplog, monkeypatch, raised, error, event, level):
    def explain(*_):
        raise raised
        yield

    monkeypatch.setattr(app.synthesis.explanation, "explain", explain)
    with pytest.raises(error):
        bench.job().run()

    assert (event, level) == (caplog.records[-1].msg["event"], caplog.records[-1].levelno)
    assert bool(snapshot(bench.board).failures) == (level == logging.ERROR)


def test_the_document_has_plain_values(bench):
    document = explanation_json(bench.job("At $1.").run(), bench.request("At $1."))

    (sentence,) = document["sentences"]
    assert {"voice": "joe", "language": "en-us"} == {name: document[name] for name in ("voice", "language")}
    assert ("At $1.", "At one dollar.") == (sentence["written"], sentence["normalized"])
    assert {"written": "At", "start": 0, "stop": 2, "spoken": "At", "phonemes": "æt", "source": "voice"} == {
        name: value for name, value in sentence["words"][0].items() if name != "ids"
    }


def test_the_answer_of_the_documents_is_that_of_the_embedded_voice(bench):
    document = (ROOT / "docs" / "text.md").read_text(encoding="utf-8")
    text = re.search(r"audio/explain --data-urlencode 'input=(.*)'", document)[1]
    answer = explanation_json(bench.job(text).run(), bench.request(text))

    assert json.loads(re.search(r"^```json\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)[1]) == json.loads(json.dumps(answer))
