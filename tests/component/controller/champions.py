"""Champions of a ModelLab: the test plays the trainer, its gate and the end of each run."""

from datetime import UTC, datetime
from typing import Any

from trainyard_schema import (
    CurrentPointer,
    ModelStatus,
    ModelType,
    RunResult,
    TransitionRecord,
    VersionKey,
)
from trainyard_schema.artifacts import champion_key, history_prefix

from ...manifests import manifest_of
from ..object_store import BUCKET, S3Server
from .models import ModelLab

XGBOOST = ModelType.XGBOOST


def version_of(day: int) -> str:
    return f"202611{day:02}T030500Z-000000{day:02}"


V1, V2, V3, V4 = map(version_of, (1, 2, 3, 4))


class ChampionLab:
    """What becomes of a Model's versions."""

    def __init__(self, models: ModelLab) -> None:
        self.models = models

    @property
    def s3(self) -> S3Server:
        return self.models.lab.s3

    def file(self, name: str, version: str, **more: Any) -> VersionKey:
        """A version in the object store."""
        key = VersionKey(name, XGBOOST, version)
        manifest = manifest_of(key, **{"trainingJob": f"lab/by-hand-{version[:8]}", **more})
        self.s3.put(key.prefix + "model.ubj", "x")
        self.s3.put(key.manifest, manifest.to_json())
        return key

    def train(self, name: str, version: str, *, passed: bool = True, **verdict: Any) -> str:
        """A run that files a version and has it judged. Returns the run's name."""
        run = self.start(name, version)
        self.end(name, run, version, passed=passed, **verdict)
        return run

    def start(self, name: str, version: str) -> str:
        self.models.retrain(name, version)

        def started() -> str | None:
            status = self.models.status(name)
            if status.last_handled_retrain != version or not status.active:
                return None
            return status.active[0]

        return self.models.wait(f"{name} trains", started)

    def end(
        self, name: str, run: str, version: str, *, passed: bool = True, **verdict: Any
    ) -> None:
        """The trainer has filed its version, and the TrainingJob has ended with this verdict.

        Also while no operator runs.
        """
        result = self.result(name, run, version, passed=passed, **verdict).to_dict()
        status = {
            "phase": "Succeeded",
            "completionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "models": [result["version"]],
            "metrics": result["metrics"],
            "verdicts": [result["verdict"]],
        }
        lab = self.models.lab
        lab.rest.patch(f"{lab.training_jobs}/{run}/status", {"status": status})

    def result(
        self, name: str, run: str, version: str, *, passed: bool = True, **verdict: Any
    ) -> RunResult:
        """What the run's pod says in the end; its version is in the store by then."""
        key = self.file(name, version)
        compared = self.models.lab.training_job(run)["spec"].get("champion")
        return RunResult.model_validate(
            {
                "modelType": XGBOOST,
                "version": {
                    "modelType": XGBOOST,
                    "version": version,
                    "uri": f"s3://{BUCKET}/{key.prefix}",
                    "sha256": "ab" * 32,
                    "sizeBytes": 1,
                    "current": False,
                    "durationSeconds": 1.5,
                },
                "metrics": [
                    {"modelType": XGBOOST, "name": "roc_auc", "value": "0.84", "split": "holdout"}
                ],
                "verdict": {
                    "modelType": XGBOOST,
                    "version": version,
                    "passed": passed,
                    **({"champion": compared} if compared else {}),
                    **verdict,
                },
            }
        )

    def judged(self, name: str, version: str, outcome: str) -> ModelStatus:
        """The status once this has become of a version."""

        def look() -> ModelStatus | None:
            status = self.models.status(name)
            last = status.last_verdict
            return status if last and (last.version, last.outcome) == (version, outcome) else None

        return self.models.wait(f"{version} is {outcome}", look)

    def champion(self, name: str, version: str, transition: int) -> ModelStatus:
        """The status once this version is the champion, and published as such."""

        def look() -> ModelStatus | None:
            status = self.models.status(name)
            now = status.champion
            if now is None or (now.version, now.transition) != (version, transition):
                return None
            # Of the same reading: the status of a moment later says more than this one.
            return status if _published(status)[0] == "True" else None

        status = self.models.wait(f"{version} is the champion", look)
        pointer = self.pointer(name)
        assert pointer is not None
        assert (pointer.version, pointer.transition) == (version, transition)
        return status

    def reign(self, name: str, *versions: str) -> None:
        """Have versions trained one after the other, each of which becomes the champion."""
        for number, version in enumerate(versions, 1):
            self.train(name, version)
            self.champion(name, version, number)

    def published(self, name: str) -> tuple[str, str, str]:
        return _published(self.models.status(name))

    def pointer(self, name: str) -> CurrentPointer | None:
        body = self.s3.get(champion_key(name))
        return None if body is None else CurrentPointer.model_validate_json(body)

    def history(self, name: str) -> list[TransitionRecord]:
        keys = self.s3.keys(history_prefix(name))
        bodies = [self.s3.get(key) for key in keys]
        return [TransitionRecord.model_validate_json(body) for body in bodies if body is not None]

    def versions(self, name: str) -> list[str]:
        found = (VersionKey.from_manifest_key(key) for key in self.s3.keys(f"models/{name}/"))
        return [key.version for key in found if key is not None]


def _published(status: ModelStatus) -> tuple[str, str, str]:
    for one in status.conditions:
        if one.type == "Published":
            return one.status, one.reason, one.message
    return "Unknown", "", ""
