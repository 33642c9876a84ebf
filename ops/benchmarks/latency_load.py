"""What decoding in parallel costs when there is no idle core: many clients, with it and without."""

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .machine import usable_cores
from .parts import Part
from .report import Figure, Target, figure
from .servers import Server, ours, started
from .texts import SENTENCES
from .throughput import rate
from .voices import embedded_voice, write_config
from .waves import speech_s

_CLIENTS_A_CORE = 2
#: How often each server takes all sentences, in turn with the other.
_TURNS = 3
_PASSES = 2


@dataclass(frozen=True)
class Throughput:
    """Seconds of speech; the median of several turns."""

    #: For one second on the clock.
    clock: float
    #: For one second of one core.
    core: float


#: By whether windows may be decoded in parallel.
_Round = Mapping[bool, Throughput]


def load(scratch: Path) -> Part:
    """Prepare both configurations of the embedded voice."""
    voice, config_paths = embedded_voice(scratch), {}
    for parallel in (True, False):
        folder = scratch / f"parallel-{parallel}"
        folder.mkdir()
        speech = {"parallel": parallel}
        config_paths[parallel] = write_config(folder, voice.model_path, usable_cores(), speech=speech)
    return Part(partial(_measure, config_paths), _figures, _notes())


def _notes() -> tuple[str, ...]:
    return (
        f"Load: {_CLIENTS_A_CORE * usable_cores()} clients take {len(SENTENCES)} sentences {_PASSES} times, whole files; "
        f"speech.parallel on and off in turn, medians of {_TURNS} a round. s/s: seconds of speech a second.",
    )


def _measure(config_paths: Mapping[bool, Path]) -> _Round:
    clients = _CLIENTS_A_CORE * usable_cores()
    with ExitStack() as stack:
        servers = {
            parallel: stack.enter_context(started(ours(path), path.with_suffix(".log")))
            for parallel, path in config_paths.items()
        }
        for server in servers.values():
            server.await_ready()
            server.speak_all(SENTENCES[: 2 * clients], clients)
        return _in_turn(servers, clients)


def _in_turn(servers: Mapping[bool, Server], clients: int) -> _Round:
    rates = [
        {parallel: rate(server, clients, _PASSES, speech_s) for parallel, server in servers.items()}
        for _turn in range(_TURNS)
    ]
    return {
        parallel: Throughput(
            statistics.median(each[parallel].clock for each in rates),
            statistics.median(each[parallel].core for each in rates),
        )
        for parallel in servers
    }


def _figures(rounds: Sequence[_Round]) -> list[Figure]:
    return [
        figure("load, ours, parallel", "s/s", rounds, lambda each: each[True].clock),
        figure("load, ours, not parallel", "s/s", rounds, lambda each: each[False].clock),
        figure("load, ours, parallel, by core second", "s/s", rounds, lambda each: each[True].core),
        figure("load, ours, not parallel, by core second", "s/s", rounds, lambda each: each[False].core),
        figure("load, parallel / not parallel", "x", rounds, lambda each: each[True].clock / each[False].clock,
               Target(">=", 0.97)),
    ]  # fmt: skip
