"""Command line: `localcluster up`, `down`, `status`, `build` and so on."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from localcluster.cluster import Cluster
from localcluster.errors import LocalclusterError, NotRunningError
from localcluster.settings import Publish, Settings

app = typer.Typer(
    help="A real single-node Kubernetes for Linux machines without Docker.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
State = Annotated[
    Path, typer.Option("--state", help="Folder of the cluster's state.", envvar="LOCALCLUSTER_DIR")
]
DEFAULT_STATE = Path(".localcluster")
PASS_ON = {
    "allow_extra_args": True,
    "allow_interspersed_args": False,  # else a `--` meant for kubectl is taken away
    "ignore_unknown_options": True,
    "help_option_names": [],
}


@app.command()
def up(
    state: State = DEFAULT_STATE,
    publish: Annotated[
        list[str] | None,
        typer.Option(
            help="ADDRESS:PORT:NODEPORT: a port of this machine that leads to a node port."
        ),
    ] = None,
    registry_port: Annotated[int, typer.Option(help="Port of the image registry.")] = 5050,
) -> None:
    """Bring the cluster up; returns when it can be used."""
    cluster = Cluster(state)
    cluster.up(publish=[Publish.parse(text) for text in publish or ()], registry_port=registry_port)
    typer.echo(f"export KUBECONFIG={cluster.kubeconfig}")


@app.command()
def down(
    state: State = DEFAULT_STATE,
    purge: Annotated[bool, typer.Option(help="Remove the logs and the folder, too.")] = False,
) -> None:
    """Remove the cluster and its data from this machine."""
    Cluster(state).down(purge=purge)


@app.command()
def status(
    state: State = DEFAULT_STATE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the components; exit code 1 if the cluster is not running."""
    cluster = Cluster(state)
    report = cluster.report()
    running = report is not None and report.alive
    components = report.components if report and running else {}
    if as_json:
        settings = Settings.load(cluster.layout.settings)
        document = {
            "running": running,
            "state": str(cluster.layout.state),
            "kubeconfig": str(cluster.kubeconfig),
            "registry": settings.registry if settings else None,
            "components": {name: asdict(component) for name, component in components.items()},
        }
        typer.echo(json.dumps(document, indent=2))
    else:
        table = Table("Component", "State", "PID", "Restarts")
        for name, component in components.items():
            pid = str(component.pid or "")
            table.add_row(name, component.state, pid, str(component.restarts))
        Console().print(table if running else f"not running: {cluster.layout.state}")
    if not running:
        raise typer.Exit(1)


@app.command()
def logs(
    component: Annotated[str | None, typer.Argument(help="Component or step.")] = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Print a component's log, or name the logs there are."""
    layout = Cluster(state).layout
    if component is None:
        for path in sorted(layout.logs.glob("*.log")):
            typer.echo(path.stem)
        return
    path = layout.log(component)
    if not path.exists():
        raise LocalclusterError(
            f"there is no log {path}; `localcluster logs` names those there are"
        )
    typer.echo(path.read_text(errors="replace"), nl=False)


@app.command()
def kubeconfig(state: State = DEFAULT_STATE) -> None:
    """Print the path of the administrator's kubeconfig."""
    cluster = Cluster(state)
    if not cluster.kubeconfig.exists():
        raise NotRunningError(cluster.layout.state)
    typer.echo(cluster.kubeconfig)


@app.command(context_settings=PASS_ON)
def kubectl(context: typer.Context, state: State = DEFAULT_STATE) -> None:
    """Run kubectl as the cluster's administrator."""
    _become(Cluster(state), "kubectl", context.args)


@app.command(context_settings=PASS_ON)
def helm(context: typer.Context, state: State = DEFAULT_STATE) -> None:
    """Run Helm as the cluster's administrator."""
    _become(Cluster(state), "helm", context.args)


@app.command()
def build(  # noqa: PLR0917 - options of a command line
    context: Annotated[Path, typer.Argument(help="Folder the Dockerfile copies from.")],
    tag: Annotated[str, typer.Option("--tag", "-t", help="NAME:TAG of the image.")],
    state: State = DEFAULT_STATE,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="The Dockerfile.")] = None,
    target: Annotated[str | None, typer.Option(help="Stage to build.")] = None,
    build_arg: Annotated[list[str] | None, typer.Option(help="KEY=VALUE")] = None,
    push: Annotated[bool, typer.Option(help="Push it to the node's registry.")] = True,
) -> None:
    """Build a Dockerfile; prints the reference by which pods pull the image."""
    arguments = dict[str, str]()
    for text in build_arg or ():
        key, separator, value = text.partition("=")
        if not separator:
            raise LocalclusterError(f"--build-arg {text!r}: write KEY=VALUE")
        arguments[key] = value
    image = Cluster(state).build(
        context, tag, dockerfile=file, target=target, build_args=arguments, push=push
    )
    typer.echo(image.reference or image.image_id)


def _become(cluster: Cluster, program: str, arguments: list[str]) -> None:
    command = cluster.command(program, *arguments)
    os.execv(command[0], command)  # noqa: S606 - the caller is to become kubectl


def main() -> None:
    """Run the command line; an error of ours is a message, not a traceback."""
    try:
        app()
    except LocalclusterError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
