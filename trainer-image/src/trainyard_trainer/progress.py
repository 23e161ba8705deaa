"""How far the run is. Written by the training thread, read by the server's.

The trainer tells what it can see: its stage, the time that each stage took, units done of those
planned, and how fast they go. What share of the run that is, and how long it still takes, the
operator says, who knows the runs before this one.
"""

import threading
import time
from collections.abc import Callable

from trainyard_schema import Hyperparameters, ModelType, ModelVersion, Stage
from trainyard_schema.run import RunProgress

_SAMPLE_SECONDS = 0.5
_FIRST_RATE_SECONDS = 2.0
_SMOOTHING = 0.3


class ProgressTracker:
    """The state of one run. Every method may be called from any thread.

    `fits` are those of a cross-validation and the final one; `started` is when the process began,
    by the `clock`, in seconds.
    """

    def __init__(
        self,
        model_type: ModelType,
        hyperparameters: Hyperparameters,
        *,
        fits: int = 1,
        started: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._model_type = model_type
        self._stops_early = hyperparameters.stops_early
        self._stage = Stage.DOWNLOADING
        self._stage_since = clock() if started is None else started
        self._stage_seconds: dict[Stage, float] = {}
        self._share = 0.0
        self._done: int | None = None
        self._total = hyperparameters.planned_units * fits
        self._rate: float | None = None
        self._sample: tuple[float, int] | None = None
        self._resumed = False

    def enter(self, stage: Stage) -> None:
        """A stage begins."""
        with self._lock:
            if stage == self._stage:
                return
            self._stage_seconds = self._measured()
            self._stage, self._stage_since, self._share = stage, self._clock(), 0.0

    def advance(self, share: float) -> None:
        """`share` (0 to 1) of the present stage is done."""
        with self._lock:
            self._share = min(1.0, share)

    def resume(self) -> None:
        """The run goes on from where an earlier attempt was, so its times are no measure."""
        with self._lock:
            self._resumed = True

    def count(self, done: int, total: int) -> None:
        """`done` of at most `total` rounds, trees or epochs are done, over all fits of the run."""
        with self._lock:
            resumed = self._done is None
            self._done, self._total = done, total
            self._share = done / total if total else 1.0
            now = self._clock()
            if self._sample is None or resumed:
                # What comes before the first report is preparation, or an earlier attempt's.
                self._sample = (now, done)
                return
            then, done_then = self._sample
            if now - then >= _SAMPLE_SECONDS:
                rate = max(0.0, (done - done_then) / (now - then))
                known = self._rate
                self._rate = rate if known is None else known + _SMOOTHING * (rate - known)
                self._sample = (now, done)

    def _measured(self) -> dict[Stage, float]:
        """The seconds of each stage, the present one included; one entered twice adds up."""
        before = self._stage_seconds.get(self._stage, 0.0)
        elapsed = max(0.0, self._clock() - self._stage_since)
        return self._stage_seconds | {self._stage: round(before + elapsed, 3)}

    def document(self) -> RunProgress:
        """What `/progress` serves."""
        with self._lock:
            seconds = self._measured()
            known = seconds.get(Stage.TRAINING, 0.0) >= _FIRST_RATE_SECONDS
            return RunProgress(
                model_type=self._model_type,
                stage=self._stage,
                stage_seconds=seconds,
                share=self._share,
                total=self._total,
                stops_early=self._stops_early,
                done=self._done,
                rate=(self._rate or None) if known else None,
            )

    def timed(self, version: ModelVersion) -> ModelVersion:
        """The version with what it took, for those who want to know how long the next one takes."""
        with self._lock:
            if self._resumed or self._done is None:
                return version
            took = {"stage_seconds": self._measured(), "units": self._done}
            return version.model_copy(update=took)
