"""`kubectl trainyard` on the cluster, without any configuration: found by kubectl, forwarded."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from trainyard_devtools.churn import ID, TARGET
from trainyard_devtools.clusters import Cluster
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import NAMESPACE

pytestmark = pytest.mark.cluster

Plugin = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def plugin(cluster: Cluster, kube: Kube, tmp_path: Path) -> Plugin:
    """The plugin of the real kubectl, for a person who has nothing but a kubeconfig."""
    folders = (Path(cluster.kubectl[0]).parent, Path(sys.executable).parent)
    environment = {
        "PATH": ":".join([*map(str, folders), os.environ["PATH"]]),
        "KUBECONFIG": str(cluster.kubeconfig),
        "HOME": str(tmp_path),
    }

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [*cluster.kubectl, "trainyard", *words, "-n", NAMESPACE]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    return run


@pytest.fixture
def name(kube: Kube) -> Iterator[str]:
    name = f"cli-{secrets.token_hex(4)}"
    yield name
    kube.delete_training_job(name)
    kube.delete_training_job(f"{name}-again")


def test_a_training_from_start_to_end(plugin: Plugin, dataset: str, name: str) -> None:
    done = plugin(
        *("submit", name, "--data", dataset, "--target", TARGET, "--exclude", ID),
        *("-p", "n_estimators=20", "--wait", "--timeout", "240"),
    )
    assert done.returncode == 0, done.stderr
    assert "roc_auc" in done.stdout
    assert name in plugin("list", "-o", "name").stdout.split()
    assert "Status: completed" in " ".join(plugin("status", name).stdout.split())
    for words in (("logs", name), ("logs", "-f", name)):
        log = plugin(*words)
        assert log.returncode == 0, log.stderr
        assert '"message"' in log.stdout
    versions = plugin("models", "versions", name, "-o", "name")
    assert len(versions.stdout.split()) == 1, versions.stderr
    refused = plugin("cancel", name)
    assert (refused.returncode, "already completed" in refused.stderr) == (1, True)


def test_an_upload_is_trained_on_and_so_is_feedback(
    plugin: Plugin, name: str, tmp_path: Path
) -> None:
    table = tmp_path / f"{name}.csv"
    rows = "".join(f"{number % 60},{number % 7},{number % 2}\n" for number in range(2000))
    # Of tables with the same content, the first is kept.
    table.write_text(f"age,visits_{name},won\n{rows}")
    wait = ("--target", "won", "--wait", "--timeout", "240")
    done = plugin("submit", name, "--data", str(table), *wait)
    assert done.returncode == 0, done.stdout + done.stderr
    assert name in plugin("datasets").stdout

    given = plugin("feedback", "--model", name, "--input", str(table))
    assert given.returncode == 0, given.stderr
    [kept] = json.loads(plugin("models", "feedback", name, "-o", "json").stdout)["items"]
    assert (kept["rows"], kept["unwritten"]) == (2000, 0)
    again = plugin("submit", f"{name}-again", "--data", kept["uri"], *wait)
    assert again.returncode == 0, again.stdout + again.stderr


def test_who_one_is(plugin: Plugin) -> None:
    done = plugin("token", "--from-cluster", "--role", "viewer")
    assert done.returncode == 0, done.stderr
    refused = plugin("cancel", "none", "--token", done.stdout.strip())
    assert (refused.returncode, "trainer" in refused.stderr) == (1, True)
