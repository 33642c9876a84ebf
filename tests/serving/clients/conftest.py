"""Real client programs, each in a folder of its own, since their requirements contradict each other's and those of the server."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loader.errors import StoreError
from loader.storage.store import Store
from tests.conftest import CACHE, ROOT
from tests.support.harness import Server

PROGRAMS = Path(__file__).parent / "programs"
#: Ends a client that hangs; no test waits for it to pass.
TIMEOUT_S = 240
#: What each folder holds. The newest `openai` for Python is in the environment of the tests.
PYTHON_CLIENTS = {
    "openai-1": ["openai==1.109.1"],
    "openai-2": ["openai==2.54.0"],
    "livekit": ["livekit-plugins-openai==1.8.9"],
    "pipecat": ["pipecat-ai[openai]==1.14.0"],
}
NPM_CLIENTS = {"openai-npm": ["openai@6.49.0"], "vercel": ["ai@6.0.326", "@ai-sdk/openai@3.0.141"]}
#: The file that says that a folder is complete.
_PROOF = "installed"


def _installed(name: str, install: Callable[[Path], list[str]]) -> Path:
    """Return the folder of a client, installed on the first call; skip the test if it cannot be."""

    def make(directory: Path) -> None:
        done = subprocess.run(install(directory), cwd=directory, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            pytest.skip(f"{name} cannot be installed here: {last}")
        (directory / _PROOF).touch()

    try:
        return Store(CACHE / "clients", proof=_PROOF).publish(name, make)
    except StoreError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def run_python() -> Callable[..., Any]:
    """Return a function that runs a program with the packages of a client, and returns the JSON that it prints."""

    def run_python(name: str, program: str, *arguments: object) -> Any:
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-warn-conflicts", "--target", ".", *PYTHON_CLIENTS[name]]
        folder = _installed(name, lambda directory: words)
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        return _answer([sys.executable, str(PROGRAMS / program), *map(str, arguments)], ROOT, environment)

    return run_python


@pytest.fixture(scope="session")
def run_node() -> Callable[..., Any]:
    """Return a function that runs JavaScript with the packages of a client, and returns the JSON that it prints."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("there is no node with npm; Debian's packages are `nodejs` and `npm`")

    def run_node(name: str, source: str, **environment: str) -> Any:
        folder = _installed(name, lambda directory: [npm, "install", "--no-audit", "--no-fund", *NPM_CLIENTS[name]])
        # Packages are found from the folder of a module, which is the current one if the source comes by standard input.
        return _answer([node, "--input-type=module"], folder, {**os.environ, **environment}, source)

    return run_node


def _answer(words: list[str], folder: Path, environment: dict[str, str], source: str | None = None) -> Any:
    done = subprocess.run(
        words, cwd=folder, env=environment, input=source, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def speaks_until_abandoned(server: Server) -> Callable[[int], None]:
    """Return a function that waits until the server has given up `count` more speeches than before the test."""
    before = server.log().count("event=speech.abandoned")

    def wait(count: int) -> None:
        server.eventually(lambda: server.log().count("event=speech.abandoned") >= before + count)

    return wait
