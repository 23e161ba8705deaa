"""Trainings as they go on: bars on a terminal, lines elsewhere."""

import sys
from datetime import UTC
from types import TracebackType
from typing import Final, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from trainyard_client.cli.output import clean, console
from trainyard_client.views import Job, Status
from trainyard_client.views import Progress as JobProgress

_COMPLETE: Final = 100


class Board:
    """Shows each job that it is told of: a bar for each, or a line for each change."""

    def __init__(self) -> None:
        out = console()
        self._bars = Progress(
            TextColumn("{task.fields[name]}", markup=False),
            TextColumn("{task.fields[headline]}", markup=False, style="bold"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[detail]}", markup=False, style="dim"),
            console=out,
            disable=not out.is_terminal,
        )
        self._plain = not out.is_terminal
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def show(self, job: Job) -> None:
        """Show a job as it is now."""
        if self._plain:
            line = plain_line(job)
            if self._said.get(job.job_id) != line:
                self._said[job.job_id] = line
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
            return
        now, what = headline(job), detail(job)
        if job.job_id not in self._tasks:
            self._tasks[job.job_id] = self._bars.add_task(
                "", total=_COMPLETE, name=clean(job.job_id), headline=now, detail=what
            )
        task = self._tasks[job.job_id]
        self._bars.update(task, completed=percent(job), headline=now, detail=what)


def plain_line(job: Job) -> str:
    """A job in one line of a log."""
    parts = [clean(job.job_id), headline(job), f"{percent(job)} %", detail(job)]
    return "  ".join(part for part in parts if part)


def headline(job: Job) -> str:
    """Where it stands, in a word or two."""
    phase = job.phase or "Pending"
    return clean(f"{phase} {job.stage}" if job.stage and not job.ended else phase)


def percent(job: Job) -> int:
    """How far it is."""
    if job.status is Status.COMPLETED:
        return _COMPLETE
    return job.progress.percent if job.progress else 0


def detail(job: Job) -> str:
    """What it is at, what it waits for, or what came out of it."""
    progress = job.progress
    if job.reason:
        return clean(f"{job.reason}: {job.message}")
    if job.ended:
        return clean(job.message)
    return clean(_how_far(progress)) if progress else ""


def _how_far(progress: JobProgress) -> str:
    told = []
    if progress.total is not None:
        told.append(f"{progress.done} of {progress.total} {progress.unit or ''}".rstrip())
    if progress.eta_seconds is not None:
        told.append(f"{progress.eta_seconds} s left")
    if progress.stale and progress.updated_at is not None:
        told.append(f"not heard since {progress.updated_at.astimezone(UTC):%H:%M:%S} UTC")
    return ", ".join(told)
