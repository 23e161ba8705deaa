import pytest
from trainyard_controller.models.objects import RetrainRequest
from trainyard_controller.models.plan import Start
from trainyard_controller.models.run import build_run
from trainyard_controller.objects import TrainingJob
from trainyard_schema import Gate, TrainingJobSpec

from .samples import TEMPLATE, UID, at, champion, model, spec_of


def test_the_whole_training_job() -> None:
    template = {
        **TEMPLATE,
        "metadata": {
            "labels": {"team": "growth", "trainyard.dev/model-uid": "forged"},
            "annotations": {"note": "nightly", "trainyard.dev/requester": "growth-team"},
        },
    }
    one = model(template=template)
    start = Start(
        name="churn-29923380", request=RetrainRequest(value="now"), scheduled_time=at("23T03:00")
    )
    built = build_run(one, spec_of(one), start)
    spec = built.pop("spec")
    assert built == {
        "apiVersion": "trainyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {
            "name": "churn-29923380",
            "namespace": "lab",
            "labels": {
                "team": "growth",
                "app.kubernetes.io/managed-by": "trainyard",
                "trainyard.dev/model-uid": UID,
                "trainyard.dev/model": "churn",
            },
            "annotations": {
                "note": "nightly",
                "trainyard.dev/requester": "growth-team",
                "trainyard.dev/retrain": "now",
                "trainyard.dev/scheduled-time": "2026-11-23T03:00:00Z",
            },
            "ownerReferences": [
                {
                    "apiVersion": "trainyard.dev/v1alpha1",
                    "kind": "Model",
                    "name": "churn",
                    "uid": UID,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
    }
    assert TrainingJobSpec.model_validate(spec) == TrainingJobSpec.model_validate(
        {**TEMPLATE["spec"], "model": "churn", "gate": {}}
    )


def test_a_run_is_judged_by_the_models_gate_against_its_champion() -> None:
    gate = {"metric": "roc_auc", "floor": 0.8, "margin": 0.01}
    status = {"champion": champion().to_dict()}
    one = model(promotion={"gate": gate}, status=status)
    start = Start(name="churn-1", request=None, scheduled_time=None)
    spec = TrainingJobSpec.model_validate(build_run(one, spec_of(one), start)["spec"])
    assert spec.gate == Gate.model_validate(gate)
    assert spec.champion == champion().uri


def test_the_model_asks_for_it_unless_the_template_says_who() -> None:
    one = model()
    start = Start(name="churn-1", request=None, scheduled_time=None)
    annotations = build_run(one, spec_of(one), start)["metadata"]["annotations"]
    assert annotations == {"trainyard.dev/requester": "Model/churn"}


@pytest.mark.parametrize(
    ("mode", "trained", "skips"),
    [(None, "incremental", True), ("incremental", "incremental", True), ("full", "full", False)],
)
def test_a_request_says_how_to_train_and_who_asks(
    mode: str | None, trained: str, skips: bool
) -> None:
    spec = {**TEMPLATE["spec"], "mode": "incremental", "skipIfUnchanged": True}
    annotations = {"trainyard.dev/requester": "growth-team"}
    one = model(template={"spec": spec, "metadata": {"annotations": annotations}})
    request = RetrainRequest(value="now", mode=mode, by="ada")
    start = Start(name="churn-1", request=request, scheduled_time=None)
    built = build_run(one, spec_of(one), start)
    run = TrainingJobSpec.model_validate(built["spec"])
    assert (run.mode, run.skip_if_unchanged) == (trained, skips)
    assert built["metadata"]["annotations"]["trainyard.dev/requester"] == "ada"


def test_a_run_knows_its_model_by_its_owner_and_not_by_a_label() -> None:
    one = model()
    document = build_run(one, spec_of(one), Start(name="a", request=None, scheduled_time=None))
    document["metadata"] |= {
        "uid": "u",
        "resourceVersion": "1",
        "creationTimestamp": "2026-11-23T03:00:00Z",
    }
    assert TrainingJob.from_document(document).model_uid == UID
    document["metadata"]["ownerReferences"][0]["controller"] = False
    assert TrainingJob.from_document(document).model_uid is None
    del document["metadata"]["ownerReferences"]
    assert TrainingJob.from_document(document).model_uid is None
