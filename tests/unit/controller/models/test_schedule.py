from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainyard_controller.models.schedule import Schedule, ScheduleError


def times(expression: str, zone: str, after: str, count: int = 3) -> list[str]:
    """The next times in the zone's local time."""
    found = islice(Schedule.parse(expression, zone).times(datetime.fromisoformat(after)), count)
    return [f"{time.astimezone(ZoneInfo(zone)):%d %H:%M %Z}" for time in found]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        (
            "0 3 * * *",
            "America/Sao_Paulo",
            "2026-11-23T05:59:59Z",
            ["23 03:00 -03", "24 03:00 -03", "25 03:00 -03"],
        ),
        ("0 3 * * MON", "UTC", "2026-11-23T03:00:00Z", ["30 03:00 UTC", "07 03:00 UTC"]),
        ("*/20 5 29 2 *", "UTC", "2026-11-23T03:00:00Z", ["29 05:00 UTC", "29 05:20 UTC"]),
        # Clocks go from 2:00 to 3:00: what is left out counts once, at the end of the gap.
        (
            "15,30 2 * * *",
            "America/New_York",
            "2026-03-07T12:00:00Z",
            ["08 03:00 EDT", "09 02:15 EDT", "09 02:30 EDT"],
        ),
        (
            "0 0 * * *",
            "America/Sao_Paulo",
            "2018-11-03T12:00:00Z",
            ["04 01:00 -02", "05 00:00 -02"],
        ),
        # Clocks go from 2:00 to 1:00: what exists twice counts once.
        (
            "30 1 * * *",
            "America/New_York",
            "2026-10-31T12:00:00Z",
            ["01 01:30 EDT", "02 01:30 EST"],
        ),
        (
            "30 1 * * *",
            "America/New_York",
            "2026-11-01T06:10:00Z",  # 1:10 for the second time
            ["02 01:30 EST", "03 01:30 EST"],
        ),
        # By the hour it follows real time.
        (
            "30 * * * *",
            "America/New_York",
            "2026-11-01T05:00:00Z",
            ["01 01:30 EDT", "01 01:30 EST", "01 02:30 EST"],
        ),
    ],
)
def test_times(expression: str, zone: str, after: str, expected: list[str]) -> None:
    assert times(expression, zone, after, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "zone", "message"),
    [
        ("0 3 * * *", "Nowhere/Land", "spec.timeZone: no time zone 'Nowhere/Land'"),
        ("0 3 * * *", "America", "spec.timeZone"),
        ("0 3 * * *", "../UTC", "spec.timeZone"),
        ("0 3 * * FOO", "UTC", "spec.schedule: Bad day-of-week in '0 3 \\* \\* FOO'"),
        ("0 3 9-5 * *", "UTC", "spec.schedule: Bad day-of-month"),
        ("0 3 30 2 *", "UTC", "spec.schedule: Bad day-of-month"),
        ("* * */20 * 1L", "UTC", "has no time within 50 years"),
    ],
)
def test_what_is_wrong_is_named(expression: str, zone: str, message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        Schedule.parse(expression, zone)


MINUTES = st.sampled_from(["*", "*/7", "0", "30", "15,45", "10-40/15", "59"])
HOURS = st.sampled_from(["*", "*/2", "0", "1", "2", "1-3", "23", "2,14"])
DAYS = st.sampled_from(["*", "*/3", "8", "1,29"])
WEEKDAYS = st.sampled_from(["*", "0", "MON-FRI"])
ZONES = st.sampled_from(
    [
        "UTC",
        "America/New_York",
        "America/Sao_Paulo",
        "America/Havana",
        "Europe/Berlin",
        "Africa/Casablanca",
        "Asia/Kolkata",
    ]
)
SCHEDULES = st.builds(
    lambda minute, hour, day, weekday, zone: Schedule.parse(
        f"{minute} {hour} {day} * {weekday}", zone
    ),
    MINUTES,
    HOURS,
    DAYS,
    WEEKDAYS,
    ZONES,
)
# Brazil put its clocks forward until 2018, at midnight.
MOMENTS = st.datetimes(
    datetime(2017, 1, 1),  # noqa: DTZ001
    datetime(2028, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
SHARES = st.floats(0, 0.99)


@settings(max_examples=150, deadline=None)
@given(SCHEDULES, MOMENTS, st.integers(0, 60), SHARES)
def test_the_next_time_does_not_depend_on_when_one_asks(
    schedule: Schedule, after: datetime, index: int, share: float
) -> None:
    found = list(islice(schedule.times(after), index + 2))
    assert found == sorted(set(found))
    assert found[0] > after
    before, following = found[-2:]
    assert schedule.following(before + share * (following - before)) == following


@settings(max_examples=150, deadline=None)
@given(SCHEDULES, MOMENTS, st.integers(1, 80), SHARES)
def test_the_latest_time_is_the_last_of_all(
    schedule: Schedule, after: datetime, count: int, share: float
) -> None:
    found = list(islice(schedule.times(after), count + 1))
    last, following = found[-2:]
    until = last + share * (following - last)
    assert schedule.latest(after, until) == last
    assert schedule.latest(last, until) is None


def test_years_of_missed_minutes_are_not_counted_one_by_one() -> None:
    schedule = Schedule.parse("* * * * *", "America/Sao_Paulo")
    until = datetime(2026, 11, 23, 9, 0, 30, tzinfo=UTC)
    assert schedule.latest(until - timedelta(days=3650), until) == until.replace(second=0)
