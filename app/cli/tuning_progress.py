"""What a terminal shows while the tuner measures: findings as lines, what is being done with a clock and a bar of the budget."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.tuning.bench import Telling


class _Lines:
    """Findings alone, where nobody watches."""

    def doing(self, what: str) -> None:
        """Say nothing."""

    def done(self, line: str) -> None:
        """Write the line."""
        print(f"chorus: {line}", file=sys.stderr, flush=True)


@contextmanager
def shown_tuning(budget_s: float) -> Iterator["Telling"]:
    """Tell on standard error."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr)
    columns = (SpinnerColumn(), BarColumn(bar_width=20), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as progress:
        task, began_s = progress.add_task("", total=budget_s), time.monotonic()

        class Drawn:
            def doing(self, what: str) -> None:
                progress.update(task, description=what, completed=time.monotonic() - began_s)

            def done(self, line: str) -> None:
                progress.console.print(f"chorus: {line}", markup=False, highlight=False, soft_wrap=True)
                progress.update(task, completed=time.monotonic() - began_s)

        yield Drawn()
