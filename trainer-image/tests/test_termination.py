from trainyard_schema import Reason, RunResult
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
