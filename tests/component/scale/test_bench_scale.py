"""A few runs of `make bench-scale`, so that it goes on working."""

from pathlib import Path
from typing import Any

import pytest

from ...load.scale import kwok
from ...load.scale.cases import Case, read_case, select
from ...load.scale.measure import measure
from ...load.scale.peer import read_peer

pytestmark = [pytest.mark.component, pytest.mark.timeout(300)]

NODES = [
    pytest.param(False, id="played"),
    pytest.param(
        True,
        id="kwok",
        marks=pytest.mark.skipif(
            not kwok.is_built(), reason="builds kwok, which takes minutes: make bench-scale does"
        ),
    ),
]


@pytest.mark.parametrize("fake_nodes", NODES)
def test_nothing_is_lost_and_a_restart_writes_nothing(tmp_path: Path, fake_nodes: bool) -> None:
    case = Case(steady=False, count=50, qps=400)
    figures: dict[str, Any] = {}
    for found in measure(case, tmp_path, fake_nodes=fake_nodes):
        figures |= found
    meant = {"created": 50, "succeeds": 47, "fails": 1, "cancelled": 2, "wrong": []}
    assert figures["ledger"] == meant
    assert figures["bare_ledger"] == meant
    assert figures["api_writes"]["create jobs"] == case.count
    assert figures["idle_restart_writes"] == 0
    # Create a Job, say that it starts and how it ends, and tell of it; a few are seen to run.
    assert 3 <= figures["api_writes_per_job"] <= 6
    more = figures["cluster_writes_per_job"] - figures["bare_cluster_writes_per_job"]
    assert 0 < more <= 6
    for name in ("create_to_job_ms", "status_lag_ms", "cancel_to_pod_gone_ms"):
        assert figures[name]["p50"] <= figures[name]["p99"]


def test_cases_are_chosen_by_name() -> None:
    assert read_case("steady_10000_qps20") == Case(steady=True, count=10_000, qps=20)
    assert [str(case) for case in select("burst_1000_qps400, steady_50_qps20")] == [
        "burst_1000_qps400",
        "steady_50_qps20",
    ]
    assert len(select("")) == 6
    with pytest.raises(ValueError, match="'burst_1000' is no case"):
        read_case("burst_1000")


def test_few_runs_of_a_hundred_fail_or_are_cancelled() -> None:
    fates = [fate for _, fate in Case(steady=False, count=1000, qps=20).fates()]
    assert (fates.count("fails"), fates.count("cancelled")) == (20, 20)


def test_a_peer_is_given_by_the_paths_of_both_programs_and_of_the_crds(tmp_path: Path) -> None:
    assert read_peer({}) is None
    one, two, crds = (tmp_path / name for name in ("trainer", "jobset", "crds"))
    given = {"PEER": "trainer", "PEER_BINARY": f"{one}:{two}", "PEER_CRDS": str(crds)}
    with pytest.raises(ValueError, match="there is no"):
        read_peer(given)
    for path in (one, two, crds):
        path.touch()
    peer = read_peer(given)
    assert peer is not None
    assert peer.binaries == {"trainer": one, "jobset": two}
    with pytest.raises(ValueError, match="PEER_BINARY="):
        read_peer({"PEER": "trainer", "PEER_BINARY": str(one)})
