"""The program of a trainer pod."""

import os
import sys
import tempfile
import time
from pathlib import Path

from trainyard_trainer import cpu

_STARTED = time.monotonic()
# Libraries read these once, when they are imported: the number of threads, and Arrow's allocator,
# of which jemalloc gives freed memory back the soonest.
_THREADS = cpu.limit_threads()
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")

import structlog  # noqa: E402
from pydantic import ValidationError  # noqa: E402
from trainyard_schema import (  # noqa: E402
    Hyperparameters,
    ModelType,
    Reason,
    RunConfig,
    RunResult,
    VersionKey,
    validate_hyperparameters,
)
from trainyard_schema.base import explain  # noqa: E402
from trainyard_schema.hyperparameters import HyperparameterError  # noqa: E402
from trainyard_schema.names import (  # noqa: E402
    COMPLETION_INDEX_ENV,
    RUN_CONFIG_ENV,
    TRAINER_PORT,
    new_version,
)

from trainyard_trainer import logs, server, termination  # noqa: E402
from trainyard_trainer.attempt import Attempt  # noqa: E402
from trainyard_trainer.errors import TrainerError  # noqa: E402
from trainyard_trainer.interruption import Interruption  # noqa: E402
from trainyard_trainer.progress import ProgressTracker  # noqa: E402
from trainyard_trainer.run import execute  # noqa: E402

_log = structlog.get_logger()
PORT_ENV = "TRAINER_PORT"
"""Only tests need another port."""


def read_config() -> tuple[RunConfig, ModelType, Hyperparameters]:
    """What this pod is to train. Raises TrainerError (InvalidSpec, InvalidHyperparameter)."""
    document = os.environ.get(RUN_CONFIG_ENV)
    if not document:
        raise TrainerError(
            Reason.INVALID_SPEC, f"{RUN_CONFIG_ENV} is not set; the operator puts the run there"
        )
    try:
        config = RunConfig.model_validate_json(document)
    except ValidationError as error:
        raise TrainerError(Reason.INVALID_SPEC, explain(error, prefix=RUN_CONFIG_ENV)) from None
    index = os.environ.get(COMPLETION_INDEX_ENV, "0")
    if not index.isdecimal() or int(index) >= len(config.model_types):
        raise TrainerError(
            Reason.INVALID_SPEC,
            f"{COMPLETION_INDEX_ENV} is {index!r}, but the run has "
            f"{len(config.model_types)} model types",
        )
    model_type = config.model_types[int(index)]
    try:
        hyperparameters = validate_hyperparameters(
            (model_type,),
            config.hyperparameters.get(model_type, {}),
            prefix="spec.hyperparameters",
        )
    except HyperparameterError as error:
        raise TrainerError(Reason.INVALID_HYPERPARAMETER, str(error)) from None
    return config, model_type, hyperparameters[model_type]


def _run(interruption: Interruption, log_file: Path) -> RunResult:
    config, model_type, hyperparameters = read_config()
    tracker = ProgressTracker(model_type, hyperparameters, fits=config.folds + 1, started=_STARTED)
    server.serve(tracker, int(os.environ.get(PORT_ENV, TRAINER_PORT)))
    if model_type == ModelType.XGBOOST:
        # xgboost imports scikit-learn where it is installed, for estimators that are not used here:
        # half a second and 50 MB. None in its place stops that.
        sys.modules["sklearn"] = None  # type: ignore[assignment]
    structlog.contextvars.bind_contextvars(model_type=model_type)
    _log.info("run begins", training_job=config.training_job, threads=_THREADS, seed=config.seed)
    return execute(
        Attempt(
            config=config,
            model_type=model_type,
            hyperparameters=hyperparameters,
            key=VersionKey(config.model, model_type, new_version()),
            threads=_THREADS,
            tracker=tracker,
            interruption=interruption,
            log_file=log_file,
            started=_STARTED,
        )
    )


def _failure(interruption: Interruption, reason: Reason, message: str) -> RunResult:
    if interruption.requested.is_set() and reason != Reason.INTERRUPTED:
        # What could not be saved in the haste is no failure of the run.
        return termination.failure(Reason.INTERRUPTED, f"stopped; nothing is saved: {message}")
    return termination.failure(reason, message)


def main() -> None:
    """Run, leave the result as the termination message, and exit with the code that goes with
    it.
    """
    interruption = Interruption()
    with tempfile.TemporaryDirectory(prefix="trainyard-log-") as folder:
        log_file = Path(folder) / "log.txt"
        logs.configure(sys.stdout, log_file.open("w", encoding="utf-8", buffering=1))
        try:
            result = _run(interruption, log_file)
            _log.info("run succeeded" if result.reason is None else "run was stopped")
        except TrainerError as error:
            _log.error("run failed", reason=error.reason, error=error.message)
            interruption.clean_up()
            result = _failure(interruption, error.reason, error.message)
        except Exception as error:
            _log.exception("run crashed")
            interruption.clean_up()
            text = " ".join(str(error).split())
            text = f"{type(error).__name__}: {text}"
            result = _failure(interruption, Reason.TRAINER_CRASHED, text)
    interruption.finish(result)


if __name__ == "__main__":
    main()
