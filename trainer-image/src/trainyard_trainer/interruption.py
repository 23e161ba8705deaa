"""SIGTERM: from any stage, also from inside a library's C code, the process ends within five
seconds, unless the run was given time to bring something home.

The signal is blocked in every thread and taken by one that waits for it. Python's own handlers run
only in the main thread between two byte codes, which a long call into C would hold up.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn, Protocol

import structlog
from trainyard_schema import Reason, RunResult

from trainyard_trainer import termination

_log = structlog.get_logger()
_SIGNALS = {signal.SIGTERM, signal.SIGINT}
_CLEANUP_SECONDS = 3.0
_FINISH_SECONDS = 3.0


class Abandonable(Protocol):
    """What must be cleaned up when the run is interrupted."""

    def abandon(self, patience_seconds: float) -> bool:
        """Remove what is unfinished; True if it is finished already."""


def leave(result: RunResult) -> NoReturn:
    """Write the termination message and end the process at once, whatever other threads do."""
    code = termination.write(result)
    sys.stdout.flush()
    os._exit(code)


class Interruption:
    """Waits for SIGTERM from the moment it is made. Make it before any other thread starts."""

    def __init__(self) -> None:
        # Held by whichever thread is to end the process.
        self._end = threading.Lock()
        self._ending = threading.Event()
        self._cleaning = threading.Event()
        self._guarded: Abandonable | None = None
        self._patience = 0.0
        self.requested = threading.Event()
        """Set once the run is to stop."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        threading.Thread(target=self._watch, name="interruption", daemon=True).start()

    def allow(self, seconds: float) -> None:
        """From now on, an interrupted run has this long to end by itself. It sees `requested`."""
        self._patience = seconds

    def guard(self, unfinished: Abandonable) -> None:
        """From now on, an interruption abandons this first. One that has come already does so
        too.
        """
        self._guarded = unfinished
        if self._cleaning.is_set():
            unfinished.abandon(0)

    def clean_up(self) -> bool:
        """Abandon what is guarded, within a few seconds; True if it is finished already."""
        return self._guarded is not None and _within(_CLEANUP_SECONDS, self._guarded.abandon)

    def finish(self, result: RunResult) -> NoReturn:
        """The run ends by itself."""
        self._end.acquire()
        self._ending.set()
        leave(result)

    def _watch(self) -> None:
        name = signal.Signals(signal.sigwait(_SIGNALS)).name
        patience = self._patience
        self.requested.set()
        _log.warning("interrupted", signal=name, patience_seconds=patience)
        self._ending.wait(patience)
        if not self._end.acquire(blocking=False):
            return
        self._cleaning.set()
        if self.clean_up():
            # The version is there, so the run has won; give it the time to say so.
            self._end.release()
            self._ending.wait(_FINISH_SECONDS)
            if not self._end.acquire(blocking=False):
                return
        leave(termination.failure(Reason.INTERRUPTED, f"stopped by {name}"))


def _within(seconds: float, abandon: Callable[[float], bool]) -> bool:
    """What `abandon` answers; False if it fails or does not answer in time."""
    answers: list[bool] = []

    def attempt() -> None:
        try:
            answers.append(abandon(seconds / 2))
        except Exception as error:
            _log.warning("clean-up is incomplete", error=str(error))

    thread = threading.Thread(target=attempt, name="clean-up", daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers and answers[0])
