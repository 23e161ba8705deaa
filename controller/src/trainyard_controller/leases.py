"""The one Lease by which replicas of the operator agree who of them acts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from kubernetes.aio import client

from trainyard_controller.client import Client, Document, collection
from trainyard_controller.errors import RefusedError

API_VERSION = "coordination.k8s.io/v1"
RESOURCE = "leases"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A Lease as last seen."""

    holder: str | None
    duration: float
    """Seconds for which the holder may be believed after a change of the Lease."""
    resource_version: str
    spec: Document

    @classmethod
    def from_document(cls, document: Document) -> "Lease":
        """Read a Lease; one that another program has emptied is nobody's."""
        spec = document.get("spec") or {}
        return cls(
            holder=spec.get("holderIdentity") or None,
            duration=float(spec.get("leaseDurationSeconds") or 0.0),
            resource_version=document["metadata"]["resourceVersion"],
            spec=spec,
        )


def held_by(identity: str, duration: float, before: Document, now: datetime) -> Document:
    """The spec with which `identity` takes, or keeps, the Lease whose spec was `before`.

    The times are for those who read it: nobody computes with them.
    """
    time = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    spec: dict[str, Any] = {
        "holderIdentity": identity,
        "leaseDurationSeconds": max(1, round(duration)),
        "acquireTime": time,
        "renewTime": time,
        "leaseTransitions": before.get("leaseTransitions", 0),
    }
    if before.get("holderIdentity") == identity:
        spec["acquireTime"] = before.get("acquireTime", time)
    elif before:
        spec["leaseTransitions"] += 1
    return spec


def released(before: Document, now: datetime) -> Document:
    """The spec of a Lease that its holder gives up."""
    time = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    kept = {name: value for name, value in before.items() if name != "holderIdentity"}
    return {**kept, "leaseDurationSeconds": 1, "renewTime": time}


class Leases(Client):
    """Requests about the Lease of that name."""

    def __init__(self, api_client: client.ApiClient, namespace: str, name: str) -> None:
        super().__init__(api_client)
        self._name = name
        self._collection = collection(namespace, API_VERSION, RESOURCE)
        self._one = f"{self._collection}/{quote(name)}"

    async def get(self) -> Lease | None:
        """The Lease, or None if there is none."""
        found = await self._get(self._one)
        return None if found is None else Lease.from_document(found)

    async def create(self, spec: Document) -> Lease:
        """Create the Lease. Raises `ConflictError` if there is one."""
        created = await self._write(
            "POST", self._collection, resource=RESOURCE, body=self._document({}, spec)
        )
        return Lease.from_document(created)

    async def replace(self, before: Lease, spec: Document) -> Lease | None:
        """Write the Lease over the one that was seen; None if there is none any more.

        Raises `ConflictError` if it has changed since.
        """
        metadata = {"resourceVersion": before.resource_version}
        try:
            written = await self._write(
                "PUT", self._one, resource=RESOURCE, body=self._document(metadata, spec)
            )
        except RefusedError as error:
            if error.status != 404:
                raise
            return None
        return Lease.from_document(written)

    def _document(self, metadata: Document, spec: Document) -> Document:
        return {
            "apiVersion": API_VERSION,
            "kind": "Lease",
            "metadata": {"name": self._name, **metadata},
            "spec": spec,
        }


def utc_now() -> datetime:
    """The time with microseconds, as Leases have it."""
    return datetime.now(UTC)
