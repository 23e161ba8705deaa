"""What the shell offers after TAB: names that the API knows."""

import itertools
from collections.abc import Callable, Iterator
from typing import Final

from trainyard_client.cli.cluster import Kubectl
from trainyard_client.cli.connection import resolve
from trainyard_client.client import Client

_MOST: Final = 50


def complete_job(incomplete: str) -> list[str]:
    """Names of trainings, newest first."""
    return _names(lambda client: (job.job_id for job in client.jobs.list()), incomplete)


def complete_model(incomplete: str) -> list[str]:
    """Names of Models."""
    return _names(lambda client: (model.name for model in client.models.list()), incomplete)


def _names(ask: Callable[[Client], Iterator[str]], incomplete: str) -> list[str]:
    # To find the API by kubectl takes longer than one waits for TAB.
    try:
        access = resolve(None, None, Kubectl())
        if access.url is None:
            return []
        with Client(access.url, access.token, patience=0) as client:
            found = (name for name in ask(client) if name.startswith(incomplete))
            return list(itertools.islice(found, _MOST))
    except Exception:
        return []
