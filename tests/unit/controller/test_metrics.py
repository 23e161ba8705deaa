from prometheus_client import REGISTRY
from trainyard_controller.metrics import count_training_jobs
from trainyard_schema import Phase, Reason

from .samples import training_job


def value(phase: Phase, reason: str = "") -> float | None:
    labels = {"phase": phase, "reason": reason}
    return REGISTRY.get_sample_value("trainyard_training_jobs", labels)


def test_training_jobs_are_counted_by_phase_and_reason() -> None:
    oom = {"phase": "Failed", "reason": "OOMKilled"}
    count_training_jobs([training_job(status=oom), training_job(status=oom), training_job()])
    assert value(Phase.FAILED, Reason.OOM_KILLED) == 2
    assert value(Phase.PENDING) == 1
    # Phases without any are there all the same; reasons that are gone are not.
    assert value(Phase.SUCCEEDED) == 0
    count_training_jobs([])
    assert value(Phase.PENDING) == 0
    assert value(Phase.FAILED, Reason.OOM_KILLED) is None
