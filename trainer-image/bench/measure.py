"""Runs the trainer and the plain script in turn, and prints what each run took as JSON.

The environment variable CASES holds a list of {"name", "run", "repeats", "programs"}: `run` is a
RunConfig document of one model type, `programs` some of "trainer" and "plain". The line printed is
`FIGURES ` and a list of {"case", "program", "seconds", "cpuSeconds", "peakMb",
"firstProgressSeconds"}, one for each run: peakMb is the largest resident size (ru_maxrss),
firstProgressSeconds the time from the start of the process to the first answer of /progress (null
for the plain script).
"""

# This process stays small: a child's ru_maxrss begins with the size of the process that spawned it.
import http.client
import json
import os
import sys
import threading
import time
from pathlib import Path

_PORT = 18080
_COMMANDS = {
    "trainer": [sys.executable, "-m", "trainyard_trainer.main"],
    "plain": [sys.executable, str(Path(__file__).with_name("plain.py"))],
}


def _first_progress(started: float, seen: list[float], over: threading.Event) -> None:
    while not seen and not over.wait(0.005):
        connection = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=5)
        try:
            connection.request("GET", "/progress")
            if connection.getresponse().status == 200:
                seen.append(time.monotonic() - started)
        except OSError:
            pass
        finally:
            connection.close()


def run(program: str, document: object) -> dict[str, float | None]:
    """One run in a process of its own."""
    environment = os.environ | {"TRAINYARD_RUN": json.dumps(document), "TRAINER_PORT": str(_PORT)}
    environment.setdefault("TERMINATION_LOG", os.devnull)
    command = _COMMANDS[program]
    seen: list[float] = []
    over = threading.Event()
    started = time.monotonic()
    child = os.posix_spawn(command[0], command, environment)
    watcher = threading.Thread(target=_first_progress, args=(started, seen, over))
    if program == "trainer":
        watcher.start()
    _, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - started
    over.set()
    if program == "trainer":
        watcher.join()
    if status != 0:
        sys.exit(f"{program} ended with status {os.waitstatus_to_exitcode(status)}")
    return {
        "seconds": seconds,
        "cpuSeconds": usage.ru_utime + usage.ru_stime,
        "peakMb": usage.ru_maxrss / 1024,
        "firstProgressSeconds": seen[0] if seen else None,
    }


def main() -> None:
    """Run all cases; the two programs of one repeat follow each other."""
    figures = []
    for case in json.loads(os.environ["CASES"]):
        for _ in range(case["repeats"]):
            for program in case["programs"]:
                measured = run(program, case["run"])
                figures.append({"case": case["name"], "program": program, **measured})
    sys.stdout.write(f"FIGURES {json.dumps(figures)}\n")


if __name__ == "__main__":
    main()
