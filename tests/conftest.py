"""Real voices for the whole suite: the embedded one, and a random one of LJSpeech's size.

Both are built and baked once and kept in tests/.cache, by the product's own code.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from loader.artifacts.artifact import Artifact, open_artifact
from loader.artifacts.resolve import locate_artifact
from loader.config.settings import Settings, load_settings
from loader.releases.release import HASH_FILE
from loader.storage.store import Store
from loader.text.espeak import Espeak
from loader.voices.catalog import Catalog, open_catalog
from ops.benchmarks import voices
from ops.benchmarks.coqui_joe import coqui_joe
from tests.support.checkpoints import TINY_SIZE

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "tests" / ".cache"
#: Paths that `--quick` leaves out: tests that start servers, bake checkpoints or run native Coqui.
SLOW = (
    "tests/serving", "tests/ops", "tests/loader/bake", "tests/loader/engines", "tests/loader/timing/test_timing_in_audio.py",
    "tests/loader/text/test_parity.py", "tests/loader/text/test_espeak.py", "tests/app/watchdog/test_watchdog.py",
    "tests/app/tuning/test_search.py",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--quick`, see `ops/test --help`."""
    parser.addoption("--quick", action="store_true", help="leave out tests that start servers or bake checkpoints")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out slow tests with `--quick`."""
    path = collection_path.relative_to(ROOT).as_posix()
    return True if config.getoption("--quick") and path in SLOW else None


@pytest.fixture(scope="session", autouse=True)
def _no_process_is_left() -> Iterator[None]:
    """Check at the end of the session, as the first fixture, that every process that a test started has ended."""
    yield
    Espeak().stop()
    left = psutil.Process().children(recursive=True)
    assert not left, left


@pytest.fixture
def default_interrupt() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt, as in a program that is started by hand; the test may change it."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A configuration of the embedded voice alone."""
    path = tmp_path_factory.mktemp("config") / "tts_config.yaml"
    path.write_text(f"model_path: embedded/joe\ncache_dir: {CACHE}\n")
    return load_settings(path)


@pytest.fixture(scope="session")
def embedded_artifact(settings: Settings) -> Path:
    """The baked embedded voice."""
    return locate_artifact(settings.voices[0], settings)


@pytest.fixture(scope="session")
def joe_coqui_release() -> Path:
    """The network of the embedded voice as a Coqui model directory, whose text Coqui reads."""
    return coqui_joe(CACHE / "releases")


@pytest.fixture(scope="session")
def joe_coqui_settings(joe_coqui_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A configuration of that directory alone."""
    path = tmp_path_factory.mktemp("joe") / "tts_config.yaml"
    path.write_text(f"model_path: {joe_coqui_release}\ncache_dir: {CACHE}\n")
    return load_settings(path)


@pytest.fixture(scope="session")
def joe_coqui_artifact(joe_coqui_settings: Settings) -> Path:
    """That directory, baked."""
    return locate_artifact(joe_coqui_settings.voices[0], joe_coqui_settings)


@pytest.fixture(scope="session")
def opened_joe_coqui(joe_coqui_artifact: Path) -> Artifact:
    """Its artifact, mapped."""
    return open_artifact(joe_coqui_artifact)


@pytest.fixture(scope="session")
def catalogue(settings: Settings, embedded_artifact: Path) -> Catalog:
    """The embedded voice, opened as a server opens it."""
    return open_catalog(settings, [embedded_artifact])


@pytest.fixture(scope="session")
def large_release() -> Path:
    """A sealed Coqui VITS directory of LJSpeech's size, with random weights."""
    return voices.large_release(CACHE / "releases")


@pytest.fixture(scope="session")
def release_of() -> Callable[[str], Path]:
    """Return the sealed Coqui directory of any small voice that `tests.support.checkpoints` knows."""

    def release_of(name: str) -> Path:
        def make(directory: Path) -> None:
            subprocess.run([sys.executable, "-m", "tests.support.checkpoints", name, directory], cwd=ROOT, check=True)

        return Store(CACHE / "releases", proof=HASH_FILE).publish(name, make)

    return release_of


@pytest.fixture(scope="session")
def tiny_release(release_of: Callable[[str], Path]) -> Path:
    """A sealed Coqui VITS directory of 7 MB, with random weights."""
    return release_of(TINY_SIZE)


@pytest.fixture(scope="session")
def artifact_of(release_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the baked artifact of any small voice that `tests.support.checkpoints` knows."""

    def artifact_of(name: str) -> Path:
        path = tmp_path_factory.mktemp(name) / "tts_config.yaml"
        path.write_text(f"model_path: {release_of(name)}\ncache_dir: {CACHE}\n")
        settings = load_settings(path)
        return locate_artifact(settings.voices[0], settings)

    return artifact_of


@pytest.fixture(scope="session")
def large_settings(large_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A configuration of the random voice of LJSpeech's size."""
    path = tmp_path_factory.mktemp("large") / "tts_config.yaml"
    path.write_text(f"model_path: {large_release}\ncache_dir: {CACHE}\n")
    return load_settings(path)


@pytest.fixture(scope="session")
def large_artifact(large_settings: Settings) -> Path:
    """The baked random voice of LJSpeech's size."""
    return locate_artifact(large_settings.voices[0], large_settings)


@pytest.fixture(scope="session")
def opened_embedded(embedded_artifact: Path) -> Artifact:
    """The embedded voice's artifact, mapped."""
    return open_artifact(embedded_artifact)
