from pathlib import Path

import pytest
from localcluster.machine import mounts_under

MOUNTINFO = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:26 / /home/a/state/run/shm rw - tmpfs shm rw
31 22 0:27 / /home/a/state/kubelet/pods/x/volumes/two\\040words rw - tmpfs tmpfs rw
32 31 0:28 / /home/a/state/kubelet/pods/x/volumes/two\\040words/inner rw - tmpfs tmpfs rw
33 22 0:29 / /home/a/state-of-another rw - tmpfs tmpfs rw
34 22 0:30 / /home/a/state rw - tmpfs tmpfs rw
"""


def test_mounts_are_listed_innermost_first_and_only_below_the_folder() -> None:
    assert mounts_under(Path("/home/a/state"), MOUNTINFO) == [
        "/home/a/state",
        "/home/a/state/kubelet/pods/x/volumes/two words/inner",
        "/home/a/state/kubelet/pods/x/volumes/two words",
        "/home/a/state/run/shm",
    ]


@pytest.mark.parametrize("folder", ["/home/b", "/home/a/stat"])
def test_no_mount_of_others_is_listed(folder: str) -> None:
    assert mounts_under(Path(folder), MOUNTINFO) == []
