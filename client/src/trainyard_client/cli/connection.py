"""Which API a command talks to, and as whom."""

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from trainyard_client.cli import tokens
from trainyard_client.cli.cluster import Kubectl, Release, has_kubeconfig
from trainyard_client.cli.config import Config, config_path
from trainyard_client.cli.errors import CommandError
from trainyard_client.client import Client

_PLUGIN: Final = "kubectl-trainyard"
_PANEL: Final = "Which API"

Url = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The API's address; else TRAINYARD_URL, else that of login, else by kubectl.",
        rich_help_panel=_PANEL,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        metavar="TOKEN",
        help="Bearer token; else TRAINYARD_TOKEN, else that of login.",
        rich_help_panel=_PANEL,
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        help="By kubectl: where Trainyard is installed.",
        rich_help_panel=_PANEL,
    ),
]
Context = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="By kubectl: context of the kubeconfig.", rich_help_panel=_PANEL
    ),
]
Kubeconfig = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="By kubectl: the kubeconfig.", rich_help_panel=_PANEL),
]


def program() -> str:
    """What people type to run this: `trainyard`, or `kubectl trainyard`."""
    return "kubectl trainyard" if Path(sys.argv[0]).name == _PLUGIN else "trainyard"


@dataclass(frozen=True)
class Access:
    """Where the API is, as far as it is known, and where that was found."""

    url: str | None
    url_from: str
    token: str | None = field(repr=False)
    token_from: str
    kubectl: Kubectl


def resolve(url: str | None, token: str | None, kubectl: Kubectl) -> Access:
    """Options go before the environment, and that before what `login` stored.

    The stored token goes to the stored address and to no other.
    """
    environment = os.environ
    if kubectl != Kubectl() and url is None:
        # Whoever names a cluster means it.
        stored, url_from = Config(), "kubectl"
    else:
        stored, url_from = Config.load(), str(config_path())
    if url is not None:
        url_from = "--url"
    elif kubectl == Kubectl() and environment.get("TRAINYARD_URL"):
        url, url_from = environment["TRAINYARD_URL"], "TRAINYARD_URL"
    else:
        url = stored.url
    if token:
        token_from = "--token"  # noqa: S105 - the name of the option
    elif environment.get("TRAINYARD_TOKEN"):
        token, token_from = environment["TRAINYARD_TOKEN"], "TRAINYARD_TOKEN"
    elif stored.token and url is not None and url.rstrip("/") == (stored.url or "").rstrip("/"):
        token, token_from = stored.token, str(config_path())
    else:
        token, token_from = None, "none"
    return Access(url, url_from if url else "kubectl", token, token_from, kubectl)


@contextmanager
def connect(access: Access) -> Iterator[Client]:
    """A client of the API; where no address is known, through kubectl to the cluster."""
    if access.url is not None:
        if not access.url.startswith(("http://", "https://")):
            raise CommandError(
                f"{access.url} ({access.url_from}) must begin with http:// or https://"
            )
        with Client(access.url, access.token) as client:
            yield client
        return
    if program() == "trainyard" and not has_kubeconfig(
        access.kubectl, os.environ.get("KUBECONFIG")
    ):
        raise CommandError(
            "No API is known. Give its address: trainyard login URL, or TRAINYARD_URL, or --url. "
            "With a kubeconfig it is found by kubectl."
        )
    release = Release.find(access.kubectl)
    token = access.token or cluster_token(release)
    with release.forwarded() as url, Client(url, token) as client:
        yield client


def cluster_token(
    release: Release,
    *,
    subject: str | None = None,
    role: str = "admin",
    **options: Any,
) -> str:
    """A token signed with the release's key.

    Who may read the key may do all that a token allows, so the role is admin unless told.
    """
    return tokens.sign(
        release.signing_key(),
        subject=subject or release.user(),
        role=role,
        role_claim=release.setting("JWT_ROLE_CLAIM", "role"),
        issuer=release.setting("JWT_ISSUER", tokens.ISSUER),
        audience=release.setting("JWT_AUDIENCE", tokens.AUDIENCE),
        **options,
    )


_OPTIONS: Final = {
    "url": Url,
    "token": Token,
    "namespace": Namespace,
    "context": Context,
    "kubeconfig": Kubeconfig,
}


def with_access(function: Callable[..., None]) -> Callable[..., None]:
    """A command that takes an `Access` first, as one with the options that choose it."""

    @functools.wraps(function)
    def command(**values: Any) -> None:
        chosen = {name: values.pop(name) for name in _OPTIONS}
        kubectl = Kubectl(chosen["kubeconfig"], chosen["context"], chosen["namespace"])
        function(resolve(chosen["url"], chosen["token"], kubectl), **values)

    signature = inspect.signature(function, eval_str=True)
    _, *own = signature.parameters.values()
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in _OPTIONS.items()
    ]
    kept = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    parameters = [*kept, *options]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    del command.__wrapped__
    return command


def with_client(function: Callable[..., None]) -> Callable[..., None]:
    """A command that takes a `Client` first, as one with the options that choose it."""

    @functools.wraps(function)
    def command(access: Access, **values: Any) -> None:
        with connect(access) as client:
            function(client, **values)

    return with_access(command)
