"""What a program costs: processor time, memory, and requests that change something."""

import os
import re
from collections import Counter
from pathlib import Path

import httpx

from ...component.control_plane import Rest

_TICKS = os.sysconf("SC_CLK_TCK")
_WRITING = {"POST", "PUT", "PATCH", "DELETE", "APPLY", "DELETECOLLECTION"}
_NOT_OF_RUNS = {"leases", "nodes", "subjectaccessreviews", "tokenreviews"}
"""What a cluster writes whether there are runs or not."""


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def megabytes(pid: int, field: str = "VmRSS") -> float:
    """Resident memory of a process now (`VmRSS`), or the most it ever was (`VmHWM`); 2^20 bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    (kilobytes,) = re.findall(rf"(?m)^{field}:\s+(\d+) kB$", status)
    return round(int(kilobytes) / 1024, 1)


def _samples(text: str, name: str) -> list[tuple[dict[str, str], float]]:
    found = re.findall(rf"(?m)^{name}(?:\{{(.*)\}})? (\S+)$", text)
    return [(dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value)) for labels, value in found]


def cluster_writes(rest: Rest) -> "Counter[str]":
    """Requests of everybody that the API server was asked to write by, as `VERB resource`."""
    counts: Counter[str] = Counter()
    for labels, value in _samples(rest.text("/metrics"), "apiserver_request_total"):
        if labels["verb"] in _WRITING and labels["resource"] not in _NOT_OF_RUNS:
            resource = "/".join(filter(None, (labels["resource"], labels["subresource"])))
            counts[f"{labels['verb']} {resource}"] += int(value)
    return counts


def watches_cut(rest: Rest) -> int:
    """Watches of anybody that the API server has ended because they were read too slowly."""
    found = _samples(rest.text("/metrics"), "apiserver_terminated_watchers_total")
    return int(sum(value for _, value in found))


class OperatorMetrics:
    """What the operator says of itself."""

    def __init__(self, url: str) -> None:
        self._text = httpx.get(url, timeout=30).text

    def _sum(self, name: str) -> int:
        return int(sum(value for _, value in _samples(self._text, name)))

    @property
    def writes(self) -> "Counter[str]":
        """Its requests that change something, as `verb resource`."""
        found = _samples(self._text, "trainyard_api_writes_total")
        return Counter({f"{one['verb']} {one['resource']}": int(count) for one, count in found})

    @property
    def reconciliations(self) -> int:
        """How often it has looked at an object."""
        return self._sum("trainyard_reconcile_duration_seconds_count")

    @property
    def waiting(self) -> int:
        """Keys that wait for a worker."""
        return self._sum("trainyard_queue_depth")
