"""The three files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.tuning.advice import advice_of
from app.tuning.fragment import fragment
from app.tuning.journal import Journal
from app.tuning.machine import Machine
from app.tuning.plan import Question
from app.tuning.plot import picture
from app.tuning.record import recorded
from app.tuning.verdict import verdict_of
from loader.errors import StoreError
from loader.files import write_aside

RECORD, FRAGMENT, PICTURE = "tune.json", "tune.yaml", "tune.svg"


@dataclass(frozen=True)
class Ending:
    """How and when a run ended."""

    #: `whole`, `interrupted` or `failed`.
    how: str
    #: ISO 8601, UTC.
    at: str
    took_s: float
    #: For how long the quota of the control group held this process back meanwhile.
    throttled_s: float


def prepare(folder: Path) -> None:
    """Make the folder, and see that files can be written there.

    Raises:
        StoreError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{RECORD}.probe"
        write_aside(probe, b"")
        probe.unlink()
    except OSError as error:
        raise StoreError(f"{folder}: nothing can be written there ({error.strerror}); --out DIR names another place") from error


def contents(question: Question, journal: Journal, machine: Machine, ending: Ending, plot: bool) -> Mapping[str, str]:
    """Return what is to be written, by file name. Without a verdict there is no fragment."""
    verdict = verdict_of(question, journal)
    advice = advice_of(question, verdict) if verdict else ()
    how = {"ended": ending.how, "at": ending.at, "took_s": ending.took_s, "throttled_s": ending.throttled_s}
    files = {RECORD: recorded(question, journal, verdict, advice, machine, **how)}
    if verdict is not None:
        files[FRAGMENT] = fragment(question, verdict, advice, ending.at)
    if plot:
        files[PICTURE] = picture(question, journal, verdict)
    return files


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files, each whole or not at all.

    Raises:
        StoreError: they cannot be written.
    """
    try:
        for name, text in files.items():
            write_aside(folder / name, text.encode())
    except OSError as error:
        raise StoreError(f"{folder}: {error.filename or 'a file'} cannot be written ({error.strerror})") from error
