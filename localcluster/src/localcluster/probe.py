"""Asking a component whether it is ready."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import httpx

TIMEOUT_SECONDS = 3.0


class Prober:
    """Probes with the supervisor's certificate, trusting the cluster's authority."""

    def __init__(self, pki: Path) -> None:
        self._cluster = client_context(pki)
        # The scheduler and the controller manager serve certificates they signed themselves.
        self._self_signed = ssl.create_default_context()
        self._self_signed.check_hostname = False
        self._self_signed.verify_mode = ssl.CERT_NONE

    async def ready(self, target: str) -> bool:
        """Whether a `Component.ready` target answers as it should, now."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                if target.startswith("http"):
                    return await self._get(target)
                kind, _, address = target.partition(":")
                if kind == "unix":
                    _, writer = await asyncio.open_unix_connection(address)
                else:
                    host, _, port = address.rpartition(":")
                    _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
                await writer.wait_closed()
                return True
        except (OSError, TimeoutError, httpx.HTTPError):
            return False

    async def _get(self, url: str) -> bool:
        own_signature = url.startswith(("https://127.0.0.1:10257", "https://127.0.0.1:10259"))
        context = self._self_signed if own_signature else self._cluster
        async with httpx.AsyncClient(verify=context, trust_env=False) as client:
            return (await client.get(url)).status_code == 200


def client_context(pki: Path) -> ssl.SSLContext:
    """TLS as the supervisor's own user, towards servers of this cluster."""
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "supervisor.crt", pki / "supervisor.key")
    return context
