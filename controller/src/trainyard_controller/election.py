"""Leader election by a Lease, as client-go does it, measured by monotonic clocks alone.

A candidate takes the Lease when nobody holds it, or when it has not changed for as long as its
holder said it may be believed. A holder counts from before it asked for the renewal, and gives up
well before that time is over; so two never act at once, whatever their clocks show.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

import structlog

from trainyard_controller.client import Document
from trainyard_controller.errors import ApiError, ConflictError, UnavailableError
from trainyard_controller.leases import Lease, Leases, held_by, released, utc_now

GIVE_UP = 2 / 3
"""Part of the lease's duration after which a holder that could not renew it no longer acts."""
RENEW = 2 / 15
"""Part of the duration between two renewals."""
LOOK = 1 / 15
"""Part of the duration between two looks of a candidate, or two tries of a holder."""
JITTER = 1.2

log = structlog.get_logger(__name__)


class LeadershipLostError(Exception):
    """This process must not act any more; only a fresh one may stand again."""


@dataclass(frozen=True)
class Sighting:
    """A Lease, and since when it has been as it is, by the clock of who looks."""

    lease: Lease
    since: float


def sight(before: Sighting | None, lease: Lease, now: float) -> Sighting:
    """What is known after a look: only a change says that the holder lives."""
    if before is not None and before.lease.resource_version == lease.resource_version:
        return before
    return Sighting(lease, now)


def is_free(sighting: Sighting | None, now: float) -> bool:
    """Whether the Lease may be taken."""
    if sighting is None or sighting.lease.holder is None:
        return True
    return now >= sighting.since + sighting.lease.duration


class Elector:
    """One candidate, under a name that no other process ever has."""

    def __init__(
        self,
        leases: Leases,
        *,
        identity: str,
        duration: float,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._leases = leases
        self._identity = identity
        self._duration = duration
        self._clock = clock
        self._now = now
        self._sighting: Sighting | None = None
        self._held: Lease | None = None
        self._until = float("-inf")
        self._trouble = ""

    @property
    def leads(self) -> bool:
        """Whether this process may act at this moment."""
        return self._clock() < self._until

    def check(self) -> None:
        """Raises `UnavailableError` unless this process may act at this moment."""
        if not self.leads:
            raise UnavailableError("another replica may be the leader by now")

    async def acquire(self) -> None:
        """Wait until this process is the leader."""
        while not await self._bounded(self._take):
            await self._pause(LOOK)
        log.info("leading", identity=self._identity)

    async def hold(self) -> NoReturn:
        """Renew the Lease for ever. Raises `LeadershipLostError` when that is no longer possible.

        A renewal that comes late is a renewal all the same where nobody was faster: the API server
        takes it only if the Lease is as this process left it.
        """
        while True:
            await self._pause(RENEW)
            while not await self._bounded(self._renew):
                if not self.leads:
                    seconds = self._duration * GIVE_UP
                    raise LeadershipLostError(f"the lease was not renewed for {seconds:.0f} s")
                await self._pause(LOOK)

    async def release(self) -> None:
        """Give the Lease up, so that another takes it at once. From here on nobody acts here."""
        held, leads = self._held, self.leads
        self._held, self._until = None, float("-inf")
        if held is None or not leads:
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._leases.replace(held, released(held.spec, self._now()))
        except (ApiError, TimeoutError) as error:
            log.warning("lease not released, it will run out", error=str(error))

    @property
    def _patience(self) -> float:
        """Seconds that one request may take: two fit in before a holder has to give up."""
        return self._duration * GIVE_UP / 2

    async def _pause(self, share: float) -> None:
        # Candidates that failed together do not come back together.
        await asyncio.sleep(self._duration * share * random.uniform(1.0, JITTER))  # noqa: S311

    async def _bounded(self, attempt: Callable[[], Awaitable[bool]]) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                done, trouble = await attempt(), ""
        except ConflictError:
            # Someone was faster, or an answer got lost: the next look tells.
            done, trouble = False, ""
        except (ApiError, TimeoutError) as error:
            done, trouble = False, str(error) or "no answer in time"
        if trouble and trouble != self._trouble:
            log.warning("lease not available", error=trouble)
        self._trouble = trouble
        return done

    async def _take(self) -> bool:
        found = await self._leases.get()
        if found is not None:
            if self._sighting is None or self._sighting.lease.holder != found.holder:
                log.info("standing by", holder=found.holder, identity=self._identity)
            self._sighting = sight(self._sighting, found, self._clock())
        # One that was seen and is gone was deleted by someone, and its holder has yet to notice.
        ours = found is not None and found.holder == self._identity
        if not ours and not is_free(self._sighting, self._clock()):
            return False
        asked = self._clock()
        if found is None:
            return self._keep(await self._leases.create(self._spec({})), asked)
        return self._keep(await self._leases.replace(found, self._spec(found.spec)), asked)

    async def _renew(self) -> bool:
        if self._held is None:
            raise LeadershipLostError("the lease was given up")
        asked = self._clock()
        spec = self._spec(self._held.spec)
        try:
            renewed = await self._leases.replace(self._held, spec)
        except ConflictError:
            found = await self._leases.get()
            if found is not None and found.holder != self._identity:
                message = f"the lease is held by {found.holder or 'nobody'}"
                raise LeadershipLostError(message) from None
            self._held = found or self._held
            return False
        return self._keep(renewed or await self._leases.create(spec), asked)

    def _spec(self, before: Document) -> Document:
        return held_by(self._identity, self._duration, before, self._now())

    def _keep(self, held: Lease | None, asked: float) -> bool:
        if held is None:
            return False
        self._held, self._until = held, asked + self._duration * GIVE_UP
        return True
