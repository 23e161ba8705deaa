"""When a place is told, and how."""

from datetime import datetime, timedelta

import pytest
from trainyard_controller.queue.places import Place, worth_telling
from trainyard_controller.queue.wait import for_slot
from trainyard_schema import QueuePlace

from ..samples import NOW


def after(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("told", "position", "worth"),
    [
        (100, 100, False),
        (100, 81, False),
        (100, 80, True),
        (100, 119, False),
        (100, 120, True),
        (12, 11, False),
        (11, 10, True),
        (10, 9, True),
        (9, 10, True),
        (10, 11, True),
        (1, 1, False),
    ],
)
def test_a_move_is_told_near_the_front_and_else_when_it_is_a_fifth(
    told: int, position: int, worth: bool
) -> None:
    before = QueuePlace(position=told, length=200)
    assert worth_telling(before, Place(position, 200, None), NOW) is worth


def test_on_its_way_to_the_front_a_run_is_told_few_places() -> None:
    told, count = QueuePlace(position=10_000, length=10_000), 0
    for position in range(9_999, 0, -1):
        place = Place(position, 10_000, None)
        if worth_telling(told, place, NOW):
            told, count = place.told, count + 1
    assert count <= 45


@pytest.mark.parametrize(
    ("told", "start", "worth"),
    [
        (None, after(5), True),
        (after(5), None, True),
        (after(100), after(119), False),
        (after(100), after(121), True),
        (after(100), after(79), True),
        (after(1), after(1.9), False),
        (after(-5), after(0), True),
    ],
)
def test_a_start_is_told_anew_when_it_is_off_by_a_fifth_of_the_wait(
    told: datetime | None, start: datetime | None, worth: bool
) -> None:
    before = QueuePlace(position=50, length=200, estimated_start_time=told)
    assert worth_telling(before, Place(50, 200, start), NOW) is worth


def test_a_first_place_is_told() -> None:
    assert worth_telling(None, Place(10_000, 10_000, None), NOW)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (None, "position 3 of 17"),
        (after(87), "position 3 of 17, estimated start 10:32 UTC"),
        (after(60 * 24), "position 3 of 17, estimated start 2026-11-24 09:05 UTC"),
    ],
)
def test_the_message_has_the_place_and_the_start(start: datetime | None, message: str) -> None:
    assert for_slot(Place(3, 17, start).told, NOW).message == message
