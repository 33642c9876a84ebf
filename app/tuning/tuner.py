"""The procedure: from one request on an idle server to the rate that the best setting sustains."""

from app.tuning.bench import Bench
from app.tuning.choice import contenders
from app.tuning.comparing import screen, search, sweep
from app.tuning.confirming import confirm
from app.tuning.probing import affordable, probe


def tune(bench: Bench) -> None:
    """Measure everything. What was measured is in the bench's journal, whatever ends this.

    Raises:
        LoaderError: a server did not start, or ended.
    """
    service = probe(bench)
    if service is None:
        bench.journal.add("an idle server answered not one request of the mix")
        return
    capacities = sweep(bench, affordable(bench), service)
    if not any(each.rate_hz for each in capacities):
        bench.journal.add("no setting answered a request while it was never idle")
        return
    search(bench, screen(bench, capacities))
    if contenders(bench.question, bench.journal):
        confirm(bench)
