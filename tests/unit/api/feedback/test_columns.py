"""Which rows fit the columns of a version."""

from typing import Any

import pytest
from trainyard_api.feedback.columns import Columns, Kind, Row, VersionSchema, errors

NUMBER, BOOLEAN, TIME, CATEGORY = Kind


def columns(classes: list[Any] = ["no", "yes"], **kinds: Kind) -> Columns:  # noqa: B006
    features = [{"name": name, "kind": kind} for name, kind in (kinds or {"age": NUMBER}).items()]
    told = {"modelType": "xgboost", "task": "t", "target": "churned", "threshold": 0.5}
    schema = VersionSchema.model_validate({**told, "classes": classes, "features": features})
    return Columns.of(schema, excluded=["customer_id"])


def row(outcome: Any = "yes", prediction: Any = None, **features: Any) -> Row:
    return Row(features=features, prediction=prediction, outcome=outcome)


def problems(columns: Columns, *rows: Row) -> dict[str, str]:
    return {error.field: error.message for error in errors(columns, rows)}


@pytest.mark.parametrize(
    ("kind", "fitting", "wrong"),
    [
        (NUMBER, [1, -2.5, 2**70], [True, "1", [1], {}, float("nan"), float("inf"), 10**400]),
        (BOOLEAN, [True, False], [0, 1.0, "true", []]),
        (
            TIME,
            ["2026-11-23", "2026-11-23T10:30:00Z", "2026-11-23 10:30:00.123+02:00"],
            [1, "yesterday", "", "2026-13-01", "0001-01-01T00:00:00+10:00", True],
        ),
        (CATEGORY, ["", "007", 'é\n,"'], [7, True, "a\0b", "\ud800", ["a"]]),
    ],
)
def test_values_by_kind(kind: Kind, fitting: list[Any], wrong: list[Any]) -> None:
    for value in [*fitting, None]:
        assert problems(columns(x=kind), row(x=value)) == {}
    for value in wrong:
        found = problems(columns(x=kind), row(x=value))
        assert found["rows.0.features.x"].startswith("must be "), value


def test_the_row_and_the_field_are_named() -> None:
    found = problems(
        columns(age=NUMBER, plan=CATEGORY),
        row(age=1, plan="basic"),
        row(age="old", extra=1, customer_id=7),
        row(outcome=None, age=None, plan=None, customer_id={}),
    )
    assert list(found) == [
        "rows.1.features.plan",
        "rows.1.features.age",
        "rows.1.features.extra",
        "rows.2.features.customer_id",
        "rows.2.outcome",
    ]
    assert "is missing" in found["rows.1.features.plan"]
    assert "schema.json" in found["rows.1.features.extra"]


def test_no_more_than_twenty_and_no_long_names() -> None:
    found = errors(columns(), [row(**{"x" * 10_000: 1}) for _ in range(1000)])
    assert len(found) == 20
    assert max(len(error.field) for error in found) < 120


@pytest.mark.parametrize(
    ("classes", "kind", "fitting", "wrong"),
    [
        (["no", "yes"], CATEGORY, ["yes"], ["Yes", " yes", 1, True, ["yes"], {}]),
        ([0, 1], NUMBER, [0, 1.0], [2, True, "1"]),
        ([False, True], BOOLEAN, [True], [1, "true"]),
        ([], NUMBER, [17.5, -3], [True, "17", float("nan")]),
    ],
)
def test_outcomes_and_predictions_are_what_the_version_knows(
    classes: list[Any], kind: Kind, fitting: list[Any], wrong: list[Any]
) -> None:
    known = columns(classes)
    assert known.target.kind is kind
    for value in fitting:
        assert problems(known, row(value, value, age=1)) == {}
    for value in wrong:
        assert list(problems(known, row(value, value, age=1))) == [
            "rows.0.prediction",
            "rows.0.outcome",
        ]


def test_versions_whose_rows_can_be_in_one_table_have_one_digest() -> None:
    first = columns(a=NUMBER, b=CATEGORY)
    assert columns(b=CATEGORY, a=NUMBER).digest == first.digest
    assert columns(["no", "perhaps", "yes"], a=NUMBER, b=CATEGORY).digest == first.digest
    others = [columns(a=NUMBER), columns(a=NUMBER, b=NUMBER), columns([0, 1], a=NUMBER, b=CATEGORY)]
    assert len({one.digest for one in [first, *others]}) == 4
    assert Columns.model_validate(first.model_dump(mode="json")) == first


def test_classes_stay_what_they_are_in_json() -> None:
    for classes in ([0, 1], [0.5, 1.5], [False, True], ["0", "a"]):
        kept = Columns.model_validate_json(columns(classes).model_dump_json()).classes
        assert [(type(one), one) for one in kept] == [(type(one), one) for one in classes]
