"""Whose turn it is: the highest priority first, then fair between namespaces, then first come.

Pure functions. A namespace's share counts the runs that hold a slot and, for a place in the line,
the runs of the same namespace that are ahead: so namespaces take turns.
"""

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from trainyard_controller.objects import Key


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many runs may hold a slot at a time; None: any number."""

    total: int | None = None
    per_namespace: int | None = None

    @property
    def exist(self) -> bool:
        """Whether there is anything to wait for."""
        return self.total is not None or self.per_namespace is not None

    def leave_room(self, total: int) -> bool:
        """Whether one more slot may be held by anyone, when so many are."""
        return self.total is None or total < self.total

    def leave_room_in(self, held: int) -> bool:
        """Whether a namespace that holds so many slots may have one more."""
        return self.per_namespace is None or held < self.per_namespace


class Candidate(NamedTuple):
    """A run that waits for a slot. Of one namespace, the smallest goes first."""

    precedence: int
    """Minus its priority."""
    created: datetime
    key: Key

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.key[0]


Claim = tuple[int, int, Candidate]


def _claim(candidate: Candidate, share: int) -> Claim:
    """Sorts runs of several namespaces: the smallest goes first."""
    return (candidate.precedence, share, candidate)


def in_line(waiting: Iterable[Candidate], held: Mapping[str, int]) -> list[Candidate]:
    """The order in which runs get slots if none is given back. Takes O(n log n).

    It is that of `Line.next` without limits, for a run's share does not depend on others' runs.
    """
    ahead = Counter(held)
    claims = []
    for candidate in sorted(waiting):
        claims.append(_claim(candidate, ahead[candidate.namespace]))
        ahead[candidate.namespace] += 1
    return [candidate for _, _, candidate in sorted(claims)]


class Line:
    """The runs that wait, by namespace. Each step takes time by the number of namespaces."""

    def __init__(self, waiting: Iterable[Candidate] = ()) -> None:
        self._by_namespace: defaultdict[str, list[Candidate]] = defaultdict(list)
        for candidate in sorted(waiting):
            self._by_namespace[candidate.namespace].append(candidate)

    def __bool__(self) -> bool:
        return bool(self._by_namespace)

    def add(self, candidate: Candidate) -> None:
        """Have a run wait."""
        insort(self._by_namespace[candidate.namespace], candidate)

    def remove(self, candidate: Candidate) -> None:
        """A run that waits no longer waits."""
        queued = self._by_namespace[candidate.namespace]
        del queued[bisect_left(queued, candidate)]
        if not queued:
            del self._by_namespace[candidate.namespace]

    def next(self, limits: Limits, held: Mapping[str, int], total: int) -> Candidate | None:
        """Whose turn it is; None where nobody waits or no slot is free for those who do.

        `held` are the slots of each namespace, `total` is their sum.
        """
        if not limits.leave_room(total):
            return None
        shares = ((held.get(name, 0), queued) for name, queued in self._by_namespace.items())
        claims = (
            _claim(queued[0], share) for share, queued in shares if limits.leave_room_in(share)
        )
        first = min(claims, default=None)
        return first[2] if first else None
