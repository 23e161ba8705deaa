"""When the runs that wait will start, by how long runs take. Nothing is said that is not known."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from trainyard_controller.objects import Key
from trainyard_controller.queue.order import Candidate, Limits, Line

Held = tuple[str, float | None]
"""A slot that is held: its namespace, and the seconds until it is given back; None: unknown."""


def start_times(
    waiting: Iterable[Candidate],
    durations: Mapping[Key, float | None],
    held: Iterable[Held],
    limits: Limits,
) -> dict[Key, float]:
    """The seconds until each run gets a slot, if runs take as long as expected and none comes.

    A run is left out where it is unknown how long one takes that goes before it.
    """
    if limits.total is not None:
        return _play(Line(waiting), durations, list(held), limits)
    # Without a limit for all, no namespace waits for another.
    lines: defaultdict[str, list[Candidate]] = defaultdict(list)
    slots: defaultdict[str, list[Held]] = defaultdict(list)
    for candidate in waiting:
        lines[candidate.namespace].append(candidate)
    for one in held:
        slots[one[0]].append(one)
    found: dict[Key, float] = {}
    for namespace, candidates in lines.items():
        found |= _play(Line(candidates), durations, slots[namespace], limits)
    return found


def _play(
    line: Line, durations: Mapping[Key, float | None], held: Sequence[Held], limits: Limits
) -> dict[Key, float]:
    """Give slots back and out in the order of time."""
    ends = [(left, namespace) for namespace, left in held if left is not None]
    if len(ends) < len(held):
        return {}
    heapq.heapify(ends)
    shares = Counter(namespace for namespace, _ in held)
    now, starts = 0.0, {}
    while line:
        candidate = line.next(limits, shares, len(ends))
        if candidate is None:
            now, namespace = heapq.heappop(ends)
            shares[namespace] -= 1
            continue
        line.remove(candidate)
        starts[candidate.key] = now
        duration = durations[candidate.key]
        if duration is None:
            break
        heapq.heappush(ends, (now + duration, candidate.namespace))
        shares[candidate.namespace] += 1
    return starts
