import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from localcluster.owner import Owner, read_owner
from localcluster.processes import ProcessId, boot_id


def test_a_record_survives_the_file(tmp_path: Path) -> None:
    owner = Owner("/a", boot_id(), {"kernel.panic": "0"}, ("/opt/cni",), ProcessId(1, 2, "b"))
    owner.save(tmp_path / "owner.json")
    assert read_owner(tmp_path / "owner.json") == owner


@pytest.mark.parametrize("content", ["", "null", "{}", '{"state": "/a"'])
def test_a_damaged_record_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "owner.json").write_text(content)
    assert read_owner(tmp_path / "owner.json") is None


def test_only_the_very_process_counts_as_alive() -> None:
    myself = ProcessId.of(os.getpid())
    assert myself is not None
    assert Owner("/a", boot_id(), {}, (), myself).alive
    assert not Owner("/a", boot_id(), {}, (), replace(myself, started=1)).alive
    assert not Owner("/a", boot_id(), {}, (), replace(myself, boot="earlier")).alive
    assert not Owner("/a", boot_id(), {}).alive


def test_an_ended_process_is_not_alive() -> None:
    with subprocess.Popen(("sleep", "60")) as process:
        identity = ProcessId.of(process.pid)
        assert identity is not None
        assert identity.alive()
        process.kill()
    assert not identity.alive()
