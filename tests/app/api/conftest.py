"""A whole application in this process: the embedded voice, and one of three speakers and three languages."""

import io

import pytest
import soundfile
from flask.testing import FlaskClient

from app import wsgi
from app.scoreboard.board import Scoreboard
from tests.conftest import CACHE


class Client(FlaskClient):
    """A client that reads an answer to its end, which closes what it is spooled in."""

    def open(self, *arguments, **options):
        return super().open(*arguments, buffered=True, **options)


@pytest.fixture(scope="session")
def application(artifact_of, tmp_path_factory):
    path = tmp_path_factory.mktemp("api") / "tts_config.yaml"
    path.write_text(
        f"cache_dir: {CACHE}\nvoices:\n  - {{name: joe, model_path: embedded/joe}}\n"
        f"  - {{name: choir, model_path: {artifact_of('languages')}, speaker: Ada, language: en}}\n"
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CHORUS_CONFIG", str(path))
        made = wsgi.create()
    made.test_client_class = Client
    board = Scoreboard(1)
    made.extensions["chorus"].enter_worker(board, board.take_slot())
    return made


@pytest.fixture
def client(application):
    return application.test_client()


@pytest.fixture
def speak(client):
    """Return a function that posts fields for speech, as a whole WAV, and returns the answer."""
    return lambda **fields: client.post("/v1/audio/speech", json={"input": "Hello.", "response_format": "wav", **fields})


@pytest.fixture(scope="session")
def samples_of():
    """Return a function from an answer to the samples of its audio."""
    return lambda answer: soundfile.read(io.BytesIO(answer.data), dtype="int16")[0]
