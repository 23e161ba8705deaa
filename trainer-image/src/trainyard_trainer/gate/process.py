"""The gate's process as the run sees it: started, watched, and ended with the run."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from trainyard_trainer import memory
from trainyard_trainer.gate.case import Assessment, Case

TIMEOUT_SECONDS = 900.0
_LOOK_SECONDS = 0.02
_RESERVE = 24 << 20
"""Bytes that may be taken between two looks."""
_MORE_MEMORY = "set spec.resources.limits.memory higher"
_PREFIXES = ("AWS_", "OMP_", "OPENBLAS_", "MKL_", "ARROW_", "PYTHON", "LC_")
_NAMES = {
    "PATH", "LANG", "HOME", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
}  # fmt: skip


def environment(case: Case, scratch: str) -> dict[str, str]:
    """What the process needs to run and to reach the store; nothing that tells of the run."""
    passed_on = {
        name: value
        for name, value in os.environ.items()
        if name in _NAMES or name.startswith(_PREFIXES)
    }
    return passed_on | {"AWS_REGION": case.storage.region, "TMPDIR": scratch}


class GateProcess:
    """One case. Whoever interrupts the run kills it; the version is there already."""

    def __init__(self, case: Case, memory_limit: int | None = None) -> None:
        self._case = case
        self._memory_limit = memory_limit
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    @property
    def interrupted(self) -> bool:
        """Whether it was killed with the run."""
        return self._stopped.is_set()

    def abandon(self, patience_seconds: float) -> bool:
        """Kill it. True: what it judges is published."""
        del patience_seconds
        with self._lock:
            self._stopped.set()
            if self._process is not None:
                self._process.kill()
        return True

    def judge(self, timeout_seconds: float = TIMEOUT_SECONDS) -> Assessment:
        """Whatever becomes of the process, there is an answer."""
        # What it leaves when it is killed goes with this folder.
        with tempfile.TemporaryDirectory(prefix="trainyard-judged-") as scratch:
            asked, answer = Path(scratch) / "case.json", Path(scratch) / "assessment.json"
            asked.write_text(self._case.to_json(), encoding="utf-8")
            with asked.open("rb") as stdin, answer.open("wb") as stdout:
                process = self._start(scratch, stdin, stdout)
            why = None if process is None else self._wait(process, timeout_seconds)
            if process is None or self.interrupted:
                return self._interrupted()
            if why is not None:
                return Assessment.failed(self._case, why)
            return self._read(process.returncode, answer.read_bytes())

    def _start(
        self, scratch: str, stdin: IO[bytes], stdout: IO[bytes]
    ) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopped.is_set():
                return None
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trainyard_trainer.gate"],
                env=environment(self._case, scratch),
                stdin=stdin,
                stdout=stdout,
                stderr=sys.__stdout__,  # its log is the pod's
            )
            return self._process

    def _wait(self, process: subprocess.Popen[bytes], timeout_seconds: float) -> str | None:
        """Until it ends; why it had to be killed, if so."""
        deadline = time.monotonic() + timeout_seconds
        why = None
        while why is None:
            try:
                process.wait(_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    why = f"the gate did not end within {timeout_seconds:g} s and was stopped"
                elif self._takes_too_much(process):
                    why = f"the gate was stopped for lack of memory; {_MORE_MEMORY}"
            else:
                return None
        process.kill()
        process.wait()
        return why

    def _takes_too_much(self, process: subprocess.Popen[bytes]) -> bool:
        # The kernel may kill the whole container instead (memory.oom.group), and the run with it.
        if self._memory_limit is None:
            return False
        taken = memory.anonymous() + memory.anonymous(process.pid)
        return taken > self._memory_limit - _RESERVE

    def _interrupted(self) -> Assessment:
        reason = (
            "the pod was stopped before the gate was done; train again, or promote the version by "
            "hand"
        )
        return Assessment.failed(self._case, reason, undecided=True)

    def _read(self, code: int, answer: bytes) -> Assessment:
        if code == -signal.SIGKILL:
            reason = f"the gate was killed, most likely for lack of memory; {_MORE_MEMORY}"
            return Assessment.failed(self._case, reason)
        try:
            return Assessment.model_validate_json(answer)
        except ValidationError:
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            reason = f"the gate crashed ({how}); the pod's log says why"
            return Assessment.failed(self._case, reason)
