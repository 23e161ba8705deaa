"""The OpenAPI document against the running API: no 5xx, and no answer that it does not announce."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from trainyard_schema import names

from ..object_store import S3Server
from .replicas import OpenYard, Replica, Yard, token
from .versions import point, put_version

pytestmark = [pytest.mark.component, pytest.mark.timeout(600)]

MODEL, SPARE, RUN = "churn", "spare", "churn-by-hand"
# All checks but those that a client's leniency, or a store without versions, would fail; and
# `unsupported_method`: POST /train/jobs is POST /train/{model_type} with a type that there is not,
# as the Train API's document has its paths; and the Allow header of a 405, in which Starlette names
# the methods of one of a path's routes. Of POST /api/retrain the document wants a 503 where a
# Model cannot be retrained now.
_CHECKS = f"""
[checks]
allow_header_conformance.enabled = false
unsupported_method.enabled = false
negative_data_rejection.enabled = false
positive_data_acceptance.enabled = false

[[operations]]
include-path = "/api/retrain"
[operations.checks]
not_a_server_error.enabled = false

[[operations]]
include-name = "DELETE /api/v1/models/{{model}}"
[operations.parameters]
"path.model" = "{SPARE}"
"""
_NAMES = f"""
[parameters]
"path.model" = "{MODEL}"
"path.name" = "{RUN}"
"path.job_id" = "{RUN}"
{_CHECKS}"""


@pytest.fixture(scope="module")
def yard(open_yard: OpenYard) -> Iterator[Yard]:
    store = S3Server()
    version = put_version(store, age="number", plan="category")
    point(store, version.champion, version)
    yard = open_yard(store.url)
    yard.model(MODEL, marked=True)
    yard.model(SPARE)
    yield yard
    store.stop()


@pytest.fixture(scope="module")
def replica(yard: Yard) -> Replica:
    """No limit of requests: what is refused by one is not looked at any further."""
    replica = yard.start(RETRAIN_USER_SECONDS="0", RETRAIN_CONCURRENT="1000")
    data = {"uri": "s3://trainyard/datasets/churn.csv", "target": "churned"}
    spec = {"model": MODEL, "modelType": "xgboost", "data": data}
    run = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": RUN}}
    yard.rest.post(yard.jobs, {**run, "spec": spec})
    yard.end_run(RUN)  # else its events would have no end
    return replica


@pytest.mark.parametrize(
    ("configuration", "phases"),
    [(_CHECKS, "fuzzing"), (_NAMES, "examples,coverage,fuzzing")],
    ids=["any names", "names of objects"],
)
def test_every_answer_is_as_announced(
    replica: Replica, tmp_path: Path, configuration: str, phases: str
) -> None:
    (tmp_path / "schemathesis.toml").write_text(configuration)
    command = [str(Path(sys.executable).with_name("st")), "run", f"{replica.url}/openapi.json"]
    command += ["--header", f"Authorization: Bearer {token('ada', 'admin')}"]
    command += ["--phases", phases]
    command += ["--max-examples", "10", "--seed", "20", "--no-color", "--request-timeout", "40"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:]
