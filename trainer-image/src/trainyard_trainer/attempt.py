"""What one trainer pod is to do, and with what: the same for every stage of the run."""

from dataclasses import dataclass
from pathlib import Path

import structlog
from trainyard_schema import Hyperparameters, ModelType, RunConfig, Stage, VersionKey

from trainyard_trainer.interruption import Interruption
from trainyard_trainer.progress import ProgressTracker

_log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One model type of one TrainingJob, in one attempt."""

    config: RunConfig
    model_type: ModelType
    hyperparameters: Hyperparameters
    key: VersionKey
    """The version that it may leave."""
    threads: int
    tracker: ProgressTracker
    interruption: Interruption
    log_file: Path
    started: float
    """By the monotonic clock, in seconds."""

    def enter(self, stage: Stage) -> None:
        """A stage begins."""
        self.tracker.enter(stage)
        _log.info("stage begins", stage=stage)
