"""What a run leaves in the store while it trains, so that another attempt of it can go on there.

`checkpoints/<TrainingJob uid>/<model type>/checkpoint.json` names a file beside it. It is written
in one request and after that file, so that a checkpoint is replaced as a whole or not at all.
"""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import structlog
from pydantic import Field, ValidationError
from trainyard_schema import Model, ModelType, RunConfig
from trainyard_schema.artifacts import CHECKPOINTS_PREFIX, MODEL_FILES, DataSource

from trainyard_trainer.errors import TrainerError
from trainyard_trainer.storage import Storage, discard, sha256_of

_log = structlog.get_logger()
_DOCUMENT = "checkpoint.json"


class _UnfitError(Exception):
    """A checkpoint that cannot be gone on from."""


class Checkpoint(Model):
    """`checkpoint.json`."""

    checkpoint_version: Literal[1] = 1
    fingerprint: str
    """Of everything that the state follows from: see `mark_of`."""
    file: str
    """The state of the fit."""
    size_bytes: int
    sha256: str
    created_at: datetime
    history: list[dict[str, Any]] = Field(min_length=1)
    """What the fit has told by then."""

    @property
    def units(self) -> int:
        """Rounds, trees or epochs that are done."""
        return int(self.history[-1]["done"])


def mark_of(
    config: RunConfig,
    model_type: ModelType,
    objects: Sequence[DataSource],
    *,
    continued: str | None,
    threads: int,
    libraries: dict[str, str],
) -> str:
    """SHA-256 of what a fit follows from, `continued` the URI of the version that it continues.
    Another attempt may go on only if it is the same.
    """
    # What else the run trains is nothing to this fit, and another Job of the run may train less.
    run = {key: value for key, value in config.to_dict().items() if key != "modelTypes"}
    document = {
        "run": run,
        "modelType": model_type,
        "objects": [one.to_dict() for one in objects],
        "continued": continued,
        "threads": threads,
        "libraries": libraries,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class CheckpointStore:
    """The one current checkpoint of a run's model type."""

    def __init__(self, storage: Storage, training_job_uid: str, model_type: ModelType) -> None:
        self._storage = storage
        self._bucket = storage.config.bucket
        self._prefix = f"{CHECKPOINTS_PREFIX}/{training_job_uid}/{model_type}/"
        self.file_name = MODEL_FILES[model_type]
        self._last: str | None = None
        self._exists = False

    def find(self, mark: str, path: Path) -> Checkpoint | None:
        """The checkpoint of an earlier attempt, its file now at `path`; None, after a warning that
        says why, if there is none that fits.
        """
        try:
            return self._find(mark, path)
        except ValidationError:
            why = "it is damaged, or of another version of the trainer"
        except (TrainerError, _UnfitError) as error:
            why = str(error)
        _log.warning("checkpoint is ignored, training begins anew", why=why)
        return None

    def _find(self, mark: str, path: Path) -> Checkpoint | None:
        body = self._storage.get(self._bucket, self._prefix + _DOCUMENT)
        if body is None:
            return None
        self._exists = True
        checkpoint = Checkpoint.model_validate_json(body)
        if checkpoint.fingerprint != mark:
            raise _UnfitError("it belongs to other data, spec, libraries, threads or image")
        key = self._prefix + checkpoint.file
        got = self._storage.download(self._bucket, key, path, _untold)
        if (got.size_bytes, got.sha256) != (checkpoint.size_bytes, checkpoint.sha256):
            raise _UnfitError("its file is damaged")
        return checkpoint

    def put(self, mark: str, path: Path, history: list[dict[str, Any]]) -> None:
        """Replace the checkpoint. Raises TrainerError; the one before is there then."""
        checkpoint = Checkpoint(
            fingerprint=mark,
            file=f"{uuid4().hex}-{self.file_name}",
            size_bytes=path.stat().st_size,
            sha256=sha256_of(path),
            created_at=datetime.now(UTC),
            history=history,
        )
        self._exists = True
        self._storage.put_file(self._bucket, self._prefix + checkpoint.file, path)
        self._storage.put(self._bucket, self._prefix + _DOCUMENT, checkpoint.to_json().encode())
        # Two trainers of one run may be at it: each removes what it left itself.
        before, self._last = self._last, checkpoint.file
        if before is not None:
            self._storage.delete(self._bucket, self._prefix + before)
        _log.info("checkpoint is kept", units=checkpoint.units, bytes=checkpoint.size_bytes)

    def remove_if_used(self) -> None:
        """Remove the checkpoint, if this attempt found or put one."""
        if self._exists:
            self.remove()

    def remove(self) -> None:
        """Remove whatever attempts left, as far as the store answers. Nothing can be put after."""
        self._storage.close()
        found: list[str] = []
        with contextlib.suppress(TrainerError):
            found = [item.key for item in self._storage.list(self._bucket, self._prefix)]
        # The document first: without its file it would be no use.
        keys = sorted(found, key=lambda key: not key.endswith(_DOCUMENT))
        discard(self._storage.config, self._bucket, self._prefix, keys)


def _untold(received: int, size: int) -> None:
    """Nobody waits for a checkpoint's bytes."""
