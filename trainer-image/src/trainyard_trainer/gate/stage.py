"""The last stage of a run: its version is judged, and the verdict filed."""

import structlog
from trainyard_schema import ModelVersion, Reason, RunConfig, Verdict
from trainyard_schema.artifacts import VERDICT

from trainyard_trainer import memory
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.gate.case import Assessment, Case
from trainyard_trainer.gate.process import GateProcess
from trainyard_trainer.interruption import Interruption
from trainyard_trainer.storage import Storage
from trainyard_trainer.version_files import as_json

_log = structlog.get_logger()
_FILING_SECONDS = 30.0


def judge_version(
    config: RunConfig, version: ModelVersion, *, threads: int, interruption: Interruption
) -> Verdict:
    """Have a published version judged, and file `verdict.json` beside its files. Nothing that goes
    wrong here fails the run.
    """
    assert config.gate is not None
    memory.give_back()
    case = Case(
        candidate=version.uri,
        champion=config.champion,
        gate=config.gate,
        storage=config.storage,
        seed=config.seed,
        threads=threads,
    )
    process = GateProcess(case, memory.memory_limit())
    interruption.guard(process)
    assessment = process.judge()
    verdict = assessment.verdict
    _log.info("version is judged", **verdict.to_dict())
    if not process.interrupted:
        file_verdict(case, assessment, config.training_job_uid)
    return verdict


def file_verdict(case: Case, assessment: Assessment, training_job_uid: str) -> None:
    """Write `verdict.json` beside the version's files. One that an earlier run left stays, and this
    one is `verdict-<uid of the TrainingJob>.json`.
    """
    storage = Storage(case.storage, failure=Reason.UPLOAD_FAILED, deadline_seconds=_FILING_SECONDS)
    bucket, prefix = case.storage.bucket, case.key.prefix
    body = as_json(assessment.to_dict()).encode()
    try:
        if not storage.create(bucket, prefix + VERDICT, body):
            storage.put(bucket, f"{prefix}verdict-{training_job_uid}.json", body)
    except TrainerError as error:
        _log.warning("the verdict is not filed", error=error.message)
