"""What the cluster tests say about Models."""

import json
import secrets
from typing import Any

from trainyard_devtools.kube import Kube
from trainyard_schema import (
    CurrentPointer,
    Manifest,
    ModelStatus,
    ModelType,
    Phase,
    TransitionRecord,
    VersionKey,
    names,
)
from trainyard_schema.artifacts import champion_key, history_prefix

from .store import keys, read


class LiveModel:
    """A Model in the cluster; `training` is the spec of its TrainingJobs."""

    def __init__(self, kube: Kube, training: dict[str, Any], **spec: Any) -> None:
        self.kube = kube
        self.name = f"test-model-{secrets.token_hex(3)}"
        self._retrained = 0
        kube.apply(
            {
                "apiVersion": names.API_VERSION,
                "kind": names.MODEL_KIND,
                "metadata": {"name": self.name},
                "spec": {"template": {"spec": training}, **spec},
            }
        )

    @property
    def status(self) -> ModelStatus:
        text = self.kube.kubectl("get", "model", self.name, "-o", "json")
        return ModelStatus.from_stored(json.loads(text).get("status", {}))

    def until(self, path: str, value: object, timeout: int = 300) -> ModelStatus:
        """The status once a field has a value."""
        wanted = f"--for=jsonpath={{.status.{path}}}={value}"
        self.kube.kubectl("wait", f"model/{self.name}", wanted, f"--timeout={timeout}s")
        return self.status

    def annotate(self, **annotations: str) -> None:
        pairs = [f"{names.GROUP}/{key}={value}" for key, value in annotations.items()]
        self.kube.kubectl("annotate", "model", self.name, *pairs, "--overwrite")

    def request(self, **template: Any) -> str:
        """Train with these fields in the TrainingJob's spec; the name of the run."""
        # A merge patch would keep what is not named.
        patch = [
            {"op": "add", "path": f"/spec/template/spec/{field}", "value": value}
            for field, value in template.items()
        ]
        self.kube.kubectl("patch", "model", self.name, "--type=json", "-p", json.dumps(patch))
        self._retrained += 1
        self.annotate(retrain=str(self._retrained))
        self.until("lastHandledRetrain", self._retrained)
        uid = self.kube.kubectl("get", "model", self.name, "-o", "jsonpath={.metadata.uid}")
        return names.requested_run_name(self.name, uid, str(self._retrained))

    def retrain(self, **template: Any) -> ModelStatus:
        """Train with these; the status once it was decided about the run."""
        run = self.request(**template)
        status = self.until("lastVerdict.run", run)
        assert status.last_run is not None
        assert (status.last_run.name, status.last_run.phase) == (run, Phase.SUCCEEDED)
        return status

    def champion(self, transition: int) -> str:
        """The champion's version, once the store names it."""
        status = self.until("published", transition, timeout=120)
        assert status.champion is not None
        assert status.champion.transition == transition
        pointer = CurrentPointer.model_validate_json(read(self.kube, champion_key(self.name)))
        assert (pointer.version, pointer.transition) == (status.champion.version, transition)
        assert pointer.uri == status.champion.uri
        return pointer.version

    def history(self) -> list[TransitionRecord]:
        found = keys(self.kube, history_prefix(self.name))
        return [TransitionRecord.model_validate_json(read(self.kube, key)) for key in found]

    def manifest(self, version: str) -> Manifest:
        key = VersionKey(self.name, ModelType.XGBOOST, version).manifest
        return Manifest.model_validate_json(read(self.kube, key))
