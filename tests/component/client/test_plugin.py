"""`kubectl trainyard`: the real kubectl finds the plugin, and the plugin the release."""

from contextlib import ExitStack

import jwt
import pytest

from ..control_plane import Rest
from .conftest import NAMESPACE, SECRET, Run

pytestmark = pytest.mark.component


def test_nothing_to_be_found(kubectl: Run) -> None:
    done = kubectl("trainyard", "datasets")
    assert done.code == 1
    assert "No Trainyard was found by kubectl. Give its namespace (-n)" in done.err


def test_it_works_at_once(kubectl: Run, release: ExitStack) -> None:
    anywhere = kubectl("trainyard", "datasets", "-o", "json")
    assert (anywhere.code, anywhere.err) == (0, "")
    there = kubectl("trainyard", "datasets", "-n", NAMESPACE, "-o", "json")
    assert there.json == anywhere.json
    elsewhere = kubectl("trainyard", "datasets", "-n", "default")
    assert (elsewhere.code, elsewhere.out) == (1, "")
    assert "Usage: kubectl trainyard list" in kubectl("trainyard", "list", "--help").out


def test_a_token_is_signed_as_the_release_would_have_it(kubectl: Run, release: ExitStack) -> None:
    done = kubectl("trainyard", "token", "--from-cluster", "--role", "viewer", "--hours", "2")
    claims = jwt.decode(
        done.out.strip(), SECRET, algorithms=["HS256"], audience="trainyard", issuer="trainyard"
    )
    # Who kubectl's user is, says the API server.
    assert (claims["sub"], claims["role"]) == ("admin", "viewer")
    assert SECRET not in done.out + done.err


def test_a_release_with_tokens_of_an_identity_provider(
    kubectl: Run, release: ExitStack, rest: Rest
) -> None:
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/trainyard-api"
    container = {"name": "api", "image": "trainyard/api", "env": []}
    rest.patch(path, {"spec": {"template": {"spec": {"containers": [container]}}}})
    done = kubectl("trainyard", "datasets")
    assert done.code == 1
    assert "the tokens of an identity provider" in done.err


def test_no_cluster_at_all(kubectl: Run) -> None:
    done = kubectl("trainyard", "--kubeconfig=/none", "list")
    assert done.code != 0
    done = kubectl("trainyard", "list", "--kubeconfig=/none")
    assert done.code == 1
    assert "/none" in done.err
