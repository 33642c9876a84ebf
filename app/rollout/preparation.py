"""Preparation of a revision, in a process of its own: the master goes on to watch its workers meanwhile.

`python -m app.rollout.preparation` reads an order from standard input and writes its outcome to standard output. It reads and
checks the configuration, finds or bakes what is missing, and has every new voice speak. It changes nothing that is served.
"""

import logging
import logging.config
import os
import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from app.errors import RolloutError
from app.logs import logging_config
from app.rollout.last_line import LastLine
from app.rollout.memory import available_memory, require_memory, size_of
from app.rollout.messages import Order, Outcome, Served, fixed_values, reason_of
from app.rollout.probe import Probe, open_voice, require_alike, require_fast, require_sound, speak_probe
from app.rollout.releases import Candidate, candidates_of, offer_wanted
from app.rollout.revision import Revision, read_revision
from app.startup import needed_to_serve
from app.system.cgroup import cpu_budget
from app.system.parent_death import signal_on_parent_death
from loader.artifacts.artifact import read_manifest
from loader.config.settings import Settings, VoiceSettings, load_settings
from loader.errors import BakeError, ConfigError, FetchError, LoaderError, ShortageError
from loader.voices.catalog import check_voice
from loader.voices.voice import Voice

log = logging.getLogger("chorus.process")

#: Serving comes first: of a core that both need, this process has a tenth.
_NICENESS = 10


def prepare(order: Order, settings: Settings) -> Outcome:
    """Prepare the revision of `settings`; an id equal to the running one's means that nothing has changed.

    Raises:
        RolloutError: it cannot be served, or not beside the running one.
        LoaderError: any of its children.
    """
    revision = read_revision(settings, use_candidates=True)
    if revision.id == order.revision:
        return Outcome(revision.id)
    paths = revision.paths
    prepared = Outcome(revision.id, tuple(map(str, paths)))
    for voice, artifact in zip(settings.voices, paths, strict=True):
        check_voice(voice, artifact, settings)
    served = {voice.name: voice for voice in order.voices}
    changed = [place for place, voice in enumerate(settings.voices) if not _is_same(revision, place, served.get(voice.name))]
    known = {voice.artifact for voice in order.voices}
    added = {paths[place] for place in changed if str(paths[place]) not in known}
    # Beside the others there is one worker more; what it has for itself is as much again in this process.
    require_memory(size_of(added) + 2 * order.worker_bytes, available_memory())
    probes = {}
    for place in changed:
        voice = settings.voices[place]
        probes[voice.name] = _probe(voice, paths[place], settings, served.get(voice.name))
    return Outcome(prepared.revision, prepared.artifacts, probes=probes)


def require_fixed(fixed: Mapping[str, object], settings: Settings) -> None:
    """Refuse a change of keys that a running server cannot change.

    Raises:
        RolloutError: names all of them.
    """
    changed = [
        f"{key} is {fixed[key]!r} and would be {value!r}" for key, value in fixed_values(settings).items() if value != fixed[key]
    ]
    if changed:
        raise RolloutError(f"{'; '.join(changed)}: a running server cannot change that; restart it")


def _require_open_files(settings: Settings) -> None:
    needed = needed_to_serve(settings, settings.workers or cpu_budget().used)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ShortageError(f"{needed} open files are needed in each process, the limit is {hard}; restart the server with more")


def _is_same(revision: Revision, place: int, served: Served | None) -> bool:
    return served is not None and (served.artifact, served.key) == (str(revision.artifacts[place]), revision.keys[place])


def _probe(voice: VoiceSettings, artifact: Path, settings: Settings, served: Served | None) -> dict[str, float]:
    """Have a voice speak, alone and beside the one that it replaces; return what was measured."""
    new = open_voice(voice, artifact, settings)
    probe = speak_probe(new)
    if probe is None:
        return {}
    require_sound(new, probe)
    facts = {"audio_s": round(probe.audio_s, 3), "level_db": round(probe.level_db, 1)}
    old = None if served is None else _open_served(served, settings)
    before = None if old is None else speak_probe(old)
    if old is None or before is None:
        return facts
    if new.language == old.language:
        require_alike(voice.name, probe, before, settings.rollout)
    slowdown = require_fast(voice.name, partial(_speak, new), partial(_speak, old), settings.rollout)
    return {**facts, "slowdown": round(slowdown, 3)}


def _open_served(served: Served, settings: Settings) -> Voice | None:
    """Open the voice that is served; None if its artifact has been removed, or replaced in its place."""
    artifact = Path(served.artifact)
    with suppress(LoaderError):
        if read_manifest(artifact).key == served.key:
            return open_voice(VoiceSettings(served.name, served.artifact), artifact, settings)
    return None


def _speak(voice: Voice) -> Probe:
    probe = speak_probe(voice)
    assert probe is not None
    return probe


def _outcome(order: Order, written: LastLine) -> Outcome:
    candidates: tuple[Candidate, ...] = ()
    try:
        settings = load_settings(order.config)
        require_fixed(order.fixed, settings)
        _require_open_files(settings)
        offer_wanted(settings)
        # From here on they may be the reason.
        candidates = candidates_of(settings)
        return replace(prepare(order, settings), candidates=candidates)
    except (BakeError, FetchError) as error:
        return Outcome(refusal=f"{reason_of(error)}: {written.read()}", candidates=candidates)
    except ConfigError as error:
        return Outcome(refusal=reason_of(error))
    except (LoaderError, RolloutError, OSError) as error:
        return Outcome(refusal=reason_of(error), candidates=candidates)
    except Exception as error:  # a defect refuses the revision as well
        log.exception("the preparation failed")
        return Outcome(refusal=reason_of(error), candidates=candidates)


def main() -> None:
    """Run one preparation."""
    signal_on_parent_death(signal.SIGTERM)
    # What libraries and children print goes to the log.
    answer = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    logging.config.dictConfig(logging_config(order.log_format))
    with suppress(OSError):
        os.nice(_NICENESS)
    written = LastLine(sys.stderr.fileno())
    outcome = _outcome(order, written)
    written.close()
    with os.fdopen(answer, "wb") as file:
        file.write(msgspec.json.encode(outcome) + b"\n")
    # The espeak-ng process ends with this one.
    os._exit(0)


if __name__ == "__main__":
    main()
