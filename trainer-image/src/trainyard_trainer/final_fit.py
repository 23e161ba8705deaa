"""The fit whose model is filed. An interruption costs little of it: its state is kept in the store
every minute, and with `onCancel: save` it ends early instead of being lost.
"""

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog
from trainyard_schema import Reason
from trainyard_schema.run import SAVE_SECONDS

from trainyard_trainer.checkpoints import CheckpointStore
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.interruption import Interruption
from trainyard_trainer.training import History

CHECKPOINT_SECONDS = 60.0
"""Between two checkpoints, so that fits of less than a minute never pay for one."""
SHARE_OF_TIME = 0.05
"""The most of the fit's time that checkpoints may take: large forests have fewer of them."""
WORTH_SECONDS = 10.0
"""What has taken less is not kept when the run is interrupted."""
LAST_CHECKPOINT_SECONDS = 3.0
"""How long an interrupted run may take to keep its state."""
_FIT = "final"
_log = structlog.get_logger()


class FinalFit:
    """Callbacks of the final fit: `report`, and as `models.Checkpoints` `resume` and `keep`.

    With `onCancel: save` an interruption ends the fit after the unit at hand, and what is trained
    by then is filed as a partial version. Until there is a first unit, there is nothing to save and
    the run ends. Once the fit is complete, the run is left to file the whole version.
    """

    def __init__(
        self,
        history: History,
        interruption: Interruption,
        store: CheckpointStore,
        *,
        mark: str,
        folder: Path,
        saves: bool,
    ) -> None:
        self._history = history
        self._interruption = interruption
        self._store = store
        self._mark = mark
        self._folder = folder
        self._saves = saves
        self._upload: threading.Thread | None = None
        self._kept_at = time.monotonic()
        self._wait = CHECKPOINT_SECONDS
        self.partial = False
        """Whether the fit was ended early."""
        self.resume: Path | None = None
        path = folder / f"resumed-{store.file_name}"
        found = store.find(mark, path)
        if found is not None:
            self.resume = path
            history.resume(found.history)
            _log.info("goes on from a checkpoint", units=found.units, kept_at=found.created_at)
        self._report = history.reporter(_FIT)

    def report(self, done: int, total: int, losses: dict[str, float]) -> bool:
        """A round, chunk of trees or epoch is done; True ends the fit."""
        self._report(done, total, losses)
        if self._saves:
            self._interruption.allow(SAVE_SECONDS)
            if self._interruption.requested.is_set() and done < total:
                _log.warning("fit ends early, to be saved", units=done, planned=total)
                self.partial = True
        return self.partial

    def keep(self, write: Callable[[Path], None]) -> None:
        """Keep the state of the fit where it is due. Raises Interrupted once the run is to stop."""
        since = time.monotonic() - self._kept_at
        if self._saves:
            due = since >= self._wait
        elif self._interruption.requested.is_set():
            due = since >= WORTH_SECONDS
            self._finish_upload()
        else:
            due = since >= self._wait
            self._interruption.allow(LAST_CHECKPOINT_SECONDS if since >= WORTH_SECONDS else 0)
        if due and not self._is_uploading():
            self._keep(write)
        if self._interruption.requested.is_set() and not self._saves:
            self._finish_upload()
            raise TrainerError(Reason.INTERRUPTED, "stopped; another attempt goes on")

    def end(self) -> None:
        """The fit is over."""
        if not self._saves:
            self._interruption.allow(0)
        self._finish_upload()

    def _is_uploading(self) -> bool:
        return self._upload is not None and self._upload.is_alive()

    def _finish_upload(self) -> None:
        if self._upload is not None:
            self._upload.join(LAST_CHECKPOINT_SECONDS)

    def _keep(self, write: Callable[[Path], None]) -> None:
        began = time.monotonic()
        path = self._folder / self._store.file_name
        history = [record for record in self._history.records if record["fit"] == _FIT]
        written = _try(lambda: write(path))
        self._kept_at = time.monotonic()
        self._wait = max(CHECKPOINT_SECONDS, (self._kept_at - began) / SHARE_OF_TIME)
        if written:
            put = partial(self._store.put, self._mark, path, history)
            self._upload = threading.Thread(target=_try, args=(put,), daemon=True)
            self._upload.start()


def _try(step: Callable[[], None]) -> bool:
    """Whether it worked. A full disk or a store that is away costs a checkpoint, not the run."""
    try:
        step()
    except Exception as error:
        _log.warning("checkpoint is not kept", error=str(error))
        return False
    return True
