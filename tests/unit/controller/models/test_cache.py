from trainyard_controller.cache import Cache
from trainyard_controller.models.cache import ModelCache

from .samples import UID, model_document, run_document

KEY = ("lab", "churn")


def test_models_are_known_by_name_and_uid() -> None:
    cache = ModelCache()
    assert cache.put(model_document(version=100))
    assert not cache.put(model_document(version=100))
    assert not cache.put(model_document(version=99, suspend=True))
    assert cache.put(model_document(version=1000, suspend=True))
    assert cache.key_of(UID) == KEY
    cache.drop(KEY, "an-older-uid")
    assert [one.spec["suspend"] for one in cache.models()] == [True]
    cache.drop(KEY, UID)
    assert cache.model(KEY) is None
    assert cache.key_of(UID) is None


def test_created_again_it_is_another_model() -> None:
    cache = ModelCache()
    cache.put(model_document())
    again = model_document()
    again["metadata"] |= {"uid": "another-uid", "resourceVersion": "50"}
    assert cache.put(again)
    assert cache.key_of(UID) is None
    assert cache.key_of("another-uid") == KEY


def test_a_status_of_another_version_keeps_what_was_answered() -> None:
    cache = ModelCache()
    status = {"lastHandledRetrain": "1", "lastRun": {"name": "x", "phase": "FromTheFuture"}}
    cache.put(model_document(status=status))
    one = cache.model(KEY)
    assert one is not None
    assert (one.status.last_handled_retrain, one.status.last_run) == ("1", None)
    assert one.status.observed_generation == 1


def test_the_runs_of_a_model() -> None:
    cache = Cache()
    first = run_document("churn-1", "2026-11-23T03:00:00Z")
    cache.put_training_job(first)
    cache.put_training_job(run_document("churn-2", "2026-11-24T03:00:00Z"))
    assert [one.name for one in cache.runs(UID)] == ["churn-1", "churn-2"]
    cache.drop_training_job(("lab", "churn-2"), "uid-of-churn-2")
    assert [one.name for one in cache.runs(UID)] == ["churn-1"]
    orphan = run_document("churn-1", "2026-11-23T03:00:00Z", version=300)
    del orphan["metadata"]["ownerReferences"]
    cache.put_training_job(orphan)
    assert cache.runs(UID) == []
    assert cache.training_job(("lab", "churn-1")) is not None


def test_of_a_finished_run_is_kept_what_its_model_tells() -> None:
    cache = Cache()
    status = {"phase": "Failed", "reason": "OOMKilled", "message": "more", "jobName": "j"}
    cache.put_training_job(run_document("churn-1", "2026-11-23T03:00:00Z", status=status))
    [one] = cache.runs(UID)
    assert one.status.to_dict() == {
        "phase": "Failed",
        "reason": "OOMKilled",
        "message": "more",
        "conditions": [],
        "metrics": [],
        "models": [],
    }
