"""The gate's process: a Case as JSON on standard input, its Assessment on standard output, and its
log on standard error.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import structlog
from trainyard_schema import ModelType

from trainyard_trainer import logs
from trainyard_trainer.gate.case import Assessment, Case, version_key
from trainyard_trainer.gate.judge import judge

_log = structlog.get_logger()


def _answer(case: Case) -> Assessment:
    keys = [version_key(uri) for uri in (case.candidate, case.champion) if uri is not None]
    if all(key is not None and key.model_type == ModelType.XGBOOST for key in keys):
        # As in a run: xgboost would import it for nothing.
        sys.modules["sklearn"] = None  # type: ignore[assignment]
    try:
        with tempfile.TemporaryDirectory(prefix="trainyard-gate-") as folder:
            return judge(case, Path(folder))
    except MemoryError:
        reason = "the gate ran out of memory; set spec.resources.limits.memory higher"
    except Exception as error:
        _log.exception("gate crashed")
        reason = f"the gate crashed: {type(error).__name__}: {error}"
    return Assessment.failed(case, reason)


def main() -> None:
    """Answer one case."""
    # Should memory run out, this process goes and the run stays.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    # Nothing that a library prints may get into the answer.
    answer = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    case = Case.model_validate_json(sys.stdin.buffer.read())
    logs.configure(sys.stderr)
    structlog.contextvars.bind_contextvars(model_type=case.key.model_type, gate=True)
    found = _answer(case)
    with os.fdopen(answer, "wb") as out:
        out.write(found.to_json().encode())
    # Libraries take their time to go; torch half a second.
    os._exit(0)


if __name__ == "__main__":
    main()
