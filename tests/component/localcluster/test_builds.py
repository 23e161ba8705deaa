"""Builds of images with the machine's buildah, without a cluster."""

import os
from pathlib import Path

import pytest
from localcluster.buildah import storage_root
from localcluster.errors import LocalclusterError
from localcluster.machine import mounts_under

import localcluster

pytestmark = [
    pytest.mark.component,
    pytest.mark.alone,  # it looks at the mounts of all builds
    pytest.mark.skipif(os.geteuid() != 0, reason="builds mount file systems, as root"),
]

FAILS = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN echo "said before the end" && false
"""


def test_a_failed_build_says_why_and_leaves_no_mount(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(FAILS)
    cluster = localcluster.Cluster(tmp_path / "state")
    with pytest.raises(LocalclusterError, match="said before the end"):
        cluster.build(tmp_path, "test/fails", push=False)
    assert mounts_under(storage_root(), Path("/proc/self/mountinfo").read_text()) == []
