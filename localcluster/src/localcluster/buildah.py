"""Images: building them with buildah, and pushing them to the node's registry.

The storage is in the user's cache folder, since a base image and built layers are expensive and
named by their content. buildah's own locks make it safe for several builds at once.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcluster.cache import cached_file, key_of
from localcluster.commands import run
from localcluster.errors import LocalclusterError
from localcluster.files import locked, locked_if_free
from localcluster.layout import cache_root
from localcluster.machine import unmount_under

BASE_SUITE = "trixie"
BASE_PACKAGES = ("ca-certificates", "python3", "python3-venv")
BASE_RECIPE = "1"
"""Raised when the way the base image is made changes."""
RUN_ROOT = Path("/run/localcluster-buildah")
PAUSE_SOURCE = Path(__file__).with_name("pause.c")
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

_SLIM = {
    "etc/apt/apt.conf.d/docker-clean": (
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\n'
        'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";\n'
    ),
    "etc/apt/apt.conf.d/docker-no-languages": 'Acquire::Languages "none";\n',
    "etc/dpkg/dpkg.cfg.d/docker": (
        "path-exclude /usr/share/doc/*\npath-include /usr/share/doc/*/copyright\n"
        "path-exclude /usr/share/man/*\npath-exclude /usr/share/info/*\n"
        "path-exclude /usr/share/locale/*\n"
    ),
}
"""What makes `debian:trixie-slim` slim."""


@dataclass(frozen=True)
class BuiltImage:
    """An image after a build."""

    name: str
    """`NAME:TAG` as asked for."""
    image_id: str
    reference: str | None = None
    """`REGISTRY/NAME@sha256:…` by which pods pull it; None if it was not pushed."""


def storage_root() -> Path:
    """The user's image storage."""
    return cache_root() / "buildah"


@contextmanager
def using_storage() -> Iterator[None]:
    """Hold the storage for a build, after removing what killed builds left."""
    release_storage()
    with locked(_storage_lock(), shared=True):
        yield


def release_storage() -> None:
    """Remove mounts and containers that killed builds left, unless a build is going on."""
    if not storage_root().exists() or shutil.which("buildah") is None:
        return
    with locked_if_free(_storage_lock()) as alone:
        if alone:
            unmount_under(storage_root())
            buildah("rm", "--all")


def _storage_lock() -> Path:
    return storage_root() / "in-use.lock"


def buildah(*arguments: str, log: Path | None = None, advice: str = "") -> str:
    """Run buildah on the user's storage."""
    temporary = storage_root() / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    RUN_ROOT.mkdir(parents=True, exist_ok=True)
    return run(
        (
            "buildah",
            f"--root={storage_root() / 'storage'}",
            f"--runroot={RUN_ROOT}",
            "--storage-driver=overlay",
            # Else the storage folder stays mounted on itself when buildah is killed.
            "--storage-opt=overlay.skip_mount_home=true",
            *arguments,
        ),
        log=log,
        # `RUN --mount=type=cache` folders live under TMPDIR.
        env={"TMPDIR": str(temporary), "BUILDAH_ISOLATION": "chroot"},
        advice=advice,
    )


def image_exists(name: str) -> bool:
    """Whether the storage has an image of that name."""
    try:
        buildah("inspect", "--type=image", "--format={{.FromImageID}}", name)
    except LocalclusterError:
        return False
    return True


def base_image(log: Path) -> str:
    """A minimal Debian with Python, made by debootstrap; named by the hash of its inputs."""
    key = key_of([BASE_SUITE, *BASE_PACKAGES, BASE_RECIPE, *_SLIM.values()])
    name = f"localhost/localcluster/base:{BASE_SUITE}-{key}"
    with locked(storage_root() / "base.lock"), using_storage():
        if not image_exists(name):
            container = buildah("from", "scratch").strip()
            try:
                root = Path(buildah("mount", container).strip())
                _debootstrap(root, log)
                buildah("config", "--cmd=/bin/bash", container)
                buildah("unmount", container)
                buildah("commit", "--quiet", container, name, log=log)
            finally:
                buildah("rm", container)
    return name


def _debootstrap(root: Path, log: Path) -> None:
    run(
        (
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(BASE_PACKAGES)}",
            "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg",
            BASE_SUITE,
            str(root),
        ),
        log=log,
        advice="debootstrap needs Debian's package archive, and root.",
    )
    for name, content in _SLIM.items():
        (root / name).write_text(content)
    # The machine's own names are no part of an image, nor are package lists that grow old.
    for name in ("etc/hostname", "etc/resolv.conf", "var/log/bootstrap.log", "var/log/dpkg.log"):
        (root / name).unlink(missing_ok=True)
    for folder in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"):
        shutil.rmtree(root / folder, ignore_errors=True)
    for folder in ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial"):
        (root / folder).mkdir(parents=True)


def pause_name() -> str:
    """Name of the image of the process that holds a pod's namespaces."""
    return f"localhost/localcluster/pause:{key_of([PAUSE_SOURCE.read_bytes()])}"


def pause_image(log: Path) -> str:
    """The image of `pause_name`, made if it is missing."""
    name = pause_name()

    def compile_to(target: Path) -> None:
        run(("gcc", "-Os", "-static", "-s", "-o", str(target), str(PAUSE_SOURCE)), log=log)

    binary = cached_file("pause", name.rpartition(":")[2], compile_to)
    with locked(storage_root() / "pause.lock"), using_storage():
        if not image_exists(name):
            container = buildah("from", "scratch").strip()
            try:
                buildah("copy", "--chmod=0755", container, str(binary), "/pause")
                buildah("config", "--entrypoint", '["/pause"]', "--user", "65535:65535", container)
                buildah("commit", "--quiet", container, name)
            finally:
                buildah("rm", container)
    return name


def build(
    context: Path,
    name: str,
    *,
    base: str,
    dockerfile: Path | None = None,
    target: str | None = None,
    build_args: Mapping[str, str] | None = None,
    log: Path,
) -> BuiltImage:
    """Build a Dockerfile on the base image; layers made before are used again.

    The host's certificate bundle is mounted for the build, not copied. A Dockerfile that needs to
    be told of it declares `ARG SSL_CERT_FILE` or `ARG PIP_CERT`.
    """
    file = dockerfile or context / "Dockerfile"
    if not file.is_file():
        raise LocalclusterError(f"there is no Dockerfile at {file}")
    offered = {"BASE_IMAGE": base, "SSL_CERT_FILE": CA_BUNDLE, "PIP_CERT": CA_BUNDLE}
    declared = declared_arguments(file.read_text())
    arguments = {k: v for k, v in offered.items() if k in declared} | dict(build_args or {})
    volumes = ["--volume=/etc/ssl/certs:/etc/ssl/certs:ro"] if Path(CA_BUNDLE).exists() else []
    with using_storage(), tempfile.TemporaryDirectory() as scratch:
        id_file = Path(scratch) / "image-id"
        buildah(
            "build",
            "--layers",
            # Else a failed step leaves its container mounted.
            "--force-rm",
            "--isolation=chroot",
            "--pull=never",
            *volumes,
            *(f"--build-arg={key}={value}" for key, value in arguments.items()),
            *((f"--target={target}",) if target else ()),
            f"--iidfile={id_file}",
            f"--file={file}",
            f"--tag=localhost/{name}",
            str(context),
            log=log,
        )
        return BuiltImage(name, id_file.read_text().strip())


def declared_arguments(dockerfile: str) -> set[str]:
    """Names of the build arguments that a Dockerfile declares."""
    return set(re.findall(r"^\s*ARG\s+(\w+)", dockerfile, re.MULTILINE | re.IGNORECASE))


def push(source: str, registry: str, name: str, log: Path) -> str:
    """Push an image to the node's registry; gives the reference by digest.

    Layers are packed by the fastest zstd: they cross no network, and gzip takes five times as long.
    """
    with using_storage(), tempfile.TemporaryDirectory() as scratch:
        digest_file = Path(scratch) / "digest"
        buildah(
            "push",
            "--quiet",
            "--tls-verify=false",
            "--compression-format=zstd",
            "--compression-level=1",
            f"--digestfile={digest_file}",
            source,
            f"docker://{registry}/{name}",
            log=log,
        )
        repository = name.rpartition(":")[0]
        return f"{registry}/{repository}@{digest_file.read_text().strip()}"
