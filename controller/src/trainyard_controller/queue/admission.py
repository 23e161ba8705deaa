"""Gives slots out and takes them back: a run that starts has one, every other waits in line."""

import asyncio
import heapq
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trainyard_schema import Phase

from trainyard_controller.cache import Cache
from trainyard_controller.objects import Key, TrainingJob, utc_now
from trainyard_controller.queue.durations import Durations
from trainyard_controller.queue.forecast import Held, start_times
from trainyard_controller.queue.order import Candidate, Limits, Line, in_line
from trainyard_controller.queue.places import Place, worth_telling
from trainyard_controller.queue.priorities import Priorities
from trainyard_controller.queue.standing import Standing, standing
from trainyard_controller.queue.wait import NEWCOMER, Wait, for_slot
from trainyard_controller.workqueue import WorkQueue

TELL_SECONDS = 10.0
"""Time between two looks at who has moved by enough to be told."""
TELL_AT_MOST = 50
"""Places that are written down at each look, those first that were told longest ago."""
LOOK_SECONDS = 1.0
"""For so long the places of newcomers may be unknown: looking takes O(n log n)."""


@dataclass
class _Waiting:
    """A run in line, and what it was told last."""

    training_job: TrainingJob
    candidate: Candidate
    told: Wait
    told_at: float = 0.0


class Admission:
    """Whose turn it is, by what the cache knows.

    A slot is held from the moment it is given out, before there is a Job that shows it. All else
    follows from TrainingJobs, Jobs and pods, so that a new process comes to the same result.
    Nothing here waits between looking at slots and giving them out.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        cache: Cache,
        queue: WorkQueue[Key],
        priorities: Priorities,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._cache = cache
        self._queue = queue
        self._priorities = priorities
        self._now = now
        self._clock = clock
        self._durations = Durations()
        self._held: dict[Key, str] = {}
        """The uids of the runs that hold a slot."""
        self._shares: Counter[str] = Counter()
        self._line = Line()
        self._waiting: dict[Key, _Waiting] = {}
        self._places: dict[Key, Place] = {}
        self._looked_at = -LOOK_SECONDS

    async def prime(self) -> None:
        """Know who holds a slot, and who waits, before the first one is given out.

        All TrainingJobs and what they own are in the cache by now.
        """
        if not self._limits.exist:
            return
        for training_job in self._cache.training_jobs():
            if training_job.finished:
                self._durations.note(training_job)
            else:
                await self._file(training_job)

    async def turn(self, training_job: TrainingJob) -> Wait | None:
        """What a run has to wait for; None if it may have a Job that is not suspended."""
        if not self._limits.exist:
            return None
        key = training_job.key
        await self._file(training_job)
        self._admit(asked=key)
        if (waiting := self._waiting.get(key)) is None:
            return None
        if waiting.told.place is None and (place := self._first_place(key)) is not None:
            self._tell(waiting, place, self._now())
        return waiting.told

    def leave(self, key: Key, finished: TrainingJob | None = None) -> None:
        """A run has ended or is gone, or its Job is refused: its slot and its place are free."""
        if not self._limits.exist:
            return
        if finished is not None and finished.finished:
            self._durations.note(finished)
        self._drop(key)
        self._admit()

    async def run(self) -> None:
        """Tell those who wait of their places, for ever."""
        while True:
            await asyncio.sleep(TELL_SECONDS)
            self.tell()

    async def _file(self, training_job: TrainingJob) -> None:
        """Put a run where it belongs: among those who hold a slot, in line, or neither."""
        key, uid = training_job.key, training_job.uid
        stands = standing(training_job, self._cache.job(training_job), self._cache.pods(uid))
        if stands is Standing.NONE:
            self._drop(key)
        elif self._held.get(key) == uid or (
            stands is Standing.WAITS and self._is_in_line(key, uid)
        ):
            return
        elif stands is Standing.HOLDS:
            self._drop(key)
            self._hold(key, uid)
        else:
            name = training_job.spec.get("priorityClassName")
            priority = await self._priorities.value(name)
            candidate = Candidate(-priority, training_job.created, key)
            self._drop(key)
            self._line.add(candidate)
            self._waiting[key] = _Waiting(training_job, candidate, _told_before(training_job))

    def _is_in_line(self, key: Key, uid: str) -> bool:
        waiting = self._waiting.get(key)
        return waiting is not None and waiting.training_job.uid == uid

    def _hold(self, key: Key, uid: str) -> None:
        self._held[key] = uid
        self._shares[key[0]] += 1

    def _drop(self, key: Key) -> None:
        if self._held.pop(key, None) is not None:
            self._shares[key[0]] -= 1
        self._places.pop(key, None)
        if (waiting := self._waiting.pop(key, None)) is not None:
            self._line.remove(waiting.candidate)

    def _admit(self, *, asked: Key | None = None) -> None:
        """Give free slots out; those who get one are woken, but for the one who asks."""
        while (first := self._line.next(self._limits, self._shares, len(self._held))) is not None:
            uid = self._waiting[first.key].training_job.uid
            self._drop(first.key)
            self._hold(first.key, uid)
            if first.key != asked:
                self._queue.add(first.key)

    def _look(self) -> None:
        """Find out the place of everyone who waits. Takes O(n log n)."""
        now = self._now()
        candidates = [waiting.candidate for waiting in self._waiting.values()]
        durations = {
            key: self._durations.expected(waiting.training_job)
            for key, waiting in self._waiting.items()
        }
        seconds = start_times(candidates, durations, self._slots(now), self._limits)
        self._places = {
            candidate.key: Place(position, len(line), _after(seconds.get(candidate.key), now))
            for line in self._lines(candidates)
            for position, candidate in enumerate(line, start=1)
        }
        self._looked_at = self._clock()

    def _lines(self, candidates: list[Candidate]) -> list[list[Candidate]]:
        """One line for all if there is a limit for all, else one for each namespace."""
        if self._limits.total is not None:
            return [in_line(candidates, self._shares)]
        lines: defaultdict[str, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            lines[candidate.namespace].append(candidate)
        return [in_line(line, self._shares) for line in lines.values()]

    def _slots(self, now: datetime) -> Iterator[Held]:
        for key in self._held:
            training_job = self._cache.training_job(key)
            yield key[0], self._durations.left(training_job, now) if training_job else None

    def _first_place(self, key: Key) -> Place | None:
        if key not in self._places and self._clock() - self._looked_at >= LOOK_SECONDS:
            self._look()
        return self._places.get(key)

    def tell(self) -> None:
        """Have new places written down, of those who have moved by enough since they were told."""
        if not self._waiting:
            return
        self._look()
        now = self._now()
        news = []
        for key, waiting in self._waiting.items():
            place = self._places[key]
            if worth_telling(waiting.told.place, place, now):
                news.append((waiting, place))
        for waiting, place in heapq.nsmallest(TELL_AT_MOST, news, key=lambda one: one[0].told_at):
            self._tell(waiting, place, now)
            self._queue.add(waiting.candidate.key)

    def _tell(self, waiting: _Waiting, place: Place, now: datetime) -> None:
        waiting.told = for_slot(place.told, now)
        waiting.told_at = self._clock()


def _after(seconds: float | None, now: datetime) -> datetime | None:
    return None if seconds is None else (now + timedelta(seconds=seconds)).replace(microsecond=0)


def _told_before(training_job: TrainingJob) -> Wait:
    """What stands in the status already, so that a new process writes nothing again."""
    status = training_job.status
    if status.phase is not Phase.QUEUED or status.queue is None:
        return NEWCOMER
    return replace(NEWCOMER, message=status.message or "", place=status.queue)
