"""Build the images and install the chart into a cluster."""

import sys

from trainyard_devtools.clusters import Cluster
from trainyard_devtools.images import IMAGES, Image, tag
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import CHART, DEPLOY, NAMESPACE, RELEASE, STATE
from trainyard_devtools.steps import console, run, step

_PUBLISHED = STATE / "published"
"""One empty file for each image that the cluster of this clone has."""


def publish_images(cluster: Cluster, images: tuple[Image, ...] = IMAGES) -> None:
    """Build and publish the images whose files have changed since they were last published."""
    for image in images:
        mark = _PUBLISHED / cluster.name / image.name
        wanted = tag(image)
        if mark.exists() and mark.read_text() == wanted:
            console.print(f"  image {image.repository}:{wanted} is there already")
            continue
        with step(f"Build image {image.repository}:{wanted}"):
            cluster.publish(image)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(wanted)


def forget_images(cluster: Cluster) -> None:
    """Say that the cluster has no image: it has just been taken down."""
    for mark in (_PUBLISHED / cluster.name).glob("*"):
        mark.unlink()


def install(cluster: Cluster) -> None:
    """Install or upgrade the release; the namespace enforces Pod Security "restricted"."""
    kube = Kube(cluster.kubeconfig, cluster.kubectl)
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": NAMESPACE,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            },
        }
    )
    settings = {"image.registry": cluster.registry}
    for image, key in zip(IMAGES, ("storage.bundled", "controller", "api", "trainer"), strict=True):
        settings[f"{key}.image.tag"] = tag(image)
    run(
        [
            *cluster.helm,
            *("upgrade", "--install", RELEASE, str(CHART)),
            *("--kubeconfig", str(cluster.kubeconfig), "--namespace", NAMESPACE),
            *("--values", str(DEPLOY / "values-demo.yaml"), "--wait", "--timeout", "5m"),
            *(
                word
                for key, value in settings.items()
                for word in ("--set-string", f"{key}={value}")
            ),
        ],
        log="helm",
        hint='look at the pods: eval "$(make -s env)"; kubectl describe pods',
    )


def ready(cluster: Cluster) -> Kube:
    """Bring everything up to date: cluster, images, release."""
    with step(f"Cluster ({cluster.name})"):
        cluster.up()
    publish_images(cluster)
    with step("Install the chart"):
        install(cluster)
    sys.stdout.flush()
    return Kube(cluster.kubeconfig, cluster.kubectl)
