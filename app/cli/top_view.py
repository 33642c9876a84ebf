"""The view of `chorus top`: snapshots as rich renderables, within 80 columns."""

import time
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.scoreboard.layout import ENDINGS, REFUSALS
from app.scoreboard.rates import History, Rates
from app.scoreboard.snapshot import Failure, Histogram, Snapshot, Worker

MAX_FAILURES = 5
#: Lines besides those of workers and errors.
_FIXED_LINES = 11
#: Title, name and unit of each histogram.
_HISTOGRAMS = (
    ("request", "request_s", " s"), ("first audio", "first_audio_s", " s"), ("queue", "queue_s", " s"), ("rtf", "rtf", ""),
)  # fmt: skip
_COLORS = {"ready": "green", "starting": "yellow", "draining": "yellow"}
#: Titles of the columns, and whether their values are numbers.
_COLUMNS = (
    ("slot", True), ("pid", True), ("state", False), ("gen", True), ("con", True), ("a/w/s/p", False), ("oldest s", True),
    ("took s", True), ("audio", True), ("mem MB", True), ("fds", True), ("thr", True),
)  # fmt: skip


def view(history: History, lines: int | None = None, note: str = "") -> RenderableType:
    """Return the whole view.

    Args:
        history: at least one snapshot.
        lines: height of the terminal; None is unlimited.
        note: the last line, such as the keys.
    """
    now, rates = history.now, history.rates()
    failures = now.failures[:MAX_FAILURES]
    room = None if lines is None else max(1, lines - _FIXED_LINES - len(failures))
    parts: list[RenderableType] = [_line(text) for text in (*_server(now, rates), *_times(history), _ends(now))]
    parts += [Text(""), _workers(now.workers[:room], rates)]
    if room is not None and len(now.workers) > room:
        parts.append(Text(f"and {len(now.workers) - room} more workers", style="dim"))
    if failures:
        parts += [Text("recent errors", style="bold"), *map(_failure, failures)]
    return Group(*parts, Text(note, style="dim", no_wrap=True, overflow="ellipsis")) if note else Group(*parts)


def duration(time_s: float) -> str:
    """Return a duration in its two largest units."""
    minutes, seconds = divmod(int(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _line(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")


def _server(now: Snapshot, rates: Rates | None) -> Iterator[str]:
    workers = f"{len(now.workers)} workers x {now.places} requests"
    yield f"chorus {now.master}   up {duration(now.up_s)}   {now.cores} cores   {workers}"
    requests, audio = (f"{rates.requests_per_s:.1f}", f"{rates.audio_s_per_s:.1f}") if rates else ("-", "-")
    # Processes that read texts, which a text can crash; separate from workers.
    readers = f"readers ended {now.totals.reader_ends}"
    yield f"queue {now.waiting} of {now.queue}   requests {requests}/s   audio {audio} s/s   {readers}"


def _times(history: History) -> Iterator[str]:
    """Yield a line of quantiles per histogram: of the last minute, or since the start if the minute has no values."""
    for title, name, unit in _HISTOGRAMS:
        recent, total = history.recent(name), history.now.totals.histograms[name]
        since = "last minute" if recent else "since start"
        values = recent or total
        low, high = quantile(values, 0.5, unit), quantile(values, 0.95, unit)
        yield f"{title:<12}p50 {low}   p95 {high}   of {values.count}, {since}"


def quantile(values: Histogram, share: float, unit: str = " s") -> str:
    """Return the bound of the bucket that holds the quantile."""
    bound = values.quantile(share)
    if bound is None:
        return "-"
    is_above = sum(values.counts[:-1]) < share * values.count
    return f"{'>' if is_above else '<='} {bound:g}{unit}"


def _ends(now: Snapshot) -> str:
    refused = _counts(now.totals.refusals, REFUSALS)
    return f"refused {refused}   workers ended {_counts(now.totals.endings, ENDINGS)}"


def _counts(counted: dict[str, int], names: tuple[str, ...]) -> str:
    counts = [f"{counted.get(name, 0)} {name.replace('_', ' ')}" for name in names if counted.get(name)]
    return ", ".join(counts) or "none"


def _workers(workers: tuple[Worker, ...], rates: Rates | None) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold reverse", expand=True)
    for name, is_number in _COLUMNS:
        table.add_column(name, justify="right" if is_number else "left", no_wrap=True, overflow="ellipsis")
    for each in workers:
        table.add_row(*_row(each, rates))
    return table


def _row(worker: Worker, rates: Rates | None) -> Iterator[Text]:
    audio = f"{rates.audio_by_slot.get(worker.slot, 0.0):.1f}" if rates else "-"
    yield from map(Text, (str(worker.slot), str(worker.pid)))
    yield Text(printable(worker.state), style=_COLORS.get(worker.state, ""))
    load = f"{worker.active}/{worker.waiting}/{worker.speaking}/{worker.parked}"
    yield from map(Text, (str(worker.generation), str(worker.connections), load))
    yield _oldest(worker)
    yield from map(Text, (_seconds(worker.service_s), audio, _memory(worker)))
    yield from map(Text, (_sampled(worker, "descriptors"), _sampled(worker, "threads")))


def _oldest(worker: Worker) -> Text:
    """Return the age of the oldest chunk, and the age at which it counts as stalled."""
    if worker.speaking_for_s is None or worker.stalls_in_s is None:
        return Text("-")
    stall_s = worker.speaking_for_s + worker.stalls_in_s
    share = worker.speaking_for_s / stall_s if stall_s else 1.0
    style = "bold red" if share > 0.8 else "yellow" if share > 0.4 else ""
    return Text(f"{worker.speaking_for_s:.1f}/{stall_s:.0f}", style=style)


def _seconds(time_s: float) -> str:
    return f"{time_s:.2f}" if time_s else "-"


def _memory(worker: Worker) -> str:
    uss, live = (worker.memory.get(name) for name in ("uss_bytes", "live_bytes"))
    return "/".join("-" if value is None else f"{value / 1e6:.0f}" for value in (uss, live))


def _sampled(worker: Worker, name: str) -> str:
    return str(worker.memory.get(name, "-"))


def _failure(failure: Failure) -> Text:
    when = time.strftime("%H:%M:%S", time.localtime(failure.at_s))
    return Text(f"{when} slot {failure.slot}: {printable(failure.what)}", style="red", no_wrap=True, overflow="ellipsis")


def printable(text: str) -> str:
    """Replace the control characters of `text`, which would act on the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
