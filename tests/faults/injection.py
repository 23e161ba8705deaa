"""What the proxy sees of a request, and what it may do with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request of the operator."""

    method: str
    path: str
    query: Mapping[str, str]
    number: int | None
    """The how-manieth write of the operator this is; None if it only reads."""

    @property
    def resource(self) -> str:
        """Its plural, with the subresource if there is one: `jobs`, `trainingjobs/status`."""
        _, _, rest = self.path.partition("/namespaces/")
        parts = rest.split("/")[1:]
        return "/".join([parts[0], *parts[2:]]) if parts else self.path

    @property
    def is_list(self) -> bool:
        parts = self.path.partition("/namespaces/")[2].split("/")
        return self.method == "GET" and len(parts) == 2 and not self.is_watch

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"

    def __str__(self) -> str:
        return f"{self.method} {self.resource}"


@dataclass(frozen=True)
class Kill:
    """The operator is killed before the API server has the request, or when it has answered."""

    after: bool


@dataclass(frozen=True)
class Cut:
    """The connection breaks when the API server has answered, and before that is told."""


@dataclass(frozen=True)
class Answer:
    """The API server's answer in its place."""

    status: int
    reason: str = ""
    retry_after: int | None = None

    def document(self) -> dict[str, Any]:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "reason": self.reason,
            "code": self.status,
            "message": f"the proxy says {self.status} {self.reason}",
        }


@dataclass(frozen=True)
class Delay:
    """It reaches the API server later, by this many seconds."""

    seconds: float


Fault = Kill | Cut | Answer | Delay | None
Faults = Callable[[Request], Fault]


@dataclass(frozen=True, kw_only=True)
class WatchEvent:
    """What a watch tells."""

    resource: str
    type: str
    document: Mapping[str, Any]


Deliveries = Callable[[WatchEvent], tuple[float, ...]]
"""After how many seconds each copy of an event is delivered: `(0.0,)` as if nothing was between,
`()` never, two of them twice; one that is held back is overtaken by those that are not.
"""


def no_fault(_: Request) -> Fault:
    """Every request reaches the API server, and every answer the operator."""
    return None


def at_once(_: WatchEvent) -> tuple[float, ...]:
    """Every event is delivered as it comes."""
    return (0.0,)


def at_write(number: int, fault: Fault) -> Faults:
    """The fault at the how-manieth write, and no other."""
    return lambda request: fault if request.number == number else None
