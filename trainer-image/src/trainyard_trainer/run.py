"""The stages of a run, one after another."""

import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from trainyard_schema import (
    Hyperparameters,
    Manifest,
    ManifestFile,
    ModelType,
    ModelVersion,
    Reason,
    RunConfig,
    RunResult,
    Stage,
    VersionKey,
)
from trainyard_schema.artifacts import GOLDEN_ROWS, HOLDOUT, MANIFEST
from trainyard_schema.names import POD_UID_ENV, new_version
from trainyard_schema.run import NOT_RETRIED

from trainyard_trainer.errors import TrainerError
from trainyard_trainer.interruption import Interruption
from trainyard_trainer.progress import ProgressTracker

if TYPE_CHECKING:
    from trainyard_trainer.checkpoints import CheckpointStore
    from trainyard_trainer.evidence import Evidence
    from trainyard_trainer.inputs import Inputs
    from trainyard_trainer.training import Dataset, Evaluation, History, Learner, TrainedModel

_log = structlog.get_logger()
_CHECKPOINT_DEADLINE_SECONDS = 20.0


class Run:
    """One model type of one TrainingJob, in one attempt."""

    def __init__(
        self,
        config: RunConfig,
        model_type: ModelType,
        hyperparameters: Hyperparameters,
        *,
        threads: int,
        tracker: ProgressTracker,
        interruption: Interruption,
        log_file: Path,
        started: float,
    ) -> None:
        self._config = config
        self._model_type = model_type
        self._hyperparameters = hyperparameters
        self._threads = threads
        self._tracker = tracker
        self._interruption = interruption
        self._log_file = log_file
        self._started = started
        self._key = VersionKey(config.model, model_type, new_version())

    def execute(self) -> RunResult:
        """Do everything. Raises TrainerError for every failure that can be expected."""
        # The table and the model are gone when this returns: the gate gets their memory.
        result = self._train()
        version = result.version
        if self._config.gate is None or version is None or version.partial:
            return result
        from trainyard_trainer.gate.stage import judge_version  # noqa: PLC0415

        self._enter(Stage.JUDGING)
        verdict = judge_version(
            self._config, version, threads=self._threads, interruption=self._interruption
        )
        self._tracker.advance(1.0)
        return result.model_copy(update={"verdict": verdict})

    def _train(self) -> RunResult:
        # Imported here, so that progress is served before Arrow, boto3 and the model's library are
        # loaded.
        from trainyard_trainer.checkpoints import CheckpointStore  # noqa: PLC0415
        from trainyard_trainer.storage import Storage  # noqa: PLC0415

        config = self._config
        storage = Storage(
            config.storage,
            failure=Reason.UPLOAD_FAILED,
            deadline_seconds=_CHECKPOINT_DEADLINE_SECONDS,
        )
        checkpoints = CheckpointStore(storage, config.training_job_uid, self._model_type)
        try:
            result = self._fit_and_file(checkpoints)
        except TrainerError as error:
            if error.reason in NOT_RETRIED:
                checkpoints.remove()
            raise
        if result.reason is None:
            checkpoints.remove_if_used()
        return result

    def _fit_and_file(self, checkpoints: "CheckpointStore") -> RunResult:
        from trainyard_trainer import (  # noqa: PLC0415
            evidence,
            golden_rows,
            inputs,
            training,
            version_files,
        )
        from trainyard_trainer.checkpoints import mark_of  # noqa: PLC0415
        from trainyard_trainer.final_fit import FinalFit  # noqa: PLC0415
        from trainyard_trainer.gate import policy  # noqa: PLC0415
        from trainyard_trainer.memory import memory_limit  # noqa: PLC0415

        config = self._config
        with tempfile.TemporaryDirectory(prefix="trainyard-") as scratch:
            folder = Path(scratch)
            version = folder / self._key.version
            version.mkdir()
            self._enter(Stage.DOWNLOADING)
            if config.skip_if_unchanged and (known := self._unchanged(folder)) is not None:
                return known
            given = inputs.download(
                config, self._model_type, folder, self._tracker.advance, threads=self._threads
            )
            self._enter(Stage.VALIDATING)
            dataset = inputs.prepare(given, config, self._hyperparameters, version / HOLDOUT)
            parent = given.parent.model if given.parent else None
            folds = config.cross_validation.folds if config.cross_validation else 0
            if folds:
                training.check_folds(dataset, folds)
            _log.info(
                "data is valid",
                task=dataset.target.task,
                training_rows=len(dataset.training),
                holdout_rows=len(dataset.holdout),
                columns=len(dataset.kinds),
            )
            learner = training.learner_for(
                dataset,
                self._model_type,
                self._hyperparameters,
                seed=config.seed,
                threads=self._threads,
            )
            limit = memory_limit()
            dataset.warnings.extend(
                training.check_memory(learner, dataset, limit, continued=parent is not None)
            )
            if config.gate:
                policy.check(config.gate, dataset, version / HOLDOUT)
                dataset.warnings.extend(
                    policy.check_memory(learner, dataset, config.champion, limit)
                )
            self._enter(Stage.TRAINING)
            units = learner.implementation.planned_units(learner.hyperparameters)
            history = training.History(self._tracker.count, folds + 1, units)
            validated = (
                training.cross_validate(learner, dataset, folds, history, parent) if folds else {}
            )
            final = FinalFit(
                history,
                self._interruption,
                checkpoints,
                mark=mark_of(
                    config,
                    self._model_type,
                    given.objects,
                    continued=given.parent.uri if given.parent else None,
                    threads=self._threads,
                    libraries=version_files.library_versions(self._model_type),
                ),
                folder=folder,
                saves=config.on_cancel == "save",
            )
            model = training.fit(
                learner, dataset, dataset.training, final.report, parent, checkpoints=final
            )
            final.end()
            history.finish_fit()
            _log.info("model is trained", units=model.fitted.units, partial=final.partial)
            self._enter(Stage.EVALUATING)
            prediction = training.predict_rows(model, dataset, dataset.holdout)
            holdout = training.appraise(model, dataset, prediction, seed=config.seed)
            _log.info("model is measured", **holdout.metrics)
            golden_rows.write(version / GOLDEN_ROWS, version / HOLDOUT, prediction)
            shown = evidence.gather(self._model_type, model, dataset, prediction, history.records)
            return self._file(
                version,
                learner,
                model,
                dataset,
                given=given,
                history=history,
                holdout=holdout,
                validated=validated,
                shown=shown,
                partial=final.partial,
            )

    def _enter(self, stage: Stage) -> None:
        self._tracker.enter(stage)
        _log.info("stage begins", stage=stage)

    def _unchanged(self, scratch: Path) -> RunResult | None:
        """The result of the run that would only be repeated, if there was one."""
        from trainyard_trainer import unchanged  # noqa: PLC0415
        from trainyard_trainer.publication import Publication  # noqa: PLC0415
        from trainyard_trainer.storage import Storage  # noqa: PLC0415

        config = self._config
        storage = Storage(config.storage, failure=Reason.STORAGE_UNAVAILABLE)
        found = unchanged.find(storage, config, self._model_type)
        if found is None:
            return None
        self._enter(Stage.UPLOADING)
        publication = Publication(Storage(config.storage, failure=Reason.UPLOAD_FAILED), found.key)
        _log.info("nothing has changed, so nothing is trained", uri=publication.uri)
        manifest_file = scratch / MANIFEST
        manifest_file.write_bytes(found.body)
        current = config.gate is None and publication.make_current(
            manifest_file, overwrite=config.overwrite
        )
        self._tracker.advance(1.0)
        model_file = found.model_file
        return RunResult(
            model_type=self._model_type,
            version=ModelVersion(
                model_type=self._model_type,
                version=found.key.version,
                uri=publication.uri,
                sha256=model_file.sha256,
                size_bytes=model_file.size_bytes,
                current=current,
                unchanged=True,
                duration_seconds=round(time.monotonic() - self._started, 3),
            ),
            metrics=found.manifest.metrics,
        )

    def _file(
        self,
        folder: Path,
        learner: "Learner",
        model: "TrainedModel",
        dataset: "Dataset",
        *,
        given: "Inputs",
        history: "History",
        holdout: "Evaluation",
        validated: dict[str, float],
        shown: "Evidence",
        partial: bool,
    ) -> RunResult:
        from trainyard_trainer import model_card, version_files  # noqa: PLC0415
        from trainyard_trainer.publication import Publication  # noqa: PLC0415
        from trainyard_trainer.storage import Storage, sha256_of  # noqa: PLC0415

        config, key = self._config, self._key
        fingerprint = given.fingerprint(config, self._model_type)
        frozen = given.holdout.source if given.holdout and dataset.frozen else None
        publication = Publication(Storage(config.storage, failure=Reason.UPLOAD_FAILED), key)
        schema = version_files.describe(self._model_type, dataset.target, model)
        hyperparameters = learner.hyperparameters.model_dump(mode="json") | model.fitted.chosen
        libraries = version_files.library_versions(self._model_type)
        card = model_card.render(
            config=config,
            version=key.version,
            schema=schema,
            sources=given.sources,
            dataset=dataset,
            frozen=frozen,
            parent=given.parent,
            model=model,
            evidence=shown,
            holdout=holdout,
            cross_validation=validated,
            hyperparameters=hyperparameters,
            libraries=libraries,
            uri=publication.uri,
            partial=partial,
        )
        self._enter(Stage.UPLOADING)
        paths = version_files.write(
            folder,
            model,
            schema,
            holdout=holdout,
            cross_validation=validated,
            history=history.records,
            evidence=shown.files,
            card=card,
            log=self._log_file,
        )
        entries = [
            ManifestFile(name=path.name, size_bytes=path.stat().st_size, sha256=sha256_of(path))
            for path in paths
        ]
        metrics = version_files.as_metrics(self._model_type, holdout.metrics, validated)
        self._interruption.guard(publication)
        parent = given.parent.manifest.version if given.parent else publication.current()
        publication.upload(
            list(zip(paths, (entry.sha256 for entry in entries), strict=True)),
            self._tracker.advance,
        )
        manifest = Manifest(
            model=key.model,
            model_type=self._model_type,
            version=key.version,
            created_at=datetime.now(UTC),
            task=dataset.target.task,
            data=given.sources,
            rows=len(dataset.training) + len(dataset.holdout),
            training_rows=len(dataset.training),
            holdout_rows=len(dataset.holdout),
            target=config.data.target,
            exclude=config.data.exclude,
            holdout_fraction=config.data.holdout_fraction,
            holdout=frozen,
            mode="incremental" if given.parent else "full",
            fingerprint=fingerprint,
            cross_validation_folds=(
                config.cross_validation.folds if config.cross_validation else None
            ),
            hyperparameters=hyperparameters,
            seed=config.seed,
            threads=self._threads,
            run=config,
            metrics=metrics,
            metric_intervals=holdout.intervals,
            warnings=dataset.warnings,
            files=entries,
            duration_seconds=time.monotonic() - self._started,
            image=config.image,
            libraries=libraries,
            requester=config.requester,
            parent_version=parent,
            partial=partial,
            training_job=config.training_job,
            training_job_uid=config.training_job_uid,
            pod_uid=os.environ.get(POD_UID_ENV),
        )
        manifest_file = folder / MANIFEST
        publication.publish(manifest, manifest_file)
        if not partial:
            publication.record(fingerprint)
        # What is to be judged becomes current by promotion, or not at all; a part of it never does.
        may_be_current = config.gate is None and not partial
        current = may_be_current and publication.make_current(
            manifest_file, overwrite=config.overwrite
        )
        self._tracker.advance(1.0)
        return RunResult(
            model_type=self._model_type,
            version=ModelVersion(
                model_type=self._model_type,
                version=key.version,
                uri=publication.uri,
                sha256=entries[0].sha256,
                size_bytes=entries[0].size_bytes,
                current=current,
                partial=partial or None,
                duration_seconds=round(time.monotonic() - self._started, 3),
            ),
            metrics=metrics,
            # Another attempt follows unless it was a cancel.
            reason=Reason.INTERRUPTED if partial else None,
            message=f"stopped; saved partial version {key.version}" if partial else "",
        )
