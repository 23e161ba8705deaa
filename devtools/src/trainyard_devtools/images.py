"""The project's images: what each is made from, and the tag that follows from it."""

import hashlib
import subprocess
from pathlib import Path
from typing import NamedTuple

from trainyard_devtools.repo import ROOT


class Image(NamedTuple):
    """An image and every path that it is built from, relative to the repository."""

    name: str
    dockerfile: str
    context: str
    inputs: tuple[str, ...]
    stage: str = ""
    """Stage of the Dockerfile; empty: the last one."""

    @property
    def repository(self) -> str:
        """The name in a registry, as the chart has it."""
        return f"trainyard/{self.name}"


_WORKSPACE = ("pyproject.toml", "uv.lock", ".dockerignore", "schema")
TRAINER = Image("trainer", "trainer-image/Dockerfile", ".", (*_WORKSPACE, "trainer-image"))
CONTROLLER = Image("controller", "controller/Dockerfile", ".", (*_WORKSPACE, "controller"))
API = Image("api", "api/Dockerfile", ".", (*_WORKSPACE, "api"))
TRAINER_BENCH = TRAINER._replace(name="trainer-bench", stage="bench")
"""The trainer's image with what the plain script needs beside it."""
S3_SERVER = Image("s3-server", "s3-server/Dockerfile", "s3-server", ("s3-server",))
POSTGRES = Image("postgres", "postgres/Dockerfile", "postgres", ("postgres",))
IMAGES = (S3_SERVER, POSTGRES, CONTROLLER, API, TRAINER)


def _files(paths: tuple[str, ...]) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return sorted(name for name in listed.stdout.decode().split("\0") if name)


def tag(image: Image) -> str:
    """12 hex digits over every file that the image is built from: same files, same tag."""
    digest = hashlib.sha256()
    for name in _files(image.inputs):
        path = ROOT / name
        if path.is_file():
            digest.update(f"{name}\0{_content_hash(path)}\0".encode())
    return digest.hexdigest()[:12]


def _content_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
