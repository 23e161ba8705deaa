"""The stages of a run, one after another."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from trainyard_schema import Reason, RunResult, Stage
from trainyard_schema.artifacts import GOLDEN_ROWS, HOLDOUT
from trainyard_schema.run import NOT_RETRIED

from trainyard_trainer.attempt import Attempt
from trainyard_trainer.errors import TrainerError

if TYPE_CHECKING:
    from trainyard_trainer.checkpoints import CheckpointStore
    from trainyard_trainer.filing import Trained
    from trainyard_trainer.inputs import Inputs
    from trainyard_trainer.training import Dataset, Learner

# Everything else is imported where it is needed, so that progress is served before Arrow, boto3 and
# the model's library are loaded.

_log = structlog.get_logger()
_CHECKPOINT_DEADLINE_SECONDS = 20.0


def execute(attempt: Attempt) -> RunResult:
    """Do everything. Raises TrainerError for every failure that can be expected."""
    # The table and the model are gone when this returns: the gate gets their memory.
    result = _train(attempt)
    version = result.version
    if version is None:
        return result
    if attempt.config.gate is None or version.partial:
        return result.model_copy(update={"version": attempt.tracker.timed(version)})
    from trainyard_trainer.gate.stage import judge_version  # noqa: PLC0415

    attempt.enter(Stage.JUDGING)
    verdict = judge_version(
        attempt.config, version, threads=attempt.threads, interruption=attempt.interruption
    )
    attempt.tracker.advance(1.0)
    timed = attempt.tracker.timed(version)
    return result.model_copy(update={"version": timed, "verdict": verdict})


def _train(attempt: Attempt) -> RunResult:
    from trainyard_trainer.checkpoints import CheckpointStore  # noqa: PLC0415
    from trainyard_trainer.storage import Storage  # noqa: PLC0415

    config = attempt.config
    storage = Storage(
        config.storage, failure=Reason.UPLOAD_FAILED, deadline_seconds=_CHECKPOINT_DEADLINE_SECONDS
    )
    checkpoints = CheckpointStore(storage, config.training_job_uid, attempt.model_type)
    try:
        result = _download_fit_and_file(attempt, checkpoints)
    except TrainerError as error:
        if error.reason in NOT_RETRIED:
            checkpoints.remove()
        raise
    if result.reason is None:
        checkpoints.remove_if_used()
    return result


def _download_fit_and_file(attempt: Attempt, checkpoints: "CheckpointStore") -> RunResult:
    from trainyard_trainer import filing, inputs, unchanged  # noqa: PLC0415
    from trainyard_trainer.storage import Storage  # noqa: PLC0415

    config = attempt.config
    with tempfile.TemporaryDirectory(prefix="trainyard-") as scratch:
        folder = Path(scratch)
        version = folder / attempt.key.version
        version.mkdir()
        attempt.enter(Stage.DOWNLOADING)
        if config.skip_if_unchanged:
            storage = Storage(config.storage, failure=Reason.STORAGE_UNAVAILABLE)
            found = unchanged.find(storage, config, attempt.model_type)
            if found is not None:
                return filing.reuse_version(attempt, found, folder)
        given = inputs.download(
            config, attempt.model_type, folder, attempt.tracker.advance, threads=attempt.threads
        )
        trained = _fit(attempt, given, version, checkpoints, scratch=folder)
        return filing.file_version(attempt, trained, version)


def _fit(
    attempt: Attempt,
    given: "Inputs",
    version: Path,
    checkpoints: "CheckpointStore",
    *,
    scratch: Path,
) -> "Trained":
    """Validate, train and evaluate. Writes the holdout and the golden rows into `version`."""
    from trainyard_trainer import evidence, golden_rows, training, version_files  # noqa: PLC0415
    from trainyard_trainer.checkpoints import mark_of  # noqa: PLC0415
    from trainyard_trainer.filing import Trained  # noqa: PLC0415
    from trainyard_trainer.final_fit import FinalFit  # noqa: PLC0415

    config, model_type = attempt.config, attempt.model_type
    attempt.enter(Stage.VALIDATING)
    dataset, learner = _validate(attempt, given, version)
    parent = given.parent.model if given.parent else None
    folds = config.folds

    attempt.enter(Stage.TRAINING)
    units = learner.hyperparameters.planned_units
    history = training.History(attempt.tracker.count, folds + 1, units)
    validated = training.cross_validate(learner, dataset, folds, history, parent) if folds else {}
    final = FinalFit(
        history,
        attempt.interruption,
        checkpoints,
        mark=mark_of(
            config,
            model_type,
            given.objects,
            continued=given.parent.uri if given.parent else None,
            threads=attempt.threads,
            libraries=version_files.library_versions(model_type),
        ),
        folder=scratch,
        saves=config.on_cancel == "save",
    )
    if final.resume is not None:
        attempt.tracker.resume()
    model = training.fit(
        learner, dataset, dataset.training, final.report, parent, checkpoints=final
    )
    final.end()
    history.finish_fit()
    _log.info("model is trained", units=model.fitted.units, partial=final.partial)

    attempt.enter(Stage.EVALUATING)
    prediction = training.predict_rows(model, dataset, dataset.holdout)
    holdout = training.appraise(model, dataset, prediction, seed=config.seed)
    _log.info("model is measured", **holdout.metrics)
    golden_rows.write(version / GOLDEN_ROWS, version / HOLDOUT, prediction)
    return Trained(
        learner=learner,
        model=model,
        dataset=dataset,
        given=given,
        history=history,
        holdout=holdout,
        cross_validation=validated,
        evidence=evidence.gather(model_type, model, dataset, prediction, history.records),
        partial=final.partial,
    )


def _validate(attempt: Attempt, given: "Inputs", version: Path) -> "tuple[Dataset, Learner]":
    """All that can be refused before anything is trained."""
    from trainyard_trainer import inputs, training  # noqa: PLC0415
    from trainyard_trainer.gate import policy  # noqa: PLC0415
    from trainyard_trainer.memory import memory_limit  # noqa: PLC0415

    config = attempt.config
    dataset = inputs.prepare(given, config, attempt.hyperparameters, version / HOLDOUT)
    if config.cross_validation:
        training.check_folds(dataset, config.cross_validation.folds)
    _log.info(
        "data is valid",
        task=dataset.target.task,
        training_rows=len(dataset.training),
        holdout_rows=len(dataset.holdout),
        columns=len(dataset.kinds),
    )
    learner = training.learner_for(
        dataset,
        attempt.model_type,
        attempt.hyperparameters,
        seed=config.seed,
        threads=attempt.threads,
    )
    limit = memory_limit()
    dataset.warnings.extend(
        training.check_memory(learner, dataset, limit, continued=given.parent is not None)
    )
    if config.gate:
        policy.check(config.gate, dataset, version / HOLDOUT)
        dataset.warnings.extend(policy.check_memory(learner, dataset, config.champion, limit))
    return dataset, learner
