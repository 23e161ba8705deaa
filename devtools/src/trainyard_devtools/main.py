"""`trainyard-dev`: what the Makefile's targets run."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from trainyard_schema import names

from trainyard_devtools import crd, deploy, token
from trainyard_devtools import demo as demo_module
from trainyard_devtools.bench import bench, report
from trainyard_devtools.bench.quality import measure_quality
from trainyard_devtools.bench.sizes import bench_trainer
from trainyard_devtools.clusters import Cluster, choose
from trainyard_devtools.images import TRAINER_BENCH
from trainyard_devtools.kube import S3_PORT, S3_SERVICE, Kube
from trainyard_devtools.repo import CHART, NAMESPACE, RELEASE
from trainyard_devtools.steps import StepError, console, step

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _cluster() -> Cluster:
    return choose(os.environ.get("CLUSTER") or None)


def _running() -> tuple[Cluster, Kube]:
    cluster = _cluster()
    if not cluster.is_up():
        raise StepError("the cluster is not up. What to do: make up, or make demo")
    return cluster, Kube(cluster.kubeconfig, cluster.kubectl)


@app.command()
def up() -> None:
    """Bring up the cluster, build the images and install the chart."""
    deploy.ready(_cluster())


@app.command()
def down() -> None:
    """Take the cluster away; nothing of it stays on the machine."""
    _cluster().down()


@app.command()
def images() -> None:
    """Build the images and publish them to the cluster."""
    cluster, _ = _running()
    deploy.publish_images(cluster)


@app.command()
def demo(
    data: Annotated[Path | None, typer.Option()] = None,
    target: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Everything from nothing to three trained models."""
    if data is not None:
        demo_module.Dataset(data, target)  # a wrong path or column is said before the long steps
    demo_module.demo(deploy.ready(_cluster()), data, target)


@app.command()
def status() -> None:
    """Show the cluster, the release's pods and the TrainingJobs."""
    cluster, kube = _running()
    console.print(f"cluster {cluster.name}, kubeconfig {cluster.kubeconfig}")
    ours = (f"{plural}.{names.GROUP}" for plural in (names.MODEL_PLURAL, names.PLURAL))
    for resource in ("nodes", "pods", *ours):
        console.print(kube.kubectl("get", resource), markup=False)


@app.command()
def logs(
    job: Annotated[str, typer.Option(help="TrainingJob; empty: operator and API.")] = "",
) -> None:
    """Follow the logs of the operator and the API, or of one TrainingJob."""
    cluster, _ = _running()
    selector = (
        f"trainyard.dev/trainingjob={job}" if job else f"app.kubernetes.io/instance={RELEASE}"
    )
    subprocess.run(
        [
            *(*cluster.kubectl, "--kubeconfig", str(cluster.kubeconfig), "-n", NAMESPACE),
            *("logs", "-f", "--prefix", "--all-containers", "--tail=200", "-l", selector),
        ],
        check=False,
    )


@app.command()
def kubeconfig() -> None:
    """Print the path of the cluster's kubeconfig."""
    typer.echo(_cluster().kubeconfig)


@app.command()
def env() -> None:
    """Print the shell commands after which kubectl, helm and trainyard reach this cluster."""
    cluster = _cluster()
    bin_folder = Path(cluster.kubectl[0]).parent
    # trainyard last, since its folder has a python as well.
    path = f"{bin_folder}:$PATH:{Path(sys.executable).parent}"
    typer.echo(f'export KUBECONFIG="{cluster.kubeconfig}" PATH="{path}"')
    typer.echo(f"kubectl config set-context --current --namespace {NAMESPACE} >/dev/null")
    # The keys themselves are not printed: this may be run without eval.
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        secret = f"kubectl get secret {S3_SERVICE} -o 'jsonpath={{.data.{key}}}'"
        typer.echo(f'export {key}="$({secret} | base64 -d)"')
    typer.echo(f"export AWS_ENDPOINT_URL=http://127.0.0.1:{S3_PORT}")


@app.command(name="token")
def token_command(
    subject: Annotated[str, typer.Option()] = "demo",
    role: Annotated[token.Role | None, typer.Option()] = None,
) -> None:
    """Print a bearer token for the API."""
    _, kube = _running()
    secret = kube.secret(f"{RELEASE}-auth")["jwt-secret"]
    typer.echo(token.sign(secret, subject=subject, role=role))


@app.command(name="crd")
def crd_command(check: Annotated[bool, typer.Option("--check")] = False) -> None:
    """Write the chart's CRDs from the schema, or check that they are up to date."""
    folder = CHART / "files"
    if check:
        crd.check(folder)
        return
    for path in crd.write(folder):
        console.print(f"wrote {path}")


@app.command(name="bench")
def bench_command() -> None:
    """Measure; the last line is one JSON object."""
    cluster = _cluster()
    kube = deploy.ready(cluster)
    demo_module.upload(kube, demo_module.Dataset(None, None))
    (tag,) = deploy.publish_images(cluster, (TRAINER_BENCH,)).values()
    report(bench(kube, cluster.reference(TRAINER_BENCH, tag)))


@app.command()
def bench_quality() -> None:
    """Compare the models with plain scikit-learn; the last line is one JSON object."""
    cluster = _cluster()
    kube = deploy.ready(cluster)
    (tag,) = deploy.publish_images(cluster, (TRAINER_BENCH,)).values()
    with step("Train our models and plain ones on the same folds of each table"):
        table = measure_quality(kube, cluster.reference(TRAINER_BENCH, tag))
    typer.echo(table)


@app.command(name="bench-trainer")
def bench_trainer_command() -> None:
    """Time and memory of the trainer by size of table; the last line is one JSON object."""
    cluster = _cluster()
    kube = deploy.ready(cluster)
    (tag,) = deploy.publish_images(cluster, (TRAINER_BENCH,)).values()
    report(bench_trainer(kube, cluster.reference(TRAINER_BENCH, tag)))


def main() -> None:
    """Run a command; a failed step is explained without a traceback."""
    try:
        app()
    except StepError as error:
        console.print(f"\n[red bold]Failed.[/red bold] {error}", markup=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
