"""Feedback from a file: what is asked of the API for each batch, and what is told of a refusal."""

import json
from pathlib import Path
from typing import Any

import pyarrow.csv
import pytest
from trainyard_client.cli import feedback_rows

from .api import Answer, Api, Request, problem
from .cli import Done, Trainyard

V = "20261121T100000Z-00000001"
POST = "POST /api/feedback"
KINDS = {"age": "number", "code": "category", "member": "boolean", "since": "time"}
HEADER = "customer_id,age,code,member,since,prediction,churned\n"
LINE = "7,31,007,true,2026-11-23T10:00:00Z,no,yes\n"


def schema(*classes: Any, **kinds: str) -> Answer:
    features = [{"name": name, "kind": kind} for name, kind in (kinds or KINDS).items()]
    return Answer(200, {"target": "churned", "classes": list(classes), "features": features})


def kept(request: Request) -> Answer:
    rows = len(request.json["rows"])
    data = {"feedback_id": "f-1", "model": "churn", "version": V, "rows": rows, "written": True}
    return Answer(200, {"success": True, "data": data | {"uri": "s3://trainyard/feedback/"}})


@pytest.fixture(autouse=True)
def yard(api: Api, home: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Model whose champion has predicted."""
    monkeypatch.setenv("TRAINYARD_URL", api.url)
    champion = {"model_type": "xgboost", "version": V}
    model = {"name": "churn", "model_type": "xgboost", "data_uri": "s3://a", "target": "churned"}
    api.answers("GET /api/v1/models/churn", Answer(200, model | {"champion": champion}))
    api.answers(f"GET /api/v1/models/churn/versions/{V}/files/schema.json", schema("no", "yes"))
    api.routes[POST] = kept


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "rows.csv"


def sent(api: Api) -> list[dict[str, Any]]:
    return [row for request in api.asked(POST) for row in request.json["rows"]]


def test_values_are_of_the_kinds_that_the_version_knows(
    api: Api, trainyard: Trainyard, table: Path
) -> None:
    table.write_text("\ufeff" + HEADER + LINE + '8,-.5,"a ""b"",\nc",0,,,no\n', encoding="utf-8")
    done = trainyard("feedback", "--model", "churn", "--input", table)
    assert (done.code, done.out) == (0, f"lines 2 to 4  2 rows kept  version {V}\n")
    assert done.err == "\nNext:\n  trainyard models feedback churn\n"
    [request] = api.asked(POST)
    assert set(request.json) == {"model", "rows"}
    features = {"age": 31, "code": "007", "member": True, "since": "2026-11-23T10:00:00Z"}
    assert sent(api) == [
        {"features": {"customer_id": "7", **features}, "prediction": "no", "outcome": "yes"},
        {
            "features": {
                "customer_id": "8",
                "age": -0.5,
                "code": 'a "b",\nc',
                "member": False,
                "since": None,
            },
            "prediction": None,
            "outcome": "no",
        },
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e3", 1000), (" 2 ", 2), ("9" * 400, "9" * 400), ("1_0", "1_0"), ("inf", "inf")],
)
def test_a_number(api: Api, trainyard: Trainyard, table: Path, text: str, value: Any) -> None:
    api.answers(f"GET /api/v1/models/churn/versions/{V}/files/schema.json", schema(age="number"))
    table.write_text(f"age;churned\n{text};1.5\n")
    assert trainyard("feedback", "-m", "churn", "-i", table).code == 0
    assert sent(api) == [{"features": {"age": value}, "outcome": 1.5}]


def test_what_is_null_and_true_is_so_for_the_trainer_too() -> None:
    options = pyarrow.csv.ConvertOptions()
    assert set(options.null_values) == feedback_rows._NULLS
    booleans = dict.fromkeys(options.true_values, True) | dict.fromkeys(options.false_values, False)
    assert booleans == feedback_rows._BOOLEANS


def test_columns_and_version_by_name(api: Api, trainyard: Trainyard, table: Path) -> None:
    other = "20261122T100000Z-00000002"
    route = f"GET /api/v1/models/churn/versions/{other}/files/schema.json"
    api.answers(route, schema(0, 1, prediction="number"))
    table.write_text("prediction|said|came\n5|1|0\n")
    words = ("feedback", "-m", "churn", "-i", table, "--version", other, "--outcome", "came")
    assert trainyard(*words, "--prediction", "said", "-o", "name").out == "f-1\n"
    assert api.asked(POST)[0].json["version"] == other
    assert sent(api) == [{"features": {"prediction": 5}, "prediction": 1, "outcome": 0}]
    [item] = json.loads(trainyard(*words, "--prediction", "said", "-o", "json").out)["items"]
    assert (item["version"], item["rows"]) == (V, 1)
    # A feature of that name is no prediction.
    refused = trainyard(*words[:5], "--version", other)
    assert refused.code == 2
    assert "has no column churned; say which one has the outcome: --outcome COLUMN" in refused.err


def test_a_target_of_that_name_is_no_prediction(
    api: Api, trainyard: Trainyard, table: Path
) -> None:
    answer = Answer(200, {"target": "prediction", "classes": [True, False], "features": []})
    api.answers(f"GET /api/v1/models/churn/versions/{V}/files/schema.json", answer)
    table.write_text("prediction\ntrue\n")
    assert trainyard("feedback", "-m", "churn", "-i", table).code == 0
    assert sent(api) == [{"features": {}, "outcome": True}]


def test_without_a_model_the_newest_current_version_has_predicted(
    api: Api, trainyard: Trainyard, table: Path
) -> None:
    api.answers("GET /api/v1/models/churn", problem(404, "There is no Model churn."))
    old: dict[str, Any] = {
        "model": "churn",
        "model_type": "xgboost",
        "version": V,
        "uri": "s3://a/",
    }
    old["current"] = True
    items = [old | {"version": "20261122T100000Z-00000002", "current": False}, old]
    api.answers("GET /api/v1/models/churn/versions", Answer(200, {"items": items}))
    table.write_text(HEADER + LINE)
    assert trainyard("feedback", "-m", "churn", "-i", table).code == 0
    api.answers("GET /api/v1/models/churn/versions", Answer(200, {"items": items[:1]}))
    done = trainyard("feedback", "-m", "churn", "-i", table)
    assert done.code == 1
    assert "name one: --version VERSION" in done.err


def test_rows_go_in_batches_under_keys_that_a_repetition_has_again(
    api: Api, trainyard: Trainyard, table: Path
) -> None:
    table.write_text(HEADER + LINE * 2500)
    done = trainyard("feedback", "-m", "churn", "-i", table)
    assert [line.split()[:6] for line in done.out.splitlines()] == [
        ["lines", "2", "to", "1001", "1000", "rows"],
        ["lines", "1002", "to", "2001", "1000", "rows"],
        ["lines", "2002", "to", "2501", "500", "rows"],
    ]
    assert trainyard("feedback", "-m", "churn", "-i", table).code == 0
    keys = [request.headers["idempotency-key"] for request in api.asked(POST)]
    # All rows are alike, and no batch is taken for another one.
    assert len(set(keys[:3])) == 3
    assert keys[:3] == keys[3:]
    bodies = [request.body for request in api.asked(POST)]
    assert bodies[:3] == bodies[3:]
    table.write_text(HEADER + LINE.replace("31", "32") + LINE * 999)
    trainyard("feedback", "-m", "churn", "-i", table)
    trainyard("feedback", "-m", "churn", "-i", table, "--version", V)
    keys += [request.headers["idempotency-key"] for request in api.asked(POST)[6:]]
    assert len(set(keys)) == 5


def test_a_request_has_less_than_4_mib(api: Api, trainyard: Trainyard, table: Path) -> None:
    table.write_text(HEADER + LINE.replace("007", "ü" * 5000) * 900, encoding="utf-8")
    assert trainyard("feedback", "-m", "churn", "-i", table).code == 0
    assert len(sent(api)) == 900
    sizes = [len(request.body) for request in api.asked(POST)]
    assert len(sizes) == 3
    assert max(sizes) < 4 << 20


def test_a_refusal_names_line_and_column(api: Api, trainyard: Trainyard, table: Path) -> None:
    table.write_text(HEADER + LINE * 1000 + "\n" + LINE * 500)
    details = (
        "rows.3.features.age: must be a finite number; rows.3.outcome: must be one of "
        '"no", "yes"; rows.499.prediction: must be one of "no", "yes"'
    )

    def refuse_the_second(request: Request) -> Answer:
        if len(request.json["rows"]) == 1000:
            return kept(request)
        return Answer(422, {"success": False, "error": "Unprocessable", "details": details})

    api.routes[POST] = refuse_the_second
    done = trainyard("feedback", "-m", "churn", "-i", table)
    assert done.code == 1
    assert done.out.startswith("lines 2 to 1001  1000 rows kept")
    assert done.err == (
        "1000 rows are kept by now. When the command is given again, they are not kept twice.\n"
        f"error: {table}, line 1006, column age: must be a finite number\n"
        f'{table}, line 1006, column churned: must be one of "no", "yes"\n'
        f'{table}, line 1502, column prediction: must be one of "no", "yes"\n'
    )


def test_another_refusal(api: Api, trainyard: Trainyard, table: Path) -> None:
    table.write_text(HEADER + LINE)
    details = "model: has no such form"
    refusal = {"success": False, "error": "Unprocessable", "details": details}
    api.answers(POST, Answer(422, refusal))
    done = trainyard("feedback", "-m", "churn", "-i", table)
    assert done == Done(1, "", f"error: {details}\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "has no column churned"),
        (HEADER.encode(), "has no rows"),
        (b"age,churned\n1\n", ", line 2: 1 values, and the header has 2 columns"),
        (b"age,age,churned\n1,2,no\n", "column age occurs more than once"),
        (b'age,churned\n"1"x,no\n', ", line 2: "),
        (b"age,churned\n\xff,no\n", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_table(
    *, api: Api, trainyard: Trainyard, table: Path, content: bytes, told: str
) -> None:
    table.write_bytes(content)
    done = trainyard("feedback", "-m", "churn", "-i", table)
    assert done.code in (1, 2)
    assert told in done.err
    assert api.asked(POST) == []


def test_no_file_and_a_strange_schema(api: Api, trainyard: Trainyard, table: Path) -> None:
    assert "No such file" in trainyard("feedback", "-m", "churn", "-i", table).err
    api.answers(f"GET /api/v1/models/churn/versions/{V}/files/schema.json", Answer(200, {}))
    done = trainyard("feedback", "-m", "churn", "-i", table)
    assert (done.code, "another version of Trainyard" in done.err) == (1, True)


def test_how_right_predictions_were(api: Api, trainyard: Trainyard) -> None:
    moment = "2026-11-20T10:00:00Z"
    one = {
        "version": V,
        "model_type": "xgboost",
        "uri": "s3://trainyard/feedback/",
        "rows": 4,
        "predicted": 3,
        "accuracy": 0.75,
        "mean_absolute_error": None,
        "first_at": moment,
        "last_at": moment,
    }
    route = "GET /api/v1/models/churn/feedback"
    api.answers(route, Answer(200, {"items": [one], "next_cursor": None}))
    title, line = trainyard("models", "feedback", "churn").out.splitlines()
    assert title.split()[:5] == ["VERSION", "TYPE", "ROWS", "PREDICTED", "ACCURACY"]
    assert line.split()[:6] == [V, "xgboost", "4", "3", "0.75", "-"]
    document = json.loads(trainyard("models", "feedback", "churn", "-o", "json").out)
    assert document == {"items": [one]}
    api.answers(route, Answer(200, {"items": [], "next_cursor": None}))
    assert "trainyard feedback --help" in trainyard("models", "feedback", "churn").err
