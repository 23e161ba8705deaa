"""The command as a process of its own: on a terminal, in a pipe, interrupted."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from .api import Answer, Api, event, job

PROGRAM = str(Path(sys.executable).with_name("trainyard"))
STEPS = [
    {"percent": percent, "unit": "rounds", "done": percent, "total": 100} for percent in (20, 60)
]
DONE = {"status": "completed", "phase": "Succeeded", "message": "trained"}


def environment(api: Api, home: Path, **variables: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TRAINYARD_URL": api.url, **variables}


def on_a_terminal(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Exit code, and all that a terminal of 100 columns got."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    got = bytearray()
    try:
        while piece := os.read(ours, 4096):
            got += piece
    except OSError:
        pass  # so Linux tells that the other end is closed
    os.close(ours)
    return process.wait(30), got.decode()


@pytest.fixture
def two_jobs(api: Api) -> None:
    for name in ("churn-xgb", "churn-net"):
        api.answers(f"GET /api/v1/jobs/{name}", Answer(200, job(name)))
        stream = [event("job", job(name, stage="Training", progress=step)) for step in STEPS]
        stream.append(event("job", job(name, **DONE)))
        api.answers(f"GET /api/v1/jobs/{name}/events", Answer(200, iter(stream)))


@pytest.mark.usefixtures("two_jobs")
def test_bars_on_a_terminal(api: Api, tmp_path: Path) -> None:
    variables = {"TERM": "xterm-256color", "COLUMNS": "100"}
    code, got = on_a_terminal(
        [PROGRAM, "watch", "churn-xgb", "churn-net"], environment(api, tmp_path, **variables)
    )
    assert code == 0
    assert "\x1b[" in got
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", got)
    last = text.strip().splitlines()[-2:]
    assert sorted(line.strip("\r").split()[0] for line in last) == ["churn-net", "churn-xgb"]
    for line in last:
        assert re.search(r"Succeeded +━+ +100 % +trained", line), line


@pytest.mark.usefixtures("two_jobs")
def test_lines_in_a_pipe(api: Api, tmp_path: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "watch", "churn-xgb"],
        env=environment(api, tmp_path, TERM="xterm-256color"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "churn-xgb  Running  0 %",
        "churn-xgb  Running Training  20 %  20 of 100 rounds",
        "churn-xgb  Running Training  60 %  60 of 100 rounds",
        "churn-xgb  Succeeded  100 %  trained",
    ]
    assert done.stderr == ""


def test_no_color_on_a_terminal(api: Api, tmp_path: Path) -> None:
    api.answers("GET /api/v1/jobs", Answer(200, {"items": [job()], "next_cursor": None}))
    code, coloured = on_a_terminal([PROGRAM, "list"], environment(api, tmp_path, TERM="xterm"))
    assert (code, "\x1b[36m" in coloured) == (0, True)
    variables = {"TERM": "xterm", "NO_COLOR": "1"}
    code, plain = on_a_terminal([PROGRAM, "list"], environment(api, tmp_path, **variables))
    assert (code, "\x1b[36m" in plain) == (0, False)


def test_a_log_on_a_terminal(api: Api, tmp_path: Path) -> None:
    line = b'{"message": "table read", "rows": 5, "timestamp": "2026-11-20T10:00:05Z"}\n'
    api.answers("GET /api/v1/jobs/churn/logs", Answer(200, line))
    variables = {"TERM": "dumb", "NO_COLOR": "1"}
    got = on_a_terminal([PROGRAM, "logs", "churn"], environment(api, tmp_path, **variables))
    assert got == (0, "10:00:05 table read rows=5\r\n")


def test_an_interrupt_leaves_at_once_and_quietly(api: Api, tmp_path: Path) -> None:
    asked, over = Event(), Event()

    def silence() -> Iterator[bytes]:
        asked.set()
        while not over.wait(0.05):
            yield b": keep-alive\n\n"

    api.answers("GET /api/v1/jobs/churn", Answer(200, job()))
    api.routes["GET /api/v1/jobs/churn/events"] = lambda _: Answer(200, silence())
    process = subprocess.Popen(
        [PROGRAM, "watch", "churn"],
        env=environment(api, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has them, and their children, ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "churn  Running  0 %\n"
    assert asked.wait(30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    over.set()
    assert process.returncode == 130
    assert (out, "Traceback" in err) == ("", False)


def test_a_reader_that_has_read_enough(api: Api, tmp_path: Path) -> None:
    lines = b"x" * 100 + b"\n"
    api.answers("GET /api/v1/jobs/churn/logs", Answer(200, lines * 10_000))
    process = subprocess.Popen(
        [PROGRAM, "logs", "churn"],
        env=environment(api, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == lines
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(10)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(api: Api, tmp_path: Path, shell: str) -> None:
    done = subprocess.run(
        [PROGRAM, "--show-completion", shell],
        env=environment(api, tmp_path, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "trainyard" in done.stdout


def test_names_are_completed(api: Api, tmp_path: Path) -> None:
    page = {"items": [job("churn-1"), job("other")], "next_cursor": None}
    api.answers("GET /api/v1/jobs", Answer(200, page))
    variables = {
        "_TRAINYARD_COMPLETE": "complete_bash",
        "COMP_WORDS": "trainyard status ch",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [PROGRAM],
        env=environment(api, tmp_path, **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["churn-1"]
