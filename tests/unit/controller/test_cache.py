import json
import tracemalloc

from trainyard_controller.cache import LAST_WORDS_SECONDS, Cache
from trainyard_controller.objects import Document
from trainyard_controller.workqueue import Lane
from trainyard_schema import Phase, names

from .samples import (
    JOB_NAME,
    UID,
    job,
    pod,
    running,
    terminated,
    training_job_document,
)

KEY = ("lab", "churn")


def filled() -> Cache:
    cache = Cache()
    assert cache.put_training_job(training_job_document())
    assert cache.put_job(job(version=200))
    assert cache.put_pod(running(version=300))
    return cache


def test_what_is_repeated_or_late_is_no_news() -> None:
    cache = filled()
    assert not cache.put_training_job(training_job_document())
    assert not cache.put_job(job(version=200))
    assert not cache.put_job(job(version=199, suspend=True))
    assert not cache.put_pod(pod(version=299))
    assert cache.put_job(job(version=1000, suspend=True))


def test_what_is_newer_and_says_nothing_else_is_no_news() -> None:
    cache = filled()
    counted = job(version=201)
    counted["status"] |= {"active": 1, "ready": 1}
    assert not cache.put_job(counted)
    assert not cache.put_job(job(version=200, suspend=True)), "it is older than what is known"
    unbound = running(version=301)
    unbound["metadata"]["finalizers"] = []
    assert not cache.put_pod(unbound)
    assert cache.put_pod(terminated(0, "done", version=302))


def test_a_run_is_fresh_until_it_has_a_job_and_urgent_while_somebody_cancels_it() -> None:
    cache = Cache()
    lanes = [cache.lane(KEY)]
    for version, document in enumerate(
        [
            training_job_document(),
            training_job_document({"phase": "Queued"}),
            training_job_document({"phase": "Running"}, cancel=True),
            training_job_document({"phase": "Cancelled"}, cancel=True),
        ]
    ):
        document["metadata"]["resourceVersion"] = str(100 + version)
        cache.put_training_job(document)
        lanes.append(cache.lane(KEY))
    assert lanes == [
        Lane.UNDER_WAY, Lane.FRESH, Lane.UNDER_WAY, Lane.URGENT, Lane.UNDER_WAY
    ]  # fmt: skip
    assert filled().lane(KEY) is Lane.UNDER_WAY


def test_jobs_and_pods_find_their_training_job() -> None:
    cache = filled()
    assert cache.key_of(job()) == KEY
    assert cache.key_of(pod()) == KEY
    stranger = pod()
    stranger["metadata"]["labels"] = {}
    assert cache.key_of(stranger) is None
    assert not cache.put_pod(stranger)


def test_a_pod_that_is_gone_stays_gone_and_is_remembered() -> None:
    cache = filled()
    assert cache.drop_pod(running(version=301))
    assert cache.pods(UID) == []
    assert [gone["metadata"]["uid"] for gone in cache.gone_pods(UID)] == ["pod-0"]
    assert not cache.put_pod(running(version=300))
    assert not cache.drop_pod(running(version=301))


def test_a_pod_whose_end_is_told_first_does_not_come_to_life_afterwards() -> None:
    cache = Cache()
    cache.put_training_job(training_job_document())
    assert cache.drop_pod(terminated(143, "last words", version=301))
    assert not cache.put_pod(running(version=300))
    assert (cache.pods(UID), uids(cache.gone_pods(UID))) == ([], ["pod-0"])


def uids(documents: list[Document]) -> list[str]:
    return [one["metadata"]["uid"] for one in documents]


def listing(*pods: Document, version: int) -> Document:
    return {"metadata": {"resourceVersion": str(version)}, "items": list(pods)}


def test_a_listing_replaces_what_was_known() -> None:
    cache = Cache()
    cache.put_training_job(training_job_document())
    cache.put_pod(pod(version=300))
    assert cache.replace_pods([UID], listing(running(1, version=310), version=310))
    assert uids(cache.pods(UID)) == ["pod-1"]
    assert not cache.replace_pods([UID], listing(running(1, version=310), version=310))


def test_a_pod_that_the_watch_tells_before_an_older_listing_comes_is_not_lost() -> None:
    cache = Cache()
    cache.put_training_job(training_job_document())
    cache.put_pod(pod(version=300))
    assert not cache.replace_pods([UID], listing(version=299))
    assert uids(cache.pods(UID)) == ["pod-0"]
    assert cache.put_pod(running(version=301))


def test_what_a_pod_left_is_heard_also_where_a_listing_is_ahead_of_the_watch() -> None:
    cache = filled()
    assert not cache.replace_pods([UID], listing(version=301))
    assert cache.drop_pod(terminated(143, "last words", version=301))
    (gone,) = cache.gone_pods(UID)
    assert gone["status"]["containerStatuses"][0]["state"]["terminated"]["message"] == "last words"


def test_a_watch_that_stays_silent_is_not_waited_for() -> None:
    now = [100.0]
    cache = Cache(clock=lambda: now[0])
    cache.put_training_job(training_job_document())
    cache.put_pod(running(version=300))
    assert not cache.replace_pods([UID], listing(version=301))
    assert not cache.replace_pods([UID], listing(running(version=300), version=301))
    now[0] += LAST_WORDS_SECONDS
    assert not cache.replace_pods([UID], listing(version=301))
    now[0] += LAST_WORDS_SECONDS
    assert cache.replace_pods([UID], listing(version=301))
    assert (uids(cache.pods(UID)), uids(cache.gone_pods(UID))) == ([], ["pod-0"])


def test_created_again_under_the_same_name_it_inherits_nothing() -> None:
    cache = filled()
    again = training_job_document()
    again["metadata"] |= {"uid": "another-uid", "resourceVersion": "50"}
    assert cache.put_training_job(again)
    fresh = cache.training_job(KEY)
    assert fresh is not None
    assert cache.job(fresh) is None
    assert cache.pods("another-uid") == []
    assert cache.key_of(pod()) is None


def test_the_end_of_one_does_not_touch_its_successor() -> None:
    cache = filled()
    cache.drop_training_job(KEY, "an-older-uid")
    assert cache.training_job(KEY) is not None
    assert not cache.drop_job(JOB_NAME, "an-older-uid")
    cache.drop_training_job(KEY, UID)
    assert cache.training_job(KEY) is None


def test_a_job_with_our_name_and_another_owner_is_not_ours() -> None:
    cache = filled()
    foreign = job(version=500)
    foreign["metadata"]["labels"] = {names.UID_LABEL: "somebody-else"}
    cache.put_job(foreign)
    one = cache.training_job(KEY)
    assert one is not None
    assert cache.job(one) is None


def test_finished_ones_are_kept_small_and_out_of_the_resync() -> None:
    cache = filled()
    done = training_job_document({"phase": "Succeeded", "jobName": JOB_NAME, "message": "long"})
    done["metadata"]["resourceVersion"] = "400"
    done["spec"]["ttlSecondsAfterFinished"] = 60
    assert cache.put_training_job(done)
    one = cache.training_job(KEY)
    assert one is not None
    assert one.finished
    assert one.spec == {"ttlSecondsAfterFinished": 60, "modelType": "xgboost"}
    assert one.status.message is None
    assert list(cache.unfinished()) == []
    assert cache.running_pods() == []


def test_a_status_of_another_version_still_tells_that_it_has_finished() -> None:
    cache = Cache()
    cache.put_training_job(training_job_document({"phase": "Failed", "reason": "FromTheFuture"}))
    one = cache.training_job(KEY)
    assert one is not None
    assert one.status.phase is Phase.FAILED


def test_running_pods_are_those_to_poll() -> None:
    cache = filled()
    cache.put_pod(pod(1))
    assert [one["metadata"]["uid"] for _, one in cache.running_pods()] == ["pod-0"]


def test_of_a_finished_run_only_what_its_removal_needs_is_kept() -> None:
    cache = filled()
    status = {"phase": "Succeeded", "completionTime": "2026-11-24T10:00:00Z"}
    document = training_job_document(status)
    document["metadata"]["resourceVersion"] = "900"
    assert cache.put_training_job(document)
    assert cache.pods(UID) == []
    assert not cache.put_pod(running(version=901))
    training_job = cache.training_job(KEY)
    assert training_job is not None
    metadata = job()["metadata"]
    kept = {"name": JOB_NAME, "uid": metadata["uid"], "labels": {names.UID_LABEL: UID}}
    assert cache.job(training_job) == {"metadata": {**kept, "resourceVersion": "200"}}
    assert not cache.put_job(job(version=902))
    assert cache.job(training_job) == {"metadata": {**kept, "resourceVersion": "902"}}


def test_a_finished_run_and_its_job_take_about_three_kilobytes() -> None:
    status = {
        "phase": "Succeeded",
        "model": "churn",
        "jobName": JOB_NAME,
        "startTime": "2026-11-24T09:00:00Z",
        "completionTime": "2026-11-24T10:00:00Z",
        "message": "a message " * 20,
    }
    text = json.dumps([training_job_document(status), job()])
    cache = Cache()
    tracemalloc.start()
    try:
        for number in range(1000):
            # Each has strings of its own, as from the API server.
            own = text.replace(UID, f"{number:036}").replace(JOB_NAME, f"job-{number}")
            document, its_job = json.loads(own.replace('"churn"', f'"run-{number}"'))
            assert cache.put_training_job(document)
            assert cache.put_job(its_job)
        (kept, _) = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept / 1000 < 3_300
