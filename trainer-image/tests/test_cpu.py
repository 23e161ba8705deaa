import os
import subprocess
import sys
from pathlib import Path

import pytest
from trainyard_trainer.cpu import cpu_quota, thread_count


def _write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


@pytest.mark.parametrize(
    ("quota", "available", "threads"),
    [(None, 8, 8), (0.5, 8, 1), (1.0, 8, 1), (1.5, 8, 1), (2.0, 8, 2), (16.0, 4, 4)],
)
def test_threads_follow_the_quota(quota: float | None, available: int, threads: int) -> None:
    assert thread_count(quota, available) == threads


def test_cgroup_v2_in_a_container(tmp_path: Path) -> None:
    _write(tmp_path / "cg", cpu__max="150000 100000")
    (tmp_path / "self").write_text("0::/\n")
    assert cpu_quota(tmp_path / "cg", tmp_path / "self") == 1.5


def test_cgroup_v2_without_limit(tmp_path: Path) -> None:
    _write(tmp_path / "cg", cpu__max="max 100000")
    (tmp_path / "self").write_text("0::/\n")
    assert cpu_quota(tmp_path / "cg", tmp_path / "self") is None


def test_the_tightest_level_holds(tmp_path: Path) -> None:
    _write(tmp_path / "cg" / "pod", cpu__max="100000 100000")
    _write(tmp_path / "cg" / "pod" / "container", cpu__max="400000 100000")
    (tmp_path / "self").write_text("0::/pod/container\n")
    assert cpu_quota(tmp_path / "cg", tmp_path / "self") == 1.0


def test_cgroup_v1_mounted_at_the_container_itself(tmp_path: Path) -> None:
    mount = tmp_path / "cg" / "cpu,cpuacct"
    _write(mount, cpu__cfs_quota_us="200000", cpu__cfs_period_us="100000")
    (tmp_path / "self").write_text("4:memory:/x\n3:cpu,cpuacct:/kubepods/pod1/abc\n")
    assert cpu_quota(tmp_path / "cg", tmp_path / "self") == 2.0


def test_cgroup_v1_without_limit(tmp_path: Path) -> None:
    mount = tmp_path / "cg" / "cpu"
    _write(mount, cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    (tmp_path / "self").write_text("3:cpu:/\n")
    assert cpu_quota(tmp_path / "cg", tmp_path / "self") is None


def test_no_cgroup_at_all(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "cg", tmp_path / "self") is None


def test_arrow_follows_as_well() -> None:
    # Arrow has threads for work, by OMP_NUM_THREADS, and others for input, by ARROW_IO_THREADS.
    script = (
        "from trainyard_trainer.cpu import limit_threads; threads = limit_threads(); "
        "import pyarrow; print(threads, pyarrow.cpu_count(), pyarrow.io_thread_count())"
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_THREADS")}
    output = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(set(output)) == 1
