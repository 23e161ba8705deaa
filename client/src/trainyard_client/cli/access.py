"""`trainyard login`, `logout` and `token`."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from trainyard_client.cli import tokens
from trainyard_client.cli.cluster import Release
from trainyard_client.cli.config import Config, config_path
from trainyard_client.cli.connection import Access, cluster_token
from trainyard_client.cli.errors import CommandError, Exit
from trainyard_client.cli.output import (
    Output,
    OutputOption,
    ago,
    print_document,
    print_fields,
    print_one,
    say,
)
from trainyard_client.client import Client

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HOUR = timedelta(hours=1)


def login(
    url: Annotated[str, typer.Argument(metavar="URL", help="The API's address.")],
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN", help="Bearer token; without it, it is asked for, or read from stdin."
        ),
    ] = None,
) -> None:
    """Store the API's address and a token, after trying them. Readable for you alone."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CommandError(
            f"{url} is no address; write for example https://trainyard.example.com", Exit.USAGE
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        say("Warning: over http, everybody on the way can read the token. Use https.")
    if token is None:
        token = typer.prompt("Token", hide_input=True) if sys.stdin.isatty() else sys.stdin.read()
    token = token.strip()
    with Client(url, token) as client:
        me = client.me()
    path = Config(url.rstrip("/"), token).save()
    say(f"{me.subject}, role {me.role}, at {url}. Stored in {path}.")


def logout() -> None:
    """Remove the stored address and token."""
    path = config_path()
    try:
        path.unlink()
    except FileNotFoundError:
        say("Nothing was stored.")
        return
    say(f"Removed {path}.")


def whoami(client: Client, *, output: OutputOption = Output.TABLE) -> None:
    """Show who the API takes you for, and what you may do."""
    me = client.me()
    fields = {"Subject": me.subject, "Role": me.role, "API": client.url}
    print_one(me, output, me.subject, lambda _: print_fields(fields))


def token(
    access: Access,
    *,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Sign a new token with the secret in this file; - is stdin.",
            rich_help_panel="A new token",
        ),
    ] = None,
    from_cluster: Annotated[
        bool,
        typer.Option(
            "--from-cluster",
            help="Sign a new token with the release's secret, read by kubectl.",
            rich_help_panel="A new token",
        ),
    ] = False,
    subject: Annotated[
        str | None,
        typer.Option(
            help="Whom it is for; default: kubectl's user.", rich_help_panel="A new token"
        ),
    ] = None,
    role: Annotated[
        str,
        typer.Option(
            metavar="viewer | trainer | admin",
            help="What it allows.",
            rich_help_panel="A new token",
        ),
    ] = "trainer",
    hours: Annotated[
        float, typer.Option(min=0.01, help="How long it is valid.", rich_help_panel="A new token")
    ] = tokens.LIFETIME / _HOUR,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what the token in use says, or print a new one that is signed here.

    [dim]trainyard token
    export TRAINYARD_TOKEN=$(trainyard token --from-cluster --subject ada --role viewer)[/dim]
    """
    if role not in ("viewer", "trainer", "admin"):
        raise CommandError(f"--role {role}: choose viewer, trainer or admin", Exit.USAGE)
    lifetime = timedelta(hours=hours)
    if from_cluster:
        release = Release.find(access.kubectl)
        typer.echo(cluster_token(release, subject=subject, role=role, lifetime=lifetime))
        return
    if secret_file is not None:
        if subject is None:
            raise CommandError("Give --subject: whom the token is for", Exit.USAGE)
        typer.echo(tokens.sign(_secret(secret_file), subject=subject, role=role, lifetime=lifetime))
        return
    if access.token is None:
        where = (
            f"for {access.url} ({access.url_from})" if access.url else "and no address of an API"
        )
        raise CommandError(
            f"No token is known {where}. Log in, set TRAINYARD_TOKEN, or sign one: --from-cluster"
        )
    claims = tokens.claims_of(access.token)
    if output in (Output.JSON, Output.YAML):
        print_document(dict(claims), output)
        return
    print_fields(
        {
            "Subject": claims.get("sub"),
            "Role": claims.get("role"),
            "Expires": _expiry(claims),
            "Issuer": claims.get("iss"),
            "Audience": claims.get("aud"),
            "Found in": access.token_from,
            "For": f"{access.url} ({access.url_from})" if access.url else access.url_from,
        }
    )


def _secret(path: Path) -> str:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}") from error
    return text.rstrip("\r\n")


def _expiry(claims: Mapping[str, Any]) -> str | None:
    value = claims.get("exp")
    if not isinstance(value, int | float):
        return None
    time = datetime.fromtimestamp(value, UTC)
    text = f"{time:%Y-%m-%d %H:%M:%S} UTC"
    return (
        f"{text}, {ago(time)} ago: expired" if time < datetime.now(UTC) else f"{text}, {ago(time)}"
    )
