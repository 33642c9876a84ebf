"""What one request takes, and how much memory a worker: on an idle server of two workers."""

from app.tuning.bench import Bench
from app.tuning.findings import Service, service_of
from app.tuning.journal import SERVICE, MemoryReading
from app.tuning.memory import fitting, highest, need_of
from app.tuning.outcome import ANSWERED
from app.tuning.plan import MEMORY
from app.tuning.quantities import shown_duration, shown_size
from app.tuning.setting import Setting
from app.tuning.stand import Stand

#: Service times are known by then, whatever the budget; what is left of it goes to what comes after.
_ENOUGH_S = 45.0


def probe(bench: Bench) -> Service | None:
    """Measure the mix, one request at a time, then the longest text. None where not one request was answered."""
    # Two workers: what only one has touched would count as its own, and be no part of what is shared.
    setting = Setting(2, min(bench.question.settings).threads)
    with bench.started(setting, warm=False) as stand:
        bench.journal.add(MemoryReading("idle", setting, stand.memory()))
        bench.warm(stand, setting)
        bench.closed(stand, SERVICE, setting, 1, min(_ENOUGH_S, bench.slot_s(SERVICE, 1, 0)))
        bench.journal.add(MemoryReading("mix", setting, stand.memory()))
        service = service_of(bench.journal, bench.question.mix, bench.question.objectives)
        if service is not None:
            bench.telling.done(
                f"an idle server takes {shown_duration(service.mean_s)} for an average request, "
                f"{shown_duration(service.line.fixed_s)} and {service.line.per_character_s * 1000:.2f}ms a character"
            )
            _speak_longest(bench, stand, setting, service)
    return service


def _speak_longest(bench: Bench, stand: Stand, setting: Setting, service: Service) -> None:
    allowed = bench.question.longest_characters
    characters = min(allowed, max(service.line.characters_in(bench.slot_s(MEMORY, 1, 0)), _longest_of_mix(bench)))
    if characters < allowed:
        bench.journal.add(
            f"memory was measured with a text of {characters} characters and continued in a straight line to the {allowed} "
            "that limits.text_characters allows: there was no time for more in --budget"
        )
    bench.telling.doing(f"{setting}: a text of {characters} characters")
    with highest(stand.memory) as peak:
        outcome = stand.ask(bench.question.mix.long(characters))
    bench.journal.add(MemoryReading("longest", setting, peak[0], characters))
    if outcome.fate != ANSWERED:
        bench.journal.add(f"the text of {characters} characters was not answered: {outcome.fate}, status {outcome.status}")
    own = max(peak[0].worker_uss_bytes, default=0)
    bench.telling.done(f"a worker's own memory is {shown_size(own)} at most while it speaks {characters} characters")


def _longest_of_mix(bench: Bench) -> int:
    return max(line.characters for line in bench.question.mix.lines)


def affordable(bench: Bench) -> tuple[Setting, ...]:
    """Return the settings that fit into the memory; where none does, the smallest, to say how far off it is."""
    budget_bytes = bench.question.memory_bytes
    need = need_of(bench.journal, bench.question.longest_characters)
    settings = fitting(bench.question.settings, need, budget_bytes)
    if need and len(settings) < len(bench.question.settings):
        most = need.most_workers(budget_bytes)
        fit = "1 worker fits" if most == 1 else f"{most} workers fit"
        bench.journal.add(f"at most {fit} into {shown_size(budget_bytes)}; settings of more were not measured")
    return settings or (min(bench.question.settings),)
