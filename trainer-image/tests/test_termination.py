import pytest
from trainyard_schema import Metric, ModelType, ModelVersion, Reason, RunResult, Verdict
from trainyard_trainer.termination import failure, fit


def test_a_long_message_is_cut_to_fit() -> None:
    text = fit(failure(Reason.INVALID_DATA, "é€" * 3000))
    assert len(text.encode()) < 4096
    result = RunResult.model_validate_json(text)
    assert result.reason == Reason.INVALID_DATA
    assert result.message.endswith("…")


def test_a_short_one_stays() -> None:
    result = failure(Reason.DATA_NOT_FOUND, "no such object")
    assert RunResult.model_validate_json(fit(result)) == result


def _judged(text: str, uri: str) -> RunResult:
    """As long as a result can be: ten metrics, eight reasons, and a URI of a champion."""
    version = "20261123T141920Z-03fcd70a"
    return RunResult(
        model_type=ModelType.RANDOM_FOREST,
        version=ModelVersion(
            model_type=ModelType.RANDOM_FOREST,
            version=version,
            uri=f"s3://{'b' * 63}/models/{'m' * 63}/random-forest/{version}/",
            sha256="f" * 64,
            size_bytes=10**15,
            current=False,
            duration_seconds=123456.789,
        ),
        metrics=[
            Metric(
                model_type=ModelType.RANDOM_FOREST,
                name="balanced_accuracy_std",
                value="-1.23457e-05",
                split="cross-validation",
            )
        ]
        * 10,
        verdict=Verdict(
            model_type=ModelType.RANDOM_FOREST,
            version=version,
            passed=False,
            undecided=True,
            reasons=[text] * 8,
            metric="balanced_accuracy",
            value="0.123457",
            champion=uri,
            champion_value="0.123457",
            lower_bound="-1.23457e-05",
        ),
    )


@pytest.mark.parametrize("letter", ["x", "é", "😀", "\x01"])
def test_the_longest_verdict_fits(letter: str) -> None:
    result = _judged(letter * 256, "s3://bucket/" + "k" * 200 + "/")
    text = fit(result)
    assert len(text.encode()) < 4096
    found = RunResult.model_validate_json(text)
    assert found.verdict is not None
    assert result.verdict is not None
    assert len(found.verdict.reasons) == 8
    assert all(reason.startswith(letter) for reason in found.verdict.reasons)
    kept = {"reasons": result.verdict.reasons}
    assert found.model_copy(update={"verdict": found.verdict.model_copy(update=kept)}) == result


def test_even_beside_a_uri_that_takes_all_room() -> None:
    result = _judged("x" * 256, "s3://bucket/" + "😀" * 1000 + "/")
    text = fit(result)
    assert len(text.encode()) < 4096
    found = RunResult.model_validate_json(text)
    assert found.version == result.version
    assert found.verdict is not None
    assert not found.verdict.passed
