import re
from datetime import timedelta

import pytest
from trainyard_schema.model_crd import model_custom_resource_definition
from trainyard_schema.retraining import CRON_PATTERN, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("30m", 1800), ("1h30m", 5400), ("36h", 129600), ("1h0m5s", 3605)],
)
def test_a_duration(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "30", "h", "1d", "1.5h", "-1h", "1h30"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "0 3 * * *",
        "*/15 * * * *",
        "0 3 1,15 * *",
        "5 0-6/2 * JAN-MAR MON-FRI",
        "00 03 31 12 7",
        "0  3 * * sun",
    ],
)
def test_a_schedule_of_five_fields(text: str) -> None:
    assert re.fullmatch(CRON_PATTERN, text)


@pytest.mark.parametrize(
    "text",
    ["", "@daily", "0 3 * *", "0 0 3 * * *", "60 3 * * *", "0 24 * * *", "0 3 0 * *", "0 3 * 13 *",
     "0 3 * * 8", "0 3 L * *", "0 3 * * MON#1", "*/0 * * * *", "0 3 * * *\n", "TZ=UTC 0 3 * * *"],
)  # fmt: skip
def test_what_is_no_schedule(text: str) -> None:
    assert not re.fullmatch(CRON_PATTERN, text)


def test_rules_that_compare_with_the_past_are_not_in_the_template() -> None:
    # A Model's template may be changed, for it is no run.
    schema = model_custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert "oldSelf" not in str(schema)
    template = schema["properties"]["spec"]["properties"]["template"]["properties"]["spec"]
    assert not {"model", "suspend", "cancel"} & set(template["properties"])
    assert "exclude must not contain the target" in str(template)
