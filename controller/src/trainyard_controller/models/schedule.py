"""The times of a cron schedule. Pure arithmetic; every time that goes in or out is in UTC."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_WINDOW = timedelta(hours=1)


class ScheduleError(Exception):
    """The schedule or its time zone says nothing. The message names the field."""


@dataclass(frozen=True)
class Schedule:
    """A cron expression in a time zone, with the semantics of Debian's cron (library: cronsim).

    Where clocks are put forward, a time of the day that does not exist stands for the first moment
    after the gap. Where they are put back, a time of the day that occurs twice counts once, the
    first time; a schedule whose minute or hour begins with `*` follows real time instead.
    """

    expression: str
    zone: ZoneInfo

    @classmethod
    def parse(cls, expression: str, time_zone: str) -> "Schedule":
        """Read `spec.schedule` and `spec.timeZone`. Raises `ScheduleError`."""
        try:
            zone = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ScheduleError(
                f"spec.timeZone: no time zone {time_zone!r}; write for example America/Sao_Paulo"
            ) from None
        schedule = cls(expression, zone)
        try:
            first = next(schedule.times(_EPOCH), None)
        except CronSimError as error:
            raise ScheduleError(
                f"spec.schedule: {error} in {expression!r}; write minute, hour, day of the month, "
                "month and day of the week, for example 0 3 * * *"
            ) from None
        if first is None:
            raise ScheduleError(f"spec.schedule: {expression!r} has no time within 50 years")
        return schedule

    def times(self, after: datetime) -> Iterator[datetime]:
        """The times after a moment, each once and in order. Ends where 50 years have none."""
        latest = after
        for moment in CronSim(self.expression, after.astimezone(self.zone)):
            time = moment.astimezone(UTC)
            # What the clock shows twice, or not at all, comes more than once.
            if time > latest:
                latest = time
                yield time

    def following(self, after: datetime) -> datetime | None:
        """The first time after a moment."""
        return next(self.times(after), None)

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """The last time that is after one moment and not after the other."""
        window = _WINDOW
        while True:
            # Of a year's missed minutes only the last ones are looked at.
            start = max(after, until - window)
            last = None
            for time in self.times(start):
                if time > until:
                    break
                last = time
            if last is not None or start == after:
                return last
            window *= 8
