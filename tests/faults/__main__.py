"""A campaign on request: `make chaos SECONDS=600 SEED=…`."""

import argparse
import json
import logging
import secrets
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from localcluster.nodebinary import node_binary
from trainyard_devtools.repo import LOGS
from trainyard_devtools.steps import console, step

from ..component.control_plane import control_plane, serve_kinds
from ..component.object_store import S3Server
from ..forking.forks import ForkServer
from . import campaign
from .background import Background
from .world import World


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", default=secrets.token_hex(4))
    options = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # the object store's requests
    again = f"make chaos SECONDS={options.seconds:g} SEED={options.seed}"
    console.print(f"seed {options.seed}; the same again: {again}")
    logs = LOGS / f"chaos-{options.seed}"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="trainyard-chaos-") as folder:
        report = _run(Path(folder), logs, options.seed, options.seconds)
    for violation in report.violations:
        console.print(violation, markup=False)
    failed = bool(report.violations) or report.converged < report.jobs
    if failed:
        console.print(f"failed; logs are in {logs}; the same again: {again}", markup=False)
    console.print(json.dumps(asdict(report)), markup=False, soft_wrap=True)
    sys.exit(failed)


def _run(folder: Path, logs: Path, seed: str, seconds: float) -> campaign.Report:
    binary = node_binary(folder / "go-build.log")
    background, forks, s3 = Background(), ForkServer("trainyard_controller.main"), S3Server()
    try:
        with control_plane(binary, folder) as plane:
            serve_kinds(plane)
            world = World(
                plane,
                s3,
                forks,
                background,
                namespace="chaos",
                folder=logs,
                plan=campaign.plan,
                **campaign.SETTINGS,
            )
            try:
                with step(f"faults for {seconds:g} s"):
                    return campaign.run(world, seed=seed, seconds=seconds)
            finally:
                world.close()
    finally:
        s3.stop()
        forks.close()
        background.close()


if __name__ == "__main__":
    main()
