"""Running servers: one shared by the tests that only ask, one of its own for each test that breaks things."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from loader.config.settings import Settings
from tests.support.harness import Server

WriteConfig = Callable[..., Path]


@pytest.fixture(scope="session")
def write_config(settings: Settings, embedded_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> WriteConfig:
    """Write a configuration of the embedded voice, or of the given `voices`, with the given keys on top."""

    def write(**keys: Any) -> Path:
        path = tmp_path_factory.mktemp("serving") / "tts_config.yaml"
        what = {} if "voices" in keys else {"model_path": "embedded/joe"}
        path.write_text(yaml.safe_dump({**what, "cache_dir": str(settings.cache_dir), **keys}))
        return path

    return write


@pytest.fixture(scope="package")
def server(write_config: WriteConfig) -> Iterator[Server]:
    """Four workers on the embedded voice; tests that share it must leave it as it was."""
    running = Server(write_config(), ("--workers", "4")).start().ready()
    pids = {worker.pid for worker in running.workers()}
    yield running
    assert {worker.pid for worker in running.workers()} == pids
    running.stop()


@pytest.fixture(scope="module")
def choir(
    request: pytest.FixtureRequest, write_config: WriteConfig, artifact_of: Callable[[str], Path], embedded_artifact: Path
) -> Iterator[Server]:
    """Two workers on the voices that the module's CHOIR names, in its order.

    `joe` has one nameless speaker, `choir` three speakers and three languages, and any other name is of a voice of Esperanto.
    """
    known = {
        "joe": {"model_path": str(embedded_artifact), "aliases": ["alloy"]},
        "choir": {"model_path": str(artifact_of("languages")), "speaker": "Ada", "language": "en"},
    }
    other = {"model_path": str(artifact_of("graphemes")), "language": "eo"}
    voices = [{"name": name, **known.get(name, other)} for name in request.module.CHOIR]
    running = Server(write_config(voices=voices), ("--workers", "2")).start().ready()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for all tests of the page; each test opens a tab of its own."""
    from tests.support.browser import launch

    driver = launch(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture(autouse=True)
def _nothing_went_wrong(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test that used a shared server: the same workers, a clean log, no descriptor more."""
    shared: list[Server] = [request.getfixturevalue(name) for name in ("server", "choir") if name in request.fixturenames]
    before = [{worker.pid for worker in each.workers()} for each in shared]
    yield
    for each, pids in zip(shared, before, strict=True):
        each.check()
        assert {worker.pid for worker in each.workers()} == pids


@pytest.fixture
def start(write_config: WriteConfig) -> Iterator[Callable[..., Server]]:
    """Start a server of the test's own; it is stopped, and checked, when the test is over."""
    started: list[Server] = []

    def start_one(*arguments: str, keys: dict[str, Any] | None = None, **options: Any) -> Server:
        started.append(Server(write_config(**(keys or {})), arguments, **options).start())
        return started[-1]

    yield start_one
    for each in started:
        if each.process.poll() is None:
            each.stop()
        each.close()
