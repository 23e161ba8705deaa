"""Whose turn it is: the highest priority first, then fair between namespaces, then first come.

Pure functions. A namespace's share counts the runs that hold a slot and, for a place in the line,
the runs of the same namespace that are ahead: so namespaces take turns.
"""

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

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

    def admit(self, namespace: str, *, held: Mapping[str, int], total: int) -> bool:
        """Whether a namespace may have one more slot, by the slots that are held."""
        if self.total is not None and total >= self.total:
            return False
        return self.per_namespace is None or held.get(namespace, 0) < self.per_namespace


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A run that waits for a slot."""

    key: Key
    priority: int
    created: datetime

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.key[0]

    @property
    def seniority(self) -> tuple[int, datetime, Key]:
        """Sorts the runs of one namespace: a smaller one goes first."""
        return (-self.priority, self.created, self.key)


Claim = tuple[int, int, datetime, Key]


def _claim(candidate: Candidate, share: int) -> Claim:
    """Sorts runs of several namespaces: a smaller one goes first."""
    return (-candidate.priority, share, candidate.created, candidate.key)


def in_line(waiting: Iterable[Candidate], held: Mapping[str, int]) -> list[Candidate]:
    """The order in which runs get slots if none is given back. Takes O(n log n).

    It is that of `Line.next` without limits, for a run's share does not depend on others' runs.
    """
    ahead = Counter(held)
    claims = []
    for candidate in sorted(waiting, key=lambda one: one.seniority):
        claims.append((_claim(candidate, ahead[candidate.namespace]), candidate))
        ahead[candidate.namespace] += 1
    return [candidate for _, candidate in sorted(claims, key=lambda pair: pair[0])]


class Line:
    """The runs that wait, by namespace. Each step takes time by the number of namespaces."""

    def __init__(self, waiting: Iterable[Candidate] = ()) -> None:
        self._by_namespace: defaultdict[str, list[Candidate]] = defaultdict(list)
        for candidate in sorted(waiting, key=lambda one: one.seniority):
            self._by_namespace[candidate.namespace].append(candidate)

    def add(self, candidate: Candidate) -> None:
        """Have a run wait."""
        insort(self._by_namespace[candidate.namespace], candidate, key=lambda one: one.seniority)

    def remove(self, candidate: Candidate) -> None:
        """A run that waits no longer waits."""
        queued = self._by_namespace[candidate.namespace]
        del queued[bisect_left(queued, candidate.seniority, key=lambda one: one.seniority)]
        if not queued:
            del self._by_namespace[candidate.namespace]

    def __bool__(self) -> bool:
        return bool(self._by_namespace)

    def next(self, limits: Limits, held: Mapping[str, int], total: int) -> Candidate | None:
        """Whose turn it is; None where nobody waits or no slot is free for those who do."""
        heads = (
            (_claim(queued[0], held.get(namespace, 0)), queued[0])
            for namespace, queued in self._by_namespace.items()
            if limits.admit(namespace, held=held, total=total)
        )
        first = min(heads, key=lambda pair: pair[0], default=None)
        return first[1] if first else None
