"""Running servers: a shared one for tests that change nothing, and one for each test that does."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from loader.config.settings import Settings
from tests.support.gateway import Gateway
from tests.support.harness import Server

WriteConfig = Callable[..., Path]


@pytest.fixture(scope="session")
def write_config(settings: Settings, embedded_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> WriteConfig:
    """Return a function that writes a configuration of the embedded voice, or of the given `voices`, with the given keys."""

    def write(**keys: Any) -> Path:
        path = tmp_path_factory.mktemp("serving") / "tts_config.yaml"
        what = {} if "voices" in keys else {"model_path": "embedded/joe"}
        path.write_text(yaml.safe_dump({**what, "cache_dir": str(settings.cache_dir), **keys}))
        return path

    return write


@pytest.fixture(scope="package")
def server(write_config: WriteConfig) -> Iterator[Server]:
    """Four workers with the embedded voice; tests that share it must leave it unchanged."""
    running = Server(write_config(), ("--workers", "4")).start().ready()
    pids = {worker.pid for worker in running.workers()}
    yield running
    assert {worker.pid for worker in running.workers()} == pids
    running.stop()


@pytest.fixture(scope="module")
def choir(
    request: pytest.FixtureRequest, write_config: WriteConfig, artifact_of: Callable[[str], Path], embedded_artifact: Path
) -> Iterator[Server]:
    """Two workers with the voices of the module's CHOIR, in this order.

    `joe` has one unnamed speaker, `choir` three speakers and three languages, and any other name is an Esperanto voice.
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
    """One Chromium for all tests of the page; each test opens its own tab."""
    from tests.support.browser import launch

    driver = launch(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture(autouse=True)
def _check_shared_server(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test with a shared server: the same workers, a clean log, and no further descriptor."""
    shared: list[Server] = [request.getfixturevalue(name) for name in ("server", "choir") if name in request.fixturenames]
    before = [{worker.pid for worker in each.workers()} for each in shared]
    yield
    for each, pids in zip(shared, before, strict=True):
        each.check()
        assert {worker.pid for worker in each.workers()} == pids


@pytest.fixture
def start(write_config: WriteConfig) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server for one test; it is stopped and checked at the end."""
    started: list[Server] = []

    def start_one(*arguments: str, keys: dict[str, Any] | None = None, **options: Any) -> Server:
        started.append(Server(write_config(**(keys or {})), arguments, **options).start())
        return started[-1]

    yield start_one
    for each in started:
        if each.process.poll() is None:
            each.stop()
        each.close()


@pytest.fixture
def start_gateway() -> Iterator[Callable[..., Gateway]]:
    """Return a function that starts a gateway for one test; one that the test has not stopped is killed."""
    started: list[Gateway] = []

    def start_one(*arguments: str) -> Gateway:
        started.append(Gateway(*arguments).ready())
        return started[-1]

    yield start_one
    for each in started:
        each.kill()
