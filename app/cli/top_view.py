"""What `chorus top` shows: a server's looks as rich draws them, within 80 columns."""

import time
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.scoreboard.layout import ENDINGS, REFUSALS
from app.scoreboard.rates import Rates, RecentSnapshots
from app.scoreboard.snapshot import Failure, Histogram, Snapshot, Worker

#: Errors shown at most.
_FAILURES = 5
#: Lines beside workers and errors.
_FURNITURE = 11
#: What is shown of a minute's histograms, each with its unit.
_HISTOGRAMS = (
    ("request", "request_s", " s"), ("first audio", "first_audio_s", " s"), ("waiting", "queue_s", " s"), ("rtf", "rtf", ""),
)  # fmt: skip
_COLORS = {"ready": "green", "starting": "yellow", "draining": "yellow"}
#: Names of columns, and whether their values are numbers.
_COLUMNS = (
    ("slot", True), ("pid", True), ("state", False), ("gen", True), ("con", True), ("a/w/s", False), ("oldest s", True),
    ("took s", True), ("audio", True), ("mem MB", True), ("fds", True), ("thr", True),
)  # fmt: skip


def view(looks: RecentSnapshots, lines: int | None = None, note: str = "") -> RenderableType:
    """Return all that is shown.

    Args:
        looks: at least one.
        lines: of the terminal; None is for as many as it takes.
        note: what else is to be said, such as which keys there are.
    """
    now, pace = looks.now, looks.rates()
    failures = now.failures[:_FAILURES]
    room = None if lines is None else max(1, lines - _FURNITURE - len(failures))
    parts: list[RenderableType] = [_line(text) for text in (*_server(now, pace), *_times(looks), _ends(now))]
    parts += [Text(""), _workers(now.workers[:room], pace)]
    if room is not None and len(now.workers) > room:
        parts.append(Text(f"and {len(now.workers) - room} more workers", style="dim"))
    if failures:
        parts += [Text("last errors", style="bold"), *map(_failure, failures)]
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


def _server(now: Snapshot, pace: Rates | None) -> Iterator[str]:
    yield f"chorus {now.master}   up {duration(now.up_s)}   {now.cores} cores   {len(now.workers)} workers x {now.places} places"
    requests, audio = (f"{pace.requests_per_s:.1f}", f"{pace.audio_s_per_s:.1f}") if pace else ("-", "-")
    yield f"queue {now.waiting} of {now.queue}   requests {requests}/s   audio {audio} s/s"


def _times(looks: RecentSnapshots) -> Iterator[str]:
    """Yield a line of quantiles: recent ones, or where nothing ended recently those since the server began."""
    for title, name, unit in _HISTOGRAMS:
        recent, ever = looks.recent(name), looks.now.totals.histograms[name]
        since = "last minute" if recent else "since the start"
        values = recent or ever
        low, high = quantile(values, 0.5, unit), quantile(values, 0.95, unit)
        yield f"{title:<12}p50 {low}   p95 {high}   of {values.count}, {since}"


def quantile(values: Histogram, share: float, unit: str = " s") -> str:
    """Return in which bucket that share of the values ends."""
    bound = values.quantile(share)
    if bound is None:
        return "-"
    is_above = sum(values.counts[:-1]) < share * values.count
    return f"{'>' if is_above else '<='} {bound:g}{unit}"


def _ends(now: Snapshot) -> str:
    refused = _counts(now.totals.refusals, REFUSALS)
    return f"refused {refused}   workers ended {_counts(now.totals.endings, ENDINGS)}"


def _counts(counted: dict[str, int], names: tuple[str, ...]) -> str:
    there = [f"{counted.get(name, 0)} {name.replace('_', ' ')}" for name in names if counted.get(name)]
    return ", ".join(there) or "none"


def _workers(workers: tuple[Worker, ...], pace: Rates | None) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold reverse", expand=True)
    for name, is_number in _COLUMNS:
        table.add_column(name, justify="right" if is_number else "left", no_wrap=True, overflow="ellipsis")
    for each in workers:
        table.add_row(*_row(each, pace))
    return table


def _row(worker: Worker, pace: Rates | None) -> Iterator[Text]:
    audio = f"{pace.by_slot.get(worker.slot, 0.0):.1f}" if pace else "-"
    yield from map(Text, (str(worker.slot), str(worker.pid)))
    yield Text(printable(worker.state), style=_COLORS.get(worker.state, ""))
    load = f"{worker.active}/{worker.waiting}/{worker.speaking}"
    yield from map(Text, (str(worker.generation), str(worker.connections), load))
    yield _oldest(worker)
    yield from map(Text, (_seconds(worker.service_s), audio, _memory(worker)))
    yield from map(Text, (_sampled(worker, "descriptors"), _sampled(worker, "threads")))


def _oldest(worker: Worker) -> Text:
    """Return the age of the oldest piece and when it counts as stalled, the worse the redder."""
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
    """Return text without what would command a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
