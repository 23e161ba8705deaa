"""When those who wait will start."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from trainyard_controller.objects import Key
from trainyard_controller.queue.forecast import Held, start_times
from trainyard_controller.queue.order import Candidate, Limits

from .test_order import CANDIDATES, candidate

ONE, TWO = Limits(total=1), Limits(total=2)


def lasting(waiting: list[Candidate], *seconds: float | None) -> dict[Key, float | None]:
    return {one.key: duration for one, duration in zip(waiting, seconds, strict=True)}


def starts(
    waiting: list[Candidate],
    durations: dict[Key, float | None],
    held: Sequence[Held],
    limits: Limits,
) -> dict[str, float]:
    found = start_times(waiting, durations, held, limits)
    return {name: seconds for (_, name), seconds in found.items()}


def test_one_after_another() -> None:
    waiting = [candidate("a", "x"), candidate("a", "y", minute=1), candidate("a", "z", minute=2)]
    durations = lasting(waiting, 60, 30, 10)
    assert starts(waiting, durations, [("a", 5)], ONE) == {"x": 5, "y": 65, "z": 95}


def test_the_first_slot_that_is_free_is_taken() -> None:
    waiting = [candidate("a", "x"), candidate("a", "y", minute=1), candidate("a", "z", minute=2)]
    durations = lasting(waiting, 60, 30, 10)
    assert starts(waiting, durations, [("a", 5), ("a", 8)], TWO) == {"x": 5, "y": 8, "z": 38}


def test_after_an_unknown_duration_nothing_is_known() -> None:
    waiting = [candidate("a", "x"), candidate("a", "y", minute=1), candidate("a", "z", minute=2)]
    durations = lasting(waiting, 60, None, 10)
    assert starts(waiting, durations, [("a", 5)], ONE) == {"x": 5, "y": 65}
    assert starts(waiting, durations, [("a", None)], ONE) == {}


def test_without_a_limit_for_all_no_namespace_waits_for_another() -> None:
    waiting = [candidate("a", "x"), candidate("b", "y")]
    durations = lasting(waiting, 10, 10)
    held = [("a", None), ("b", 7.0)]
    assert starts(waiting, durations, held, Limits(per_namespace=1)) == {"y": 7}


def test_a_namespace_at_its_limit_waits_for_its_own() -> None:
    waiting = [candidate("a", "x"), candidate("b", "y", minute=1)]
    durations = lasting(waiting, 10, 10)
    limits = Limits(total=3, per_namespace=1)
    assert starts(waiting, durations, [("a", 100.0)], limits) == {"x": 100, "y": 0}


def test_runs_that_are_over_the_limit_have_to_end_first() -> None:
    waiting = [candidate("a", "x")]
    held = [("a", 1.0), ("a", 2.0), ("a", 3.0)]
    assert starts(waiting, lasting(waiting, 10), held, TWO) == {"x": 2}


@settings(max_examples=300, deadline=None)
@given(
    CANDIDATES,
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50).map(float)), max_size=6),
    st.integers(1, 4),
    st.data(),
)
def test_at_no_time_do_more_run_than_may_and_no_slot_stays_empty(
    waiting: list[Candidate], held: list[Held], total: int, data: st.DataObject
) -> None:
    durations = {one.key: float(data.draw(st.integers(1, 30))) for one in waiting}
    found = start_times(waiting, durations, held, Limits(total=total))
    assert found.keys() == durations.keys()
    spans = [(0.0, left) for _, left in held if left]
    spans += [(start, start + durations[key]) for key, start in found.items()]
    for key, start in found.items():
        going = sum(begin <= start < end for begin, end in spans)
        assert going <= max(total, len(held))
        # It would have started sooner, had there been a free slot for some time before.
        if start > 0:
            assert sum(begin < start <= end for begin, end in spans) >= total, key
