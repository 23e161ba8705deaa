"""Champions against a real API server and an S3 server: how they come, stay and go back."""

from pathlib import Path

import pytest
from trainyard_schema import VersionKey
from trainyard_schema.artifacts import champion_key

from .champions import V1, V2, V3, V4, XGBOOST, ChampionLab, version_of
from .models import API, STORE, ModelLab, killed
from .test_models import dies

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]


@pytest.fixture
def champions(models: ModelLab) -> ChampionLab:
    return ChampionLab(models)


def test_from_the_first_champion_to_a_rollback(champions: ChampionLab) -> None:
    models = champions.models
    models.start()
    gate = {"metric": "roc_auc", "margin": 0.01}
    name = models.create(promotion={"gate": gate})
    first = champions.train(name, V1)
    champions.champion(name, V1, 1)
    assert models.lab.training_job(first)["spec"]["gate"]["margin"] == 0.01

    worse = champions.train(name, V2, passed=False, reasons=["worse by 0.1"])
    status = champions.judged(name, V2, "Rejected")
    assert status.last_verdict is not None
    assert status.last_verdict.reasons == ["worse by 0.1"]
    assert status.champion is not None
    assert models.lab.training_job(worse)["spec"]["champion"] == status.champion.uri

    champions.train(name, V3)
    status = champions.champion(name, V3, 2)
    assert status.previous is not None
    assert status.previous.version == V1

    models.annotate(name, rollback="it is worse in the north")
    champions.champion(name, V1, 3)
    models.annotate(name, rollback="it is not")
    status = champions.champion(name, V3, 4)
    assert status.published == 4
    assert [(one.action, one.version, one.by) for one in champions.history(name)] == [
        ("Promoted", V1, "operator"),
        ("Promoted", V3, "operator"),
        ("RolledBack", V1, "python-httpx"),
        ("RolledBack", V3, "python-httpx"),
    ]
    record = champions.history(name)[1]
    assert record.verdict is not None
    assert record.verdict.passed
    assert record.manifest_sha256 is not None
    assert (record.namespace, record.model) == (models.lab.namespace, name)
    told = sorted(["Promoted", "Rejected", "Promoted", "RolledBack", "RolledBack"])
    models.until("all is told", lambda: models.decisions(name) == told)


def test_approval_by_hand(champions: ChampionLab) -> None:
    models = champions.models
    models.start()
    name = models.create(promotion={"approval": "manual"})
    for version in (V1, V2, V3):
        champions.train(name, version)
        champions.judged(name, version, "AwaitingApproval")
    status = models.status(name)
    assert status.champion is None
    assert [one.version for one in status.candidates] == [V3, V2, V1]
    models.annotate(name, reject=V1)
    models.until("it is rejected", lambda: models.status(name).published == 1)
    models.annotate(name, promote=V2)
    status = champions.champion(name, V2, 2)
    assert [one.version for one in status.candidates] == [V3]
    assert [one.action for one in champions.history(name)] == ["Rejected", "Approved"]
    models.annotate(name, rollback="1")
    models.until("it is refused", lambda: models.message(name).startswith("refused to roll back"))
    models.annotate(name, promote=V4)
    words = f"refused to promote {V4}: there is no such version in models/{name}/"
    models.until("it is refused", lambda: models.message(name) == words)
    champions.file(name, V4, partial=True)
    models.annotate(name, promote=f"{V4} again")
    models.until("it is refused", lambda: "it is partial" in models.message(name))
    assert models.status(name).champion == status.champion


def test_a_run_that_was_compared_with_another_champion_awaits_approval(
    champions: ChampionLab,
) -> None:
    models = champions.models
    models.start()
    name = models.create()
    champions.reign(name, V1, V2)
    run = champions.start(name, V3)
    models.annotate(name, rollback="1")
    champions.champion(name, V1, 3)
    champions.end(name, run, V3)
    status = champions.judged(name, V3, "AwaitingApproval")
    assert status.last_verdict is not None
    assert f"by now the champion is {V1}" in status.last_verdict.reasons[0]
    assert status.champion is not None
    assert status.champion.version == V1


def test_what_the_pod_says_decides(champions: ChampionLab) -> None:
    models = champions.models
    models.start()
    name = models.create()
    run = champions.start(name, V1)
    result = champions.result(name, run, V1, metric="roc_auc", value="0.8512345")
    models.lab.end_pod(models.lab.run_pod(run), 0, result.to_json())
    status = champions.champion(name, V1, 1)
    assert status.champion is not None
    assert status.champion.metric == "roc_auc=0.8512"
    assert status.history[0].verdict == result.verdict


HELD = """
import asyncio, os, pathlib
from trainyard_controller.models import kube
sent = kube.ModelApi.replace_status
held, free = (pathlib.Path(os.environ["CLOCK"]).with_suffix(name) for name in (".held", ".free"))
async def hold(self, *args, **kwargs):
    if kwargs["status"].get("champion") and not free.exists():
        held.touch()
        while not free.exists():
            await asyncio.sleep(0.02)
    return await sent(self, *args, **kwargs)
kube.ModelApi.replace_status = hold
"""
"""The operator is held up just before it would write that there is a champion."""


def test_a_decision_is_taken_anew_if_the_model_changes_meanwhile(
    champions: ChampionLab, tmp_path: Path
) -> None:
    models = champions.models
    models.start(HELD)
    name = models.create()
    run = champions.start(name, V1)
    champions.end(name, run, V1)
    models.until("it is held up", (tmp_path / "clock.held").exists)
    models.patch(name, promotion={"approval": "manual"})
    (tmp_path / "clock.free").touch()
    status = champions.judged(name, V1, "AwaitingApproval")
    assert status.champion is None
    assert champions.history(name) == []
    assert champions.pointer(name) is None


POINTER = "args[0].endswith('/current.json')"
CHAMPION_MOVES = "kwargs['status'].get('champion', {}).get('transition') == 2"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("request_", "of", "only"),
    [
        ("replace_status", API, CHAMPION_MOVES),
        ("create", STORE, "True"),
        ("replace", STORE, POINTER),
    ],
    ids=["status", "history", "pointer"],
)
def test_killed_on_the_way_to_a_new_champion(
    champions: ChampionLab, when: str, request_: str, of: str, only: str
) -> None:
    models = champions.models
    models.start()
    name = models.create()
    champions.train(name, V1)
    champions.champion(name, V1, 1)
    run = champions.start(name, V2)
    models.lab.stop()
    process = models.start(killed(when, request_, of, only=only))
    champions.end(name, run, V2)
    dies(process)
    models.start()
    champions.champion(name, V2, 2)
    assert [(one.number, one.action, one.version) for one in champions.history(name)] == [
        (1, "Promoted", V1),
        (2, "Promoted", V2),
    ]
    assert len(models.runs(name)) == 2


def test_while_the_store_is_away_the_champion_stays_and_can_be_rolled_back(
    champions: ChampionLab,
) -> None:
    models = champions.models
    models.start()
    name = models.create()
    champions.reign(name, V1, V2)
    with champions.s3.away():
        models.annotate(name, rollback="1")
        models.until(
            "it is said", lambda: champions.published(name)[:2] == ("False", "StorageUnavailable")
        )
        status = models.status(name)
        assert status.champion is not None
        assert (status.champion.version, status.published) == (V1, 2)
        models.annotate(name, rollback="2")
        models.until("it moves", lambda: models.status(name).last_handled_rollback == "2")
        # What needs a look into the store waits.
        models.annotate(name, promote=V1)
        writes = models.lab.writes["update models/status"]
        models.retrain(name, "meanwhile")
        models.until("it trains meanwhile", lambda: len(models.runs(name)) == 3)
        assert models.status(name).last_handled_promote is None
        assert models.lab.writes["update models/status"] <= writes + 4
    champions.champion(name, V1, 5)
    assert [one.action for one in champions.history(name)] == [
        "Promoted", "Promoted", "RolledBack", "RolledBack", "Chosen",
    ]  # fmt: skip
    models.until("it is told", lambda: "StorageUnavailable" in models.decisions(name))


def test_a_run_is_not_cleared_away_before_it_is_judged(champions: ChampionLab) -> None:
    models = champions.models
    with champions.s3.away():
        models.start()
        name = models.create(historyLimits={"succeeded": 0})
        run = champions.start(name, V1)
        # Whether there is a history to go on from is not known, so nothing can be decided.
        models.until("it is said", lambda: champions.published(name)[1] == "StorageUnavailable")
    models.lab.stop()
    champions.end(name, run, V1)
    with champions.s3.away():
        models.start()
        models.recorded(name, run, "Succeeded")
        assert models.status(name).judged == []
        assert models.runs(name) == [run]
    champions.champion(name, V1, 1)
    models.until("it is cleared away", lambda: models.runs(name) == [])


def test_two_operators_at_once_agree(champions: ChampionLab) -> None:
    models = champions.models
    for _ in range(2):
        models.start()
    name = models.create()
    champions.reign(name, V1, V2, V3)
    for number in range(4, 8):
        models.annotate(name, rollback=str(number))
        champions.champion(name, (V3, V2)[number % 2 == 0], number)
    assert [one.number for one in champions.history(name)] == list(range(1, 8))


def test_a_model_that_is_created_again_has_its_champion(champions: ChampionLab) -> None:
    models = champions.models
    models.start()
    name = models.create()
    champions.reign(name, V1, V2)
    old = models.get(name)
    models.lab.rest.delete(f"{models.path}/{name}")
    models.until("it is gone", lambda: models.lab.rest.get(f"{models.path}/{name}") is None)
    body = {key: old[key] for key in ("apiVersion", "kind", "spec")}
    models.lab.rest.post(models.path, {**body, "metadata": {"name": name}})
    status = champions.champion(name, V2, 2)
    assert status.previous is not None
    assert status.previous.version == V1
    models.annotate(name, rollback="1")
    champions.champion(name, V1, 3)


def test_a_version_that_is_gone_is_not_published(champions: ChampionLab) -> None:
    models = champions.models
    models.start()
    name = models.create()
    champions.reign(name, V1, V2)
    champions.s3.delete(VersionKey(name, XGBOOST, V1).manifest)
    models.annotate(name, rollback="1")
    models.until("it is said", lambda: champions.published(name)[1] == "VersionMissing")
    pointer = champions.pointer(name)
    assert pointer is not None
    assert pointer.version == V2
    models.annotate(name, rollback="2")
    champions.champion(name, V2, 4)
    assert [one.number for one in champions.history(name)] == [1, 2, 3, 4]


def test_a_pointer_that_someone_has_changed_is_mended(champions: ChampionLab) -> None:
    models = champions.models
    models.start()
    name = models.create()
    champions.train(name, V1)
    before = champions.champion(name, V1, 1)
    models.lab.stop()
    champions.s3.delete(champion_key(name))
    models.start()
    models.until("it is back", lambda: champions.pointer(name) is not None)
    assert champions.champion(name, V1, 1).champion == before.champion
    assert len(champions.history(name)) == 1


def test_old_versions_are_deleted_after_a_run_and_used_ones_stay(champions: ChampionLab) -> None:
    models = champions.models
    models.start()
    pinned, current, *others = map(version_of, range(10, 16))
    name = models.create(pinned=[pinned], historyLimits={"versions": 2})
    for version in (pinned, current, *others):
        champions.file(name, version)
    pointer = VersionKey(name, XGBOOST, current).current
    champions.s3.put(
        pointer,
        f'{{"version":"{current}","uri":"","manifestSha256":"","updatedAt":"2026-11-20T10:00:00Z"}}',
    )
    # The champion, the previous one, and a candidate are older than all of these.
    champions.reign(name, V1, V2)
    kept = sorted([V1, V2, pinned, current, *others[-2:]])
    models.until("the old ones are gone", lambda: sorted(champions.versions(name)) == kept)
    models.annotate(name, promote=pinned)
    champions.champion(name, pinned, 3)
    leftovers = [key for key in champions.s3.keys(f"models/{name}/") if others[0] in key]
    models.until("nothing is left of them", lambda: leftovers == [] or not any(
        others[0] in key for key in champions.s3.keys(f"models/{name}/")
    ))  # fmt: skip


def test_with_a_spec_that_makes_no_sense_a_rollback_works_all_the_same(
    champions: ChampionLab,
) -> None:
    models = champions.models
    models.start()
    name = models.create()
    champions.reign(name, V1, V2)
    models.patch(name, schedule="0 3 * * FOO")
    models.until("it is said", lambda: models.ready(name)[1] == "InvalidSpec")
    models.annotate(name, rollback="1")
    champions.champion(name, V1, 3)
    models.annotate(name, reject=V4)
    words = f"refused to reject {V4}: it does not await approval"
    models.until("it is refused", lambda: models.message(name) == words)
    assert models.ready(name)[1] == "InvalidSpec"


def test_the_table_reads_well(champions: ChampionLab) -> None:
    models = champions.models
    models.start()
    name = models.create(schedule=models.daily)
    champions.train(name, V1)
    status = champions.champion(name, V1, 1)
    columns = models.lab.rest.table(models.path)
    shown = ("Name", "Champion", "Metric", "Verdict", "Run", "Next", "Age")
    assert tuple(columns)[: len(shown)] == shown
    assert columns["Name"] == name
    assert columns["Champion"] == V1
    assert columns["Metric"] == "roc_auc=0.8400"
    assert columns["Verdict"] == "Promoted"
    assert columns["Run"] == "Succeeded"
    assert columns["Next"] == f"{status.next_schedule_time:%Y-%m-%dT%H:%M:%SZ}"
    assert columns["Schedule"] == models.daily
    assert columns["Published"] == "True"
    width = sum(max(len(str(columns[title])), len(title)) + 3 for title in shown)
    assert width <= 120


def test_idle_champions_cost_nothing(champions: ChampionLab) -> None:
    models = champions.models
    models.start(TRAINYARD_RESYNC_SECONDS="0.5")
    name = models.create()
    champions.train(name, V1)
    champions.champion(name, V1, 1)
    settled = models.lab.reconciliations + 20
    models.until("all is written", lambda: models.lab.reconciliations > settled)
    before = models.get(name)
    models.until("many more looks", lambda: models.lab.reconciliations > settled + 20)
    assert models.get(name) == before
