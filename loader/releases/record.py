"""Which release of a source has which role, as one value that changes as a whole."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self


@dataclass(frozen=True)
class Rejection:
    """Why a release is not offered again by itself."""

    reason: str
    #: Unix time.
    at_s: float


@dataclass(frozen=True)
class Record:
    """Roles of releases by id; None if no release has the role."""

    source: str = ""
    current: str | None = None
    previous: str | None = None
    candidate: str | None = None
    pinned: str | None = None
    #: The one that was fetched last.
    latest: str | None = None
    #: Whether the candidate takes the place of a current release that is not wanted any more.
    is_rollback: bool = False
    rejected: Mapping[str, Rejection] = field(default_factory=dict)

    @property
    def kept(self) -> frozenset[str]:
        """The releases that have a role."""
        return frozenset(filter(None, (self.current, self.previous, self.candidate, self.pinned, self.latest)))

    def with_candidate(self, release_id: str, is_rollback: bool) -> Self:
        """Return the record with that candidate, and without an earlier rejection of it."""
        return replace(self, candidate=release_id, is_rollback=is_rollback, rejected=self._rejected_but(release_id))

    def accepted(self) -> Self:
        """Return the record with the candidate as the current release, and the current one as the previous one."""
        assert self.candidate is not None
        rejected, previous = self._rejected_but(self.candidate), self.previous
        if self.current not in (None, self.candidate):
            previous = self.current
            if self.is_rollback:
                rejected[str(previous)] = Rejection("rolled back", time.time())
        return replace(
            self, current=self.candidate, previous=previous, candidate=None, is_rollback=False, rejected=rejected
        )

    def with_rejection(self, reason: str) -> Self:
        """Return the record without a candidate, and with the reason."""
        assert self.candidate is not None
        rejected = {**self.rejected, self.candidate: Rejection(reason, time.time())}
        return replace(self, candidate=None, is_rollback=False, rejected=rejected)

    def with_pin(self, release_id: str) -> Self:
        """Return the record with that release pinned, and without another candidate."""
        return replace(self, pinned=release_id, candidate=release_id if self.candidate == release_id else None)

    def _rejected_but(self, release_id: str) -> dict[str, Rejection]:
        return {key: self.rejected[key] for key in self.rejected if key != release_id}
