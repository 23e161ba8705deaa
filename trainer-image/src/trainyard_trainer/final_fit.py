"""The fit whose model is filed: an interruption may end it early instead of losing it."""

import structlog
from trainyard_schema import RunConfig
from trainyard_schema.run import SAVE_SECONDS

from trainyard_trainer.interruption import Interruption
from trainyard_trainer.models import Report

_log = structlog.get_logger()


class FinalFit:
    """The callback of the final fit. With `onCancel: save` an interruption ends the fit after the
    round, chunk of trees or epoch at hand, and what is trained by then is filed as a partial
    version.

    Until there is a first unit, an interruption finds nothing to save and ends the run. Once the
    fit is complete, the run is left to file the whole version in the same time.
    """

    def __init__(self, report: Report, config: RunConfig, interruption: Interruption) -> None:
        self._report = report
        self._saves = config.on_cancel == "save"
        self._interruption = interruption
        self.partial = False
        """Whether the fit was ended early."""

    def report(self, done: int, total: int, losses: dict[str, float]) -> bool:
        """A round, chunk of trees or epoch is done; True ends the fit."""
        self._report(done, total, losses)
        if not self._saves:
            return False
        self._interruption.allow(SAVE_SECONDS)
        if self._interruption.requested.is_set() and done < total:
            _log.warning("fit ends early, to be saved", units=done, planned=total)
            self.partial = True
        return self.partial
