"""Build the images and install the chart into a cluster."""

import sys

from trainyard_devtools.clusters import Cluster
from trainyard_devtools.images import IMAGES, Image, tag
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import CHART, DEPLOY, NAMESPACE, RELEASE
from trainyard_devtools.steps import console, run, step

Tags = dict[str, str]
"""The tag of each image by its name."""


def publish_images(cluster: Cluster, images: tuple[Image, ...] = IMAGES) -> Tags:
    """Build and publish the images that the cluster does not have as the files are now."""
    tags = {image.name: tag(image) for image in images}
    for image in images:
        name = f"{image.repository}:{tags[image.name]}"
        if cluster.has(image, tags[image.name]):
            console.print(f"  image {name} is there already")
            continue
        cluster.publish(image, tags[image.name])
    return tags


def install(cluster: Cluster, tags: Tags) -> None:
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
    keys = ("storage.bundled", "database.bundled", "controller", "api", "trainer")
    for image, key in zip(IMAGES, keys, strict=True):
        settings[f"{key}.image.tag"] = tags[image.name]
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
    cluster.up()
    tags = publish_images(cluster)
    with step("Install the chart"):
        install(cluster, tags)
    sys.stdout.flush()
    return Kube(cluster.kubeconfig, cluster.kubectl)
