"""Properties of the order in which slots are given out, and small cases that a person can check."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainyard_controller.queue.order import Candidate, Limits, Line, in_line

MORNING = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def candidate(namespace: str, name: str, *, priority: int = 0, minute: int = 0) -> Candidate:
    return Candidate(-priority, MORNING + timedelta(minutes=minute), (namespace, name))


CANDIDATES = st.lists(
    st.builds(
        candidate,
        st.sampled_from("abc"),
        st.text("xyz", min_size=1, max_size=3),
        priority=st.integers(-1, 2),
        minute=st.integers(0, 5),
    ),
    max_size=14,
    unique_by=lambda one: one.key,
)
HELD = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 4), max_size=4)
LIMITS = st.builds(
    Limits,
    total=st.none() | st.integers(1, 8),
    per_namespace=st.none() | st.integers(1, 4),
)


def turns(waiting: list[Candidate], held: dict[str, int], limits: Limits) -> list[Candidate]:
    """Who gets a slot while none is given back."""
    line, shares, given_out = Line(waiting), Counter(held), []
    while (first := line.next(limits, shares, shares.total())) is not None:
        line.remove(first)
        shares[first.namespace] += 1
        given_out.append(first)
    return given_out


def names(line: list[Candidate]) -> str:
    return " ".join(one.key[1] for one in line)


def test_within_a_namespace_the_first_to_come_is_the_first_to_go() -> None:
    waiting = [candidate("a", "3", minute=3), candidate("a", "1", minute=1), candidate("a", "2")]
    assert names(in_line(waiting, {})) == "2 1 3"


def test_a_higher_priority_goes_first_whoever_came_first() -> None:
    waiting = [candidate("a", "old"), candidate("a", "urgent", priority=1000, minute=5)]
    assert names(in_line(waiting, {})) == "urgent old"


def test_a_priority_goes_before_fairness() -> None:
    waiting = [candidate("idle", "old"), candidate("busy", "urgent", priority=1, minute=5)]
    assert names(in_line(waiting, {"busy": 7})) == "urgent old"


def test_a_namespace_that_asks_for_much_does_not_hold_up_another() -> None:
    crowd = [candidate("crowd", f"c{minute}", minute=minute) for minute in range(5)]
    waiting = [*crowd, candidate("late", "l0", minute=9), candidate("late", "l1", minute=9)]
    assert names(in_line(waiting, {})) == "c0 l0 c1 l1 c2 c3 c4"
    assert names(in_line(waiting, {"crowd": 3})) == "l0 l1 c0 c1 c2 c3 c4"


def test_a_full_namespace_is_passed_over_and_keeps_its_place() -> None:
    waiting = [candidate("a", "first"), candidate("b", "second", minute=1)]
    limits = Limits(total=3, per_namespace=1)
    assert names(turns(waiting, {"a": 1}, limits)) == "second"
    assert names(turns(waiting, {}, limits)) == "first second"


@settings(max_examples=400, deadline=None)
@given(CANDIDATES, HELD)
def test_the_line_is_what_comes_of_one_turn_after_another(
    waiting: list[Candidate], held: dict[str, int]
) -> None:
    assert in_line(waiting, held) == turns(waiting, held, Limits())


@settings(max_examples=400, deadline=None)
@given(CANDIDATES, HELD, LIMITS)
def test_no_limit_is_exceeded_and_no_slot_is_left_to_rot(
    waiting: list[Candidate], held: dict[str, int], limits: Limits
) -> None:
    given_out = turns(waiting, held, limits)
    shares = Counter(held) + Counter(one.namespace for one in given_out)
    new = Counter(one.namespace for one in given_out)
    if limits.total is not None:
        assert shares.total() <= max(limits.total, Counter(held).total())
    if limits.per_namespace is not None:
        assert all(shares[name] <= limits.per_namespace for name in new)
    left = [one for one in waiting if one not in given_out]
    if limits.total is None or shares.total() < limits.total:
        full = {one.namespace for one in left}
        assert all(shares[name] >= (limits.per_namespace or 0) for name in full)
        assert not left or limits.per_namespace is not None


@settings(max_examples=400, deadline=None)
@given(CANDIDATES, HELD, LIMITS)
def test_each_slot_goes_to_the_highest_priority_then_the_least_served_then_the_oldest(
    waiting: list[Candidate], held: dict[str, int], limits: Limits
) -> None:
    shares, left = Counter(held), list(waiting)
    for chosen in turns(waiting, held, limits):
        assert limits.leave_room(shares.total())
        rivals = [one for one in left if limits.leave_room_in(shares[one.namespace])]
        assert chosen.precedence == min(one.precedence for one in rivals)
        rivals = [one for one in rivals if one.precedence == chosen.precedence]
        assert shares[chosen.namespace] == min(shares[one.namespace] for one in rivals)
        rivals = [one for one in rivals if shares[one.namespace] == shares[chosen.namespace]]
        assert chosen.created == min(one.created for one in rivals)
        left.remove(chosen)
        shares[chosen.namespace] += 1


@settings(max_examples=200, deadline=None)
@given(CANDIDATES, st.data())
def test_a_line_does_not_depend_on_the_way_it_came_about(
    waiting: list[Candidate], data: st.DataObject
) -> None:
    gone = data.draw(st.lists(st.sampled_from(waiting), unique=True) if waiting else st.just([]))
    line = Line()
    for one in data.draw(st.permutations(waiting)):
        line.add(one)
    for one in gone:
        line.remove(one)
    shares: Counter[str] = Counter()
    for expected in in_line([one for one in waiting if one not in gone], {}):
        assert line.next(Limits(), shares, 0) == expected
        line.remove(expected)
        shares[expected.namespace] += 1
    assert not line


@pytest.mark.parametrize(
    ("limits", "exist"),
    [(Limits(), False), (Limits(total=1), True), (Limits(per_namespace=1), True)],
)
def test_without_a_limit_there_is_no_queue(limits: Limits, exist: bool) -> None:
    assert limits.exist is exist
