"""The OpenAPI document against the running API: no 5xx, and no answer that it does not announce."""

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Server

pytestmark = [pytest.mark.component, pytest.mark.timeout(900)]

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)


def test_every_answer_is_as_announced(server: Server, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("st")), "run", f"{server.url}/openapi.json"]
    command += ["--header", f"Authorization: Bearer {server.token}"]
    command += ["--checks", ",".join(_CHECKS), "--phases", "examples,coverage,fuzzing"]
    command += ["--max-examples", "20", "--seed", "20", "--no-color"]
    command += ["--output-sanitize", "true"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:]
