"""tini, behind which the trainer runs in its pod, has it stopped before it listens for SIGTERM."""

import signal
import subprocess
import sys
import time
from pathlib import Path

STOPPED = 128 + signal.SIGTERM


def _begun(marker: Path) -> None:
    deadline = time.monotonic() + 30
    while not marker.exists():
        assert time.monotonic() < deadline, "the process has not begun"
        time.sleep(0.01)


def test_a_trainer_that_does_not_listen_yet_ends_at_once_as_one_that_was_stopped(
    tmp_path: Path,
) -> None:
    marker = tmp_path / "begun"
    early = f"import pathlib, time; pathlib.Path({str(marker)!r}).touch(); time.sleep(60)"
    with subprocess.Popen(["tini", "-s", "--", sys.executable, "-c", early]) as process:
        _begun(marker)
        started = time.monotonic()
        process.terminate()
        assert process.wait(30) == STOPPED
        assert time.monotonic() - started < 5


def test_its_exit_code_is_passed_on() -> None:
    command = ["tini", "-s", "--", sys.executable, "-c", "raise SystemExit(66)"]
    assert subprocess.run(command, check=False).returncode == 66
