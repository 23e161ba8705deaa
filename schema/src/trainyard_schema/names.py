"""Names, labels, ports and paths that two or more parts of Trainyard must agree on."""

import hashlib
import re
import secrets
from datetime import UTC, datetime
from pathlib import PurePosixPath

GROUP = "trainyard.dev"
VERSION = "v1alpha1"
KIND = "TrainingJob"
PLURAL = "trainingjobs"
SINGULAR = "trainingjob"
SHORT_NAME = "tj"
MODEL_KIND = "Model"
MODEL_PLURAL = "models"
MODEL_SINGULAR = "model"
MODEL_SHORT_NAME = "tm"
API_VERSION = f"{GROUP}/{VERSION}"

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "trainyard"
UID_LABEL = f"{GROUP}/trainingjob-uid"
NAME_LABEL = f"{GROUP}/trainingjob"
MODEL_LABEL = f"{GROUP}/model"
MODEL_TYPE_LABEL = f"{GROUP}/model-type"
MODEL_UID_LABEL = f"{GROUP}/model-uid"
"""On each TrainingJob of a Model: the Model's uid."""
REQUESTER_ANNOTATION = f"{GROUP}/requester"
RETRAIN_ANNOTATION = f"{GROUP}/retrain"
"""On a Model: each new value asks for one run. On that run: the value that it answers."""
RETRAIN_MODE_ANNOTATION = f"{GROUP}/retrain-mode"
"""On a Model: `full` or `incremental`, for the run that its retrain annotation asks for. After a
space: the value of the retrain annotation that it goes with; without one it goes with each."""
RETRAIN_REQUESTER_ANNOTATION = f"{GROUP}/retrain-requester"
"""On a Model: who asks for that run, in the same way."""
RETRAINABLE_LABEL = f"{GROUP}/retrainable"
"""On a Model: `true` where a request to retrain all of them means it as well."""
ROLLBACK_ANNOTATION = f"{GROUP}/rollback"
"""On a Model: each new value makes the previous champion the champion."""
PROMOTE_ANNOTATION = f"{GROUP}/promote"
"""On a Model: the version to make the champion; after a space, anything."""
REJECT_ANNOTATION = f"{GROUP}/reject"
"""On a Model: the candidate to turn down; after a space, anything."""
SCHEDULED_TIME_ANNOTATION = f"{GROUP}/scheduled-time"
"""On a TrainingJob of a Model: the time of the schedule that it answers."""

CONTROLLER = f"{GROUP}/controller"
"""The `managedBy` of the TrainingJobs that this project's operator takes care of."""
KUEUE_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""On a TrainingJob: Kueue decides when it runs, by the Job, which gets the label as well."""
KUEUE_PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"
"""On a TrainingJob: the WorkloadPriorityClass for Kueue, passed on in the same way."""

COMPLETION_INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
"""Set by the Job controller on each pod of an Indexed Job: which model type it trains."""
MODEL_TYPES_ANNOTATION = f"{GROUP}/model-types"
"""On each pod: what its Job trains, by completion index, separated by commas."""

TRAINER_CONTAINER = "trainer"
RUN_CONFIG_ENV = "TRAINYARD_RUN"
"""The environment variable that holds the `RunConfig` as JSON."""
COMPLETION_INDEX_ENV = "JOB_COMPLETION_INDEX"
"""Set by Kubernetes in each pod of an Indexed Job."""
POD_UID_ENV = "POD_UID"
TRAINER_PORT = 8080
PROGRESS_PATH = "/progress"
METRICS_PATH = "/metrics"
TERMINATION_LOG = "/dev/termination-log"

VERSION_PATTERN = r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$"
"""What `new_version` makes."""

_HASH_LENGTH = 8
# The host name of an Indexed Job's pod is <job>-<index>, which must fit 63 characters as well.
_JOB_NAME_LENGTH = 61
_LABEL_LENGTH = 63
# What people leave at the end of a table's name.
_TABLE_SUFFIXES = {".csv", ".parquet", ".gz", ".zst"}
_DIGEST = re.compile(r"[0-9a-f]{16,64}")
# More digits than the minutes since 1970 have, so that the two kinds of name never meet.
_REQUEST_HASH_LENGTH = 10


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]


def slug(name: str, max_length: int) -> str:
    """Turn `name` into a DNS label of at most `max_length` characters; `job` if nothing is left."""
    cleaned = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return cleaned[:max_length].strip("-") or "job"


def model_of_table(uri: str) -> str:
    """The name of a table, as a model's: `churn` of s3://bucket/datasets/churn.csv.

    Of an upload or of feedback, which are named by a digest, it is the name that they were given.
    """
    parts = [_without_suffixes(part) for part in PurePosixPath(uri.removeprefix("s3://")).parts]
    named = [part for part in parts if not _DIGEST.fullmatch(part)]
    return slug(named[-1] if named else "", _LABEL_LENGTH)


def _without_suffixes(name: str) -> str:
    path = PurePosixPath(name)
    while path.suffix.lower() in _TABLE_SUFFIXES:
        path = PurePosixPath(path.stem)
    return str(path)


def job_name(name: str, uid: str, raises: int = 0) -> str:
    """The one name that a TrainingJob's Job can have: `<slug of name>-<8 hex of sha256(uid)>`.

    After the memory limit was raised it ends in `-r<how often>`: that is another Job.
    """
    suffix = f"-{_digest(uid)}" + (f"-r{raises}" if raises else "")
    return slug(name, _JOB_NAME_LENGTH - len(suffix)) + suffix


def scheduled_run_name(model: str, time: datetime) -> str:
    """The one TrainingJob of a Model for a time of its schedule, as CronJob names its Jobs."""
    minutes = str(int(time.timestamp()) // 60)
    return _run_name(model, minutes)


def requested_run_name(model: str, uid: str, request: str) -> str:
    """The one TrainingJob of a Model for a value of its retrain annotation."""
    digest = hashlib.sha256(f"{uid}\0{request}".encode()).hexdigest()[:_REQUEST_HASH_LENGTH]
    return _run_name(model, digest)


def _run_name(model: str, suffix: str) -> str:
    """`<model>-<suffix>`; where that is too long or no DNS label, slug and hash of the model."""
    length = _LABEL_LENGTH - len(suffix) - 1
    if slug(model, length) != model:
        model = f"{slug(model, length - _HASH_LENGTH - 1)}-{_digest(model)}"
    return f"{model}-{suffix}"


def label_value(text: str) -> str:
    """A valid label value: `text` itself where it is one, else its slug and hash."""
    if len(text) <= _LABEL_LENGTH and re.fullmatch(
        r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?", text
    ):
        return text
    return f"{slug(text, _LABEL_LENGTH - _HASH_LENGTH - 1)}-{_digest(text)}"


def new_version(now: datetime | None = None) -> str:
    """A version: `<UTC yyyymmddThhmmssZ>-<8 hex>`. Sorts by time; unique without coordination."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(_HASH_LENGTH // 2)}"
