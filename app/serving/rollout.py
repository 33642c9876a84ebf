"""The rollout of a revision by gunicorn's master: prepared beside, tried by one worker, then served by all; or not at all.

The master neither waits nor starts a thread: it looks for the next step whenever its loop turns, at least once a second.
"""

import gc
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import RolloutError
from app.logs import event
from app.rollout.canary import CanaryWatch
from app.rollout.messages import Order, Outcome, Served, fixed_values, reason_of
from app.rollout.process import PreparationProcess
from app.rollout.releases import Candidate, accept, is_outdated, reject
from app.rollout.revision import Revision, adopt, adopted, read_revision, reuse, revision_of
from app.scheduling.admission import threads_of
from app.scoreboard.board import Scoreboard
from app.serving.arbiter import RollingRestart, is_ready
from app.startup import needed_to_serve, needed_to_speak, replace_settings, require_open_files
from app.system.cgroup import cpu_budget
from app.system.heap import return_free_memory
from app.system.processes import memory_of
from loader.config.settings import Settings, load_settings
from loader.voices.catalog import Catalog

log = logging.getLogger("chorus.process")

#: A worker of a new revision that is not ready by then never will be: it has at most to open its voices.
_MAX_WAIT_S = 120.0
#: What a worker has for itself, if it cannot be measured.
_WORKER_BYTES = 64 * 1024 * 1024


@dataclass
class Edition:
    """A revision as workers are forked from it."""

    revision: Revision
    #: The WSGI application; None if workers open the voices themselves.
    application: Any
    #: Settings of gunicorn that follow from those of the revision.
    configured: Mapping[str, int]

    def install(self, server: Any) -> None:
        """Fork workers from this edition from now on."""
        settings = self.revision.settings
        adopt(self.revision)
        replace_settings(os.environ, settings)
        server.app.callable = self.application
        for name, value in self.configured.items():
            server.cfg.set(name, value)

    @property
    def catalog(self) -> Catalog | None:
        """The voices; None if workers open them themselves."""
        return None if self.application is None else self.application.extensions["chorus"].warm_up.opened

    def close(self) -> None:
        """Close the voices: no worker is forked from this edition any more."""
        if self.application is not None:
            self.application.extensions["chorus"].warm_up.close()
            self.application = None


@dataclass
class Trial:
    """A new edition on its way to all workers."""

    new: Edition
    old: Edition
    began_s: float
    candidates: tuple[Candidate, ...] = ()
    #: The first worker, when it was forked, and its watch once it is ready.
    canary: Any = None
    forked_s: float = 0.0
    watch: CanaryWatch | None = None
    #: Whether all workers get the new edition, or the old one again.
    is_passed: bool = False
    is_abandoned: bool = False


class Rollout:
    """SIGHUP: prepares the configuration as it is now, and rolls it out; a restart of the workers if nothing has changed."""

    def __init__(
        self,
        server: Any,
        board: Scoreboard,
        settings: Settings,
        restart: RollingRestart,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take over SIGHUP of the master, whose voices are open if `preload` is on."""
        self._server, self._board, self._restart, self._now = server, board, restart, now
        self._manage = server.manage_workers
        configured = {name: getattr(server.cfg, name) for name in _configured(settings)}
        self._current = Edition(revision_of(settings), server.app.callable, configured)
        self._preparation: PreparationProcess | None = None
        self._trial: Trial | None = None
        #: Whether a preparation is to be started, and whether SIGHUP asked for it.
        self._is_wanted = self._is_asked = False
        self._began_s = 0.0
        #: Whether the configuration wants another release than the installed one, which serves until that one is fetched.
        self._is_behind = is_outdated(settings)
        board.show_revisions(self._current.revision.number)
        restart.when_abandoned = self._abandon
        server.handle_hup = self.start
        server.manage_workers = self.manage_workers

    def start(self) -> None:
        """Prepare the configuration as it is now. The newest call counts; one during a trial waits for the end of that."""
        self._is_wanted = self._is_asked = True
        if self._preparation is not None:
            self._preparation.stop()
            self._preparation = None
            self._show("superseded", "configured again before the preparation had ended")

    def manage_workers(self) -> None:
        """Take the next step, then that of the rolling restart and gunicorn's own. Raises nothing."""
        workers = self._server.WORKERS.values()
        if self._is_behind and workers and all(map(is_ready, workers)):
            self._is_behind, self._is_wanted, self._is_asked = False, True, False
        if self._is_wanted and self._trial is None:
            self._is_wanted = False
            self._prepare()
        elif self._preparation is not None and (outcome := self._preparation.poll()) is not None:
            self._preparation.close()
            self._preparation = None
            self._take(outcome)
        if self._trial is not None:
            self._step(self._trial)
        self._manage()

    def leave(self) -> None:
        """Close what the worker does not serve: the other edition, with its files. Runs in a worker, after the fork."""
        if self._preparation is not None:
            self._preparation.close()
        editions = [self._current] if self._trial is None else [self._trial.old, self._trial.new]
        for edition in editions:
            if edition.revision is not adopted():
                edition.close()

    def end(self) -> None:
        """End a preparation, before the master ends."""
        if self._preparation is not None:
            self._preparation.kill()

    def _prepare(self) -> None:
        event(log, "rollout.started", revision=self._current.revision.id)
        self._show("preparing")
        self._began_s = self._now()
        try:
            self._preparation = PreparationProcess(self._order())
        except OSError as error:
            self._refuse(reason_of(error))

    def _order(self) -> Order:
        revision = self._current.revision
        voices = zip(revision.settings.voices, map(str, revision.artifacts), revision.keys, strict=True)
        return Order(
            config=str(Path(revision.settings.path).absolute()),
            revision=revision.id,
            log_format=revision.settings.log_format,
            fixed=fixed_values(revision.settings),
            voices=tuple(Served(voice.name, path, key) for voice, path, key in voices),
            workers=self._server.num_workers,
            worker_bytes=max(map(_own_bytes, self._server.WORKERS), default=_WORKER_BYTES),
        )

    def _take(self, outcome: Outcome) -> None:
        if outcome.refusal is not None:
            self._refuse(outcome.refusal, outcome.candidates)
        elif outcome.revision == self._current.revision.id:
            accept(outcome.candidates, self._current.revision.settings.cache_dir)
            self._show("unchanged")
            if self._is_asked:
                self._restart.start()
        else:
            for voice, probe in outcome.probes.items():
                event(log, "rollout.probed", logging.INFO, voice=voice, **probe)
            self._open(outcome)

    def _open(self, outcome: Outcome) -> None:
        """Open the prepared revision in this process, for the canary."""
        try:
            settings = load_settings(self._current.revision.settings.path)
            revision = read_revision(settings, [Path(path) for path in outcome.artifacts], beside=self._current.revision)
            if revision.id != outcome.revision:
                self._is_wanted = True
                self._show("superseded", "the configuration changed while it was prepared")
                return
            # The master has the files of both.
            require_open_files(_needed_files(settings) + needed_to_speak(self._current.revision.settings))
            began_s = self._now()
            new = self._edition_of(revision)
        except (Exception, SystemExit) as error:  # an exception would end the master, and every worker
            self._refuse(reason_of(error.__context__ or error if isinstance(error, SystemExit) else error), outcome.candidates)
            return
        if revision.lexicon_hashes != self._current.revision.lexicon_hashes:
            event(log, "lexicon.reloaded", files=revision.lexicons.count, entries=revision.lexicons.entries)
        if self._restart.is_running:
            self._restart.cancel()
        event(log, "rollout.opened", revision=revision.id, took_s=round(self._now() - began_s, 3))
        self._trial = Trial(new, self._current, self._began_s, outcome.candidates)
        self._board.show_revisions(self._current.revision.number, revision.number)

    def _edition_of(self, revision: Revision) -> Edition:
        before, after = _configured(self._current.revision.settings), _configured(revision.settings)
        # By the difference: gunicorn's own arguments come before the configuration.
        configured = {name: value + after[name] - before[name] for name, value in self._current.configured.items()}
        edition = Edition(revision, None, configured)
        edition.install(self._server)
        reuse(self._current.catalog)
        try:
            if revision.settings.preload:
                edition.application = self._server.app.load()
        finally:
            reuse(None)
            self._current.install(self._server)
            _collect()
        return edition

    def _step(self, trial: Trial) -> None:
        if trial.canary is None and not trial.is_abandoned:
            if len(self._server.WORKERS) <= self._server.num_workers:
                self._fork_canary(trial)
        elif not trial.is_passed and not trial.is_abandoned:
            try:
                self._watch(trial)
            except RolloutError as error:
                self._abandon(str(error))
        elif not self._restart.is_running:
            self._end(trial)

    def _fork_canary(self, trial: Trial) -> None:
        self._manage()  # workers that are missing, of the old edition
        before = set(self._server.WORKERS.values())
        trial.new.install(self._server)
        try:
            self._server.num_workers += 1
            self._manage()
        finally:
            trial.old.install(self._server)
        (trial.canary,) = set(self._server.WORKERS.values()) - before
        trial.forked_s = self._now()
        self._show("canary")
        event(log, "rollout.canary_started", worker_pid=trial.canary.pid, revision=trial.new.revision.id)

    def _watch(self, trial: Trial) -> None:
        """Watch the canary, and go on with the other workers once it has passed.

        Raises:
            RolloutError: it ended, is not ready in time, or is not as good as the others.
        """
        if trial.canary not in self._server.WORKERS.values():
            raise RolloutError("canary: the first worker of the new revision ended")
        if trial.watch is None:
            if is_ready(trial.canary):
                trial.watch = CanaryWatch(self._board, trial.canary.slot, trial.new.revision.settings.rollout, self._now())
            elif self._now() - trial.forked_s > _MAX_WAIT_S:
                raise RolloutError(f"canary: the first worker of the new revision was not ready within {_MAX_WAIT_S:g} s")
        if trial.watch is not None and trial.watch.is_passed(self._now()):
            trial.is_passed = True
            trial.new.install(self._server)
            self._board.show_revisions(trial.new.revision.number, trial.new.revision.number)
            self._show("rolling")
            self._restart.max_wait_s = _MAX_WAIT_S
            self._restart.replace(self._workers_of(trial.old), {trial.canary})

    def _abandon(self, reason: str) -> None:
        """Let all workers have the old edition again. Called by the rolling restart too, which may be of one edition."""
        trial = self._trial
        if trial is None or trial.is_abandoned:
            return
        trial.is_abandoned = True
        reject(trial.candidates, trial.new.revision.settings.cache_dir, reason)
        event(log, "rollout.abandoned", logging.ERROR, revision=trial.new.revision.id, reason=reason)
        trial.old.install(self._server)
        self._restart.max_wait_s = math.inf
        if not trial.is_passed and trial.canary is not None:
            self._restart.discard(trial.canary)
        self._restart.replace(self._workers_of(trial.new))
        self._board.show_revisions(trial.old.revision.number, trial.new.revision.number)
        self._show("returning", reason)

    def _end(self, trial: Trial) -> None:
        self._trial = None
        self._restart.max_wait_s = math.inf
        if trial.is_abandoned:
            trial.new.close()
            self._board.show_revisions(trial.old.revision.number)
            self._show("abandoned", self._board.rollout_reason)
            return
        self._current = trial.new
        accept(trial.candidates, trial.new.revision.settings.cache_dir)
        old, new = trial.old.revision.settings, trial.new.revision.settings
        if new.workers != old.workers:
            change = (new.workers or cpu_budget().used) - (old.workers or cpu_budget().used)
            self._server.num_workers = max(1, self._server.num_workers + change)
        self._board.describe(places=new.threads, queue=new.admission.queue)
        self._board.show_revisions(trial.new.revision.number)
        trial.old.close()
        return_free_memory()
        self._show("completed")
        event(log, "rollout.completed", revision=trial.new.revision.id, took_s=round(self._now() - trial.began_s, 3))

    def _workers_of(self, edition: Edition) -> set[Any]:
        return {worker for worker in self._server.WORKERS.values() if worker.revision is edition.revision}

    def _refuse(self, reason: str, candidates: tuple[Candidate, ...] = ()) -> None:
        reject(candidates, self._current.revision.settings.cache_dir, reason)
        event(log, "rollout.refused", logging.ERROR, revision=self._current.revision.id, reason=reason)
        self._show("refused", reason)

    def _show(self, state: str, reason: str = "") -> None:
        self._board.show_rollout(state, reason)


def _needed_files(settings: Settings) -> int:
    return needed_to_serve(settings, settings.workers or cpu_budget().used)


def _configured(settings: Settings) -> dict[str, int]:
    """Return what gunicorn.conf.py sets by the settings, and what a worker reads when it is forked."""
    threads = threads_of(settings)
    return {"threads": threads, "worker_connections": threads, "graceful_timeout": int(settings.request_timeout_s)}


def _own_bytes(pid: int) -> int:
    """Return what a worker has for itself."""
    try:
        return memory_of(pid).uss_bytes
    except (OSError, ValueError):
        return _WORKER_BYTES


def _collect() -> None:
    """Free what earlier editions left in cycles, and hide the rest from the collector of workers that are forked from now on."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return_free_memory()
