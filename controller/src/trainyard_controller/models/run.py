"""The TrainingJob that a Model asks for."""

from typing import Any

from trainyard_schema import Gate, ModelSpec, TrainingJobSpec, names

from trainyard_controller.models.objects import Model, RetrainRequest
from trainyard_controller.models.plan import Start, utc


def build_run(model: Model, spec: ModelSpec, start: Start) -> dict[str, Any]:
    """The TrainingJob of one run, as the template says. It goes when the Model does."""
    template = spec.template
    annotations = {
        names.REQUESTER_ANNOTATION: f"{names.MODEL_KIND}/{model.name}",
        **template.metadata.annotations,
    }
    training = dict(template.spec)
    if start.request is not None:
        annotations[names.RETRAIN_ANNOTATION] = start.request.value
        annotations |= _requester(start.request)
        training |= _mode(start.request)
    if start.scheduled_time is not None:
        annotations[names.SCHEDULED_TIME_ANNOTATION] = utc(start.scheduled_time)
    champion = model.status.champion
    run_spec = TrainingJobSpec(
        model=model.name,
        # Even without one of the Model's own, a version must load before it is promoted.
        gate=spec.promotion.gate or Gate(),
        champion=champion.uri if champion else None,
        **training,
    )
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {
            "name": start.name,
            "namespace": model.namespace,
            "labels": {
                **template.metadata.labels,
                names.MANAGED_BY_LABEL: names.MANAGED_BY,
                names.MODEL_UID_LABEL: model.uid,
                names.MODEL_LABEL: names.label_value(model.name),
            },
            "annotations": annotations,
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.MODEL_KIND,
                    "name": model.name,
                    "uid": model.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": run_spec.to_dict(),
    }


def _requester(request: RetrainRequest) -> dict[str, str]:
    return {names.REQUESTER_ANNOTATION: request.by} if request.by else {}


def _mode(request: RetrainRequest) -> dict[str, Any]:
    """What the request changes in the template, for this run only."""
    if request.mode is None:
        return {}
    if request.mode == "full":
        # Who asks for a rebuild wants one, whatever the template spares the schedule.
        return {"mode": "full", "skip_if_unchanged": False}
    return {"mode": request.mode}
