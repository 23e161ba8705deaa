"""Persistent volumes made beforehand, and made anew when a claim lets go of one."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import httpx

from localcluster.layout import API_URL, NODE_NAME, Layout
from localcluster.probe import client_context

STORAGE_CLASS = "standard"
VOLUME_COUNT = 12
VOLUME_CAPACITY = "50Gi"
CHECK_SECONDS = 5.0


def storage_class() -> dict[str, Any]:
    """The default StorageClass, named as kind's."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def persistent_volume(layout: Layout, name: str) -> dict[str, Any]:
    """A volume on a folder of the state."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "localcluster"}},
        "spec": {
            "capacity": {"storage": VOLUME_CAPACITY},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": str(layout.volumes / name)},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {
                                    "key": "kubernetes.io/hostname",
                                    "operator": "In",
                                    "values": [NODE_NAME],
                                }
                            ]
                        }
                    ]
                }
            },
        },
    }


def volume_names() -> list[str]:
    """Names of all volumes of a cluster."""
    return [f"local-{number:02d}" for number in range(VOLUME_COUNT)]


def make_folder(path: Path) -> None:
    """An empty folder that any user of a pod may write to."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o777)


async def keep_volumes_available(layout: Layout) -> None:
    """Empty each released volume and offer it again, as a dynamic provisioner would."""
    url = f"{API_URL}/api/v1/persistentvolumes"
    selector = {"labelSelector": "app.kubernetes.io/managed-by=localcluster"}
    async with httpx.AsyncClient(verify=client_context(layout.pki), trust_env=False) as client:
        while True:
            try:
                answer = (await client.get(url, params=selector)).raise_for_status()
                present = {item["metadata"]["name"]: item for item in answer.json()["items"]}
                for name in released(present):
                    (await client.delete(f"{url}/{name}")).raise_for_status()
                for name in sorted(set(volume_names()) - set(present)):
                    folder = layout.volumes / name
                    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                    make_folder(folder)
                    volume = persistent_volume(layout, name)
                    (await client.post(url, json=volume)).raise_for_status()
            except (httpx.HTTPError, OSError) as error:
                print(f"volumes: {error}", flush=True)  # noqa: T201 - the supervisor's log
            await asyncio.sleep(CHECK_SECONDS)


def released(volumes: dict[str, dict[str, Any]]) -> list[str]:
    """Names of the volumes whose claim is gone."""
    return sorted(
        name
        for name, volume in volumes.items()
        if volume.get("status", {}).get("phase") in {"Released", "Failed"}
        and "deletionTimestamp" not in volume["metadata"]
    )
