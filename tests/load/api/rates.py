"""Requests per second of GET /train/status/{id} beside those of a bare FastAPI endpoint."""

import json
import re
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path

from localcluster import packages

CONNECTIONS = 32
SECONDS = 8
ROUNDS = 3

# Every connection walks through all jobs, so that no answer is asked for twice in a row.
_SCRIPT = """
local names = {{{names}}}
local position = {seed}
request = function()
  position = position % #names + 1
  return wrk.format("GET", "/train/status/" .. names[position])
end
done = function(summary, latency, requests)
  local wrong = summary.errors.status + summary.errors.read + summary.errors.connect
  io.write(string.format("RESULT %.1f %d %d\\n",
    summary.requests / summary.duration * 1e6, wrong + summary.errors.timeout,
    latency:percentile(99)))
end
"""


def require_wrk(log: Path) -> None:
    """Install wrk where it is missing. Raises `LocalclusterError` if that cannot be done here."""
    if shutil.which("wrk") is None:
        packages.install(["wrk"], log)


def requests_per_second(url: str, names: Sequence[str], token: str, script: Path) -> float:
    """Answers with status 200 per second over `SECONDS`, on `CONNECTIONS` connections."""
    quoted = ",".join(json.dumps(name) for name in names)
    script.write_text(_SCRIPT.format(names=quoted, seed=0))
    command = ["wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={SECONDS}s"]
    command += ["--timeout=10s", f"--header=Authorization: Bearer {token}", f"--script={script}"]
    done = subprocess.run([*command, url], capture_output=True, text=True, check=True)
    found = re.search(r"^RESULT ([0-9.]+) (\d+) (\d+)$", done.stdout, re.MULTILINE)
    if found is None or int(found[2]) > 0:
        raise AssertionError(f"not every request was answered with 200:\n{done.stdout}")
    return float(found[1])


def compare(
    ours: str, bare: str, names: Sequence[str], token: str, folder: Path
) -> tuple[float, float]:
    """Requests per second of ours and of the bare endpoint: medians of rounds in turn."""
    rates: dict[str, list[float]] = {ours: [], bare: []}
    for url in (ours, bare):  # every view is rendered once, every connection's code is warm
        requests_per_second(url, names, token, folder / "wrk.lua")
    for _ in range(ROUNDS):
        for url, measured in rates.items():
            measured.append(requests_per_second(url, names, token, folder / "wrk.lua"))
    return statistics.median(rates[ours]), statistics.median(rates[bare])
