"""The three files."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from app.tuning.advice import advice_of
from app.tuning.fragment import fragment
from app.tuning.journal import Journal
from app.tuning.machine import Machine
from app.tuning.plan import Question
from app.tuning.plot import picture
from app.tuning.record import recorded
from app.tuning.verdict import verdict_of
from loader.artifacts.fs import write_aside
from loader.errors import StoreError

#: Shares of the time, and of the cores, from which on the figures are not those of a quiet machine.
_THROTTLED, _DISTURBED = 0.01, 0.05
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
    #: How many cores somebody else kept busy meanwhile.
    used_by_others: float


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


def disturbances(ending: Ending, cores: float) -> Iterator[str]:
    """Yield what kept the server from what it was to have."""
    if ending.throttled_s > _THROTTLED * ending.took_s:
        yield f"the control group's quota held the processes back for {ending.throttled_s:.1f} s"
    if ending.used_by_others > _DISTURBED * cores:
        yield f"others kept {ending.used_by_others:.2f} cores busy meanwhile: measure again when the machine is quiet"


def contents(question: Question, journal: Journal, machine: Machine, ending: Ending, plot: bool) -> Mapping[str, str]:
    """Return what is to be written, by file name. Without a verdict there is no fragment."""
    for remark in disturbances(ending, question.cores):
        journal.add(remark)
    verdict = verdict_of(question, journal)
    advice = advice_of(question, verdict) if verdict else ()
    how = {"ended": ending.how, **{key: value for key, value in asdict(ending).items() if key != "how"}}
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
