"""The Go module's own tests, where a Go toolchain is at hand."""

import shutil
import subprocess

import pytest
from localcluster.nodebinary import source_folder

pytestmark = pytest.mark.component


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not on the PATH")
def test_the_forwarders_own_tests_pass() -> None:
    done = subprocess.run(
        ("go", "test", "./forward"),
        cwd=source_folder(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
