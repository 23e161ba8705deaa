"""Commands about trainings: what they ask the API for, and what they print."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from trainyard_client.cli.progress import plain_line
from trainyard_client.views import Job
from trainyard_devtools.repo import ROOT

from .api import Answer, Api, event, job, problem
from .cli import Done, Trainyard

JOBS, ONE = "/api/v1/jobs", "GET /api/v1/jobs/churn"
METRICS = [
    {"model_type": "xgboost", "name": "log_loss", "value": 0.41, "split": "holdout"},
    {"model_type": "neural-net", "name": "log_loss", "value": 0.39, "split": "holdout"},
    {"model_type": "xgboost", "name": "roc_auc", "value": None, "split": "holdout"},
]
VERSION = {
    "model_type": "xgboost",
    "version": "20261120T100000Z-0a1b2c3d",
    "uri": "s3://trainyard/models/churn/xgboost/20261120T100000Z-0a1b2c3d/",
    "sha256": "00",
    "size_bytes": 1234567,
    "current": True,
    "duration_seconds": 3.2,
}
DONE = job(status="completed", phase="Succeeded", metrics=METRICS, models=[VERSION])
FAILED = job(
    status="failed", phase="Failed", reason="OOMKilled", message="raise resources.limits.memory"
)


@pytest.fixture(autouse=True)
def address(api: Api, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINYARD_URL", api.url)


def page(*jobs: dict[str, Any]) -> Answer:
    return Answer(200, {"items": list(jobs), "next_cursor": None})


def test_a_list_is_a_table_without_colours(api: Api, trainyard: Trainyard) -> None:
    api.answers(f"GET {JOBS}", page(DONE, job("other")))
    done = trainyard("list", "--model", "churn", "-s", "running")
    title, first, second = done.out.splitlines()
    assert title.split() == ["NAME", "MODEL", "TYPE", "STATUS", "PROGRESS", "METRIC", "AGE"]
    assert first.split()[2:7] == ["xgboost", "completed", "100", "%", "log_loss=0.3900"]
    assert second.split()[3:7] == ["running", "0", "%", "-"]
    assert api.requests[0].query["status"] == ["running"]


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_list_as_a_document_has_all_that_the_api_said(
    api: Api, trainyard: Trainyard, form: str
) -> None:
    api.answers(f"GET {JOBS}", page(job(dreams=["of", "more"])))
    document = yaml.safe_load(trainyard("list", "-o", form).out)
    assert document["items"][0]["dreams"] == ["of", "more"]


def test_a_list_of_names_is_for_scripts(api: Api, trainyard: Trainyard) -> None:
    api.answers(f"GET {JOBS}", page(job("a"), job("b"), job("c")))
    assert trainyard("list", "-o", "name", "--limit", "2").out == "a\nb\n"
    api.answers(f"GET {JOBS}", page())
    assert trainyard("list", "-o", "name") == Done(0, "", "")
    assert trainyard("list") == Done(0, "", "No trainings.\n")


def test_all_about_one(api: Api, trainyard: Trainyard) -> None:
    api.answers(ONE, Answer(200, DONE))
    done = trainyard("status", "churn")
    assert "Status:  completed\n" in done.out
    assert "HOLDOUT    XGBOOST   NEURAL-NET\nlog_loss   0.4100    0.3900\n" in done.out
    assert f"xgboost   yes       1.2 MB   {VERSION['uri']}\n" in done.out
    assert json.loads(trainyard("status", "churn", "-o", "json").out)["metrics"] == METRICS


def test_the_place_of_one_that_waits(api: Api, trainyard: Trainyard) -> None:
    place: dict[str, Any] = {"position": 3, "length": 17, "estimated_start_time": None}
    api.answers(ONE, Answer(200, job(phase="Queued", queue=place)))
    assert "Queue:   3 of 17\n" in trainyard("status", "churn").out
    place["estimated_start_time"] = "2026-11-23T10:32:00Z"
    api.answers(ONE, Answer(200, job(phase="Queued", queue=place)))
    said = "Queue:   3 of 17, estimated start 2026-11-23 10:32 UTC\n"
    assert said in trainyard("status", "churn").out


def test_each_of_several_model_types(api: Api, trainyard: Trainyard) -> None:
    types = [
        {"model_type": "xgboost", "phase": "Running", "stage": "Training", "percent": 40,
         "attempts": 1},
        {"model_type": "neural-net", "phase": "Failed", "reason": "OOMKilled", "message": "killed"},
    ]  # fmt: skip
    raised = {"model_types": ["xgboost"], "memory": "2Gi", "time": "2026-11-20T10:00:00Z"}
    api.answers(ONE, Answer(200, job(model_types=types, oom_retries=[raised])))
    lines = [line.split() for line in trainyard("status", "churn").out.splitlines()]
    assert ["Memory:", "raised", "to", "2Gi"] in lines
    assert ["xgboost", "Running", "Training", "40", "1", "-"] in lines
    assert ["neural-net", "Failed", "-", "-", "-", "OOMKilled:", "killed"] in lines


def test_what_the_api_says_does_not_steer_the_terminal(api: Api, trainyard: Trainyard) -> None:
    api.answers(ONE, Answer(200, job(message="\x1b[2Jgone [bold]not markup[/bold]")))
    assert "\ufffd[2Jgone [bold]not markup[/bold]" in trainyard("status", "churn").out
    api.answers(f"{ONE}/logs", Answer(200, b"\x1b]0;title\x07 line\n"))
    assert trainyard("logs", "churn").out == "\ufffd]0;title\ufffd line\n"


def test_submit_from_options(api: Api, trainyard: Trainyard) -> None:
    api.answers(f"POST {JOBS}", Answer(202, job("churn-xgb")))
    done = trainyard(
        *("submit", "churn-xgb", "-t", "all", "--data", "s3://trainyard/churn.csv"),
        *("--target", "churned", "--exclude", "id", "--exclude", "name", "--model", "churn"),
        *("-p", "xgboost.max_depth=6", "-p", "neural-net.layers=[8, 8]", "--memory", "2Gi"),
        *("--folds", "5", "--overwrite", "--idempotency-key", "k"),
    )
    assert api.requests[0].json == {
        "name": "churn-xgb",
        "spec": {
            "modelType": "all",
            "data": {
                "uri": "s3://trainyard/churn.csv",
                "target": "churned",
                "exclude": ["id", "name"],
            },
            "model": "churn",
            "hyperparameters": {"xgboost": {"max_depth": 6}, "neural-net": {"layers": [8, 8]}},
            "crossValidation": {"folds": 5},
            "overwrite": True,
            "resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "2Gi"}},
        },
    }
    assert api.requests[0].headers["idempotency-key"] == "k"
    assert done.out == ""
    assert "  trainyard watch churn-xgb " in done.err


@pytest.mark.parametrize(
    ("words", "model"), [([], "churn"), (["-m", "mine"], "mine"), (["run-1"], None)]
)
def test_the_model_is_named_by_the_table(
    api: Api, trainyard: Trainyard, words: list[str], model: str | None
) -> None:
    api.answers(f"POST {JOBS}", Answer(202, job()))
    trainyard("submit", *words, "-d", "s3://trainyard/datasets/churn.csv", "--target", "churned")
    assert api.requests[0].json["spec"].get("model") == model


def test_the_next_commands_are_those_of_the_plugin(api: Api, trainyard: Trainyard) -> None:
    api.answers(f"POST {JOBS}", Answer(202, job()))
    words = ("submit", "-d", "s3://trainyard/churn.csv", "--target", "churned")
    done = trainyard(*words, program="kubectl-trainyard")
    assert "  kubectl trainyard logs -f churn " in done.err
    assert trainyard(*words, "-o", "name") == Done(0, "churn\n", "")


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("examples/*.yaml")), ids=lambda path: str(path.name)
)
def test_submit_the_examples(api: Api, trainyard: Trainyard, path: Path) -> None:
    api.answers(f"POST {JOBS}", Answer(202, job()))
    documents = list(yaml.safe_load_all(path.read_text()))
    done = trainyard("submit", "-f", path, "-o", "name")
    if any(one["kind"] == "Model" for one in documents):
        assert (done.code, api.requests) == (1, [])
        assert "kubectl apply -f" in done.err
        return
    sent = [one.json for one in api.requests]
    assert [one["name"] for one in sent] == [one["metadata"]["name"] for one in documents]
    # Numbers of quantities are text for Kubernetes; all else is as it was written.
    assert [one["spec"]["data"] for one in sent] == [one["spec"]["data"] for one in documents]
    assert [set(one["spec"]) for one in sent] == [set(one["spec"]) for one in documents]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no TrainingJob in it"),
        ("a: [", "this is no YAML"),
        ("[1]", "something else stands where a TrainingJob is wanted"),
        ("kind: Pod", "a Pod stands where"),
        ("{kind: TrainingJob, metadata: {labels: {a: b}}}", "metadata.labels cannot be set"),
        ("{kind: TrainingJob, spec: {modelType: tree}}", "spec.modelType"),
        ("{kind: TrainingJob, metadata: 3}", "metadata"),
    ],
)
def test_a_file_that_makes_no_sense(
    api: Api, trainyard: Trainyard, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(text)
    done = trainyard("submit", "-f", path)
    assert done.code in (1, 2)
    assert said in done.err
    assert str(path) in done.err
    assert api.requests == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "s3://b/c.csv"), "Give --data and --target"),
        (("--target", "y", "-d", "s3://trainyard/c.csv", "-p", "depth"), "write NAME=VALUE"),
        (("--target", "y", "-d", "s3://trainyard/c.csv", "-t", "tree"), "spec.modelType"),
        (("--target", "y", "-d", "none.csv"), "none.csv: No such file"),
        (("-f", "x.yaml", "--target", "y"), "-f says all"),
        (("-f", "none.yaml"), "none.yaml: No such file"),
        (("--frobnicate",), "No such option"),
    ],
)
def test_wrong_usage(api: Api, trainyard: Trainyard, words: tuple[str, ...], said: str) -> None:
    done = trainyard("submit", *words)
    assert done.code in (1, 2)
    assert said in done.err
    assert api.requests == []


def test_a_local_table_is_uploaded_first(api: Api, trainyard: Trainyard, home: Path) -> None:
    table = home / "churn.csv"
    table.write_text("a,churned\n1,0\n")
    uri = "s3://trainyard/datasets/churn/ab.csv"
    api.answers("POST /api/v1/datasets", Answer(201, {"id": "ab", "name": "churn", "uri": uri}))
    api.answers(f"POST {JOBS}", Answer(202, job()))
    assert trainyard("submit", "--data", table, "--target", "churned").code == 0
    assert api.requests[0].body == table.read_bytes()
    assert api.requests[1].json["spec"]["data"]["uri"] == uri


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (DONE, 0, "log_loss   0.4100"),
        (FAILED, 3, "churn failed: OOMKilled: raise resources.limits.memory"),
        (job(status="cancelled", phase="Cancelled"), 4, "churn cancelled"),
    ],
)
def test_the_exit_code_tells_the_end(
    *, api: Api, trainyard: Trainyard, end: dict[str, Any], code: int, said: str
) -> None:
    api.answers(f"POST {JOBS}", Answer(202, job()))
    api.answers(
        ONE,
        Answer(
            200,
            job(
                progress={"percent": 40, "unit": "rounds", "done": 4, "total": 10, "eta_seconds": 6}
            ),
        ),
    )
    api.routes[f"{ONE}/events"] = lambda _: Answer(200, iter([event("job", end)]))
    words = ("submit", "-d", "s3://trainyard/churn.csv", "--target", "churned", "--wait")
    done = trainyard(*words)
    assert done.code == code
    assert said in done.out + done.err
    assert "churn  Running  40 %  4 of 10 rounds, 6 s left\n" in done.out
    silent = trainyard(*words, "-o", "name")
    assert (silent.code, silent.out) == (code, "churn\n")


def test_a_bar_tells_what_is_known_and_that_it_is_old() -> None:
    def told(**progress: Any) -> str:
        document = job(phase="Running", progress={"percent": 40, **progress})
        return plain_line(Job.model_validate(document))

    heard = "2026-11-20T11:00:05+01:00"
    assert told(eta_seconds=64, updated_at=heard) == "churn  Running  40 %  64 s left"
    assert told(done=4, total=10, unit="trees", stale=True, updated_at=heard) == (
        "churn  Running  40 %  4 of 10 trees, not heard since 10:00:05 UTC"
    )


def test_the_exit_code_tells_that_time_is_over(api: Api, trainyard: Trainyard) -> None:
    def silence() -> Iterator[bytes]:
        yield b": nothing\n\n"
        yield b": nothing\n\n"

    api.answers(ONE, Answer(200, job()))
    api.routes[f"{ONE}/events"] = lambda _: Answer(200, silence())
    done = trainyard("watch", "churn", "--timeout", "0.3")
    assert done.code == 5
    assert "Not ended within 0.3 s: churn. They go on." in done.err


def test_watch_without_names_is_about_all_that_go_on(api: Api, trainyard: Trainyard) -> None:
    found = {"running": [job("a")], "started": [job("b", status="started")]}
    api.routes[f"GET {JOBS}"] = lambda request: page(*found[request.query["status"][0]])
    for name in ("a", "b"):
        api.answers(f"GET {JOBS}/{name}", Answer(200, DONE | {"job_id": name}))
    done = trainyard("watch")
    assert done.code == 0
    assert sorted(done.out.splitlines()[:2]) == [
        "a  Succeeded  100 %  Training",
        "b  Succeeded  100 %  Training",
    ]
    found.update(running=[], started=[])
    assert trainyard("watch") == Done(0, "", "No training is going on.\n")


def test_logs_that_are_followed(api: Api, trainyard: Trainyard) -> None:
    lines = [event("line", "one", "1"), event("line", "two", "2"), event("end", "")]
    api.routes[f"{ONE}/logs"] = lambda _: Answer(200, iter(lines))
    assert trainyard("logs", "-f", "churn").out == "one\ntwo\n"


def test_cancel(api: Api, trainyard: Trainyard) -> None:
    api.answers(f"DELETE {JOBS}/churn", Answer(202, job(message="Cancelling")))
    assert trainyard("cancel", "churn") == Done(0, "", "churn: Cancelling\n")
    api.answers(ONE, Answer(200, job(status="cancelled", message="Cancelled")))
    assert trainyard("cancel", "churn", "--wait").err == "churn: Cancelled\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (problem(401, "The token has expired."), "trainyard login URL"),
        (problem(403, "This needs the role admin."), "trainyard token"),
        (problem(429, "One a minute.", Retry_After="60"), "Try again in 60 s."),
        (problem(404, "There is no training job churn."), "error: There is no training job churn."),
        (Answer(404, b"nginx"), "Is the address that of the API's root"),
    ],
)
def test_an_error_says_what_to_do(
    api: Api, trainyard: Trainyard, answer: Answer, said: str
) -> None:
    api.answers(ONE, answer)
    done = trainyard("status", "churn")
    assert (done.code, done.out) == (1, "")
    assert said in done.err


def test_all_wrong_fields_are_named(api: Api, trainyard: Trainyard) -> None:
    errors = [{"field": name, "message": "is wrong"} for name in ("limit", "label")]
    body = {"title": "x", "status": 422, "detail": "…", "errors": errors}
    api.answers(f"GET {JOBS}", Answer(422, body))
    assert trainyard("list").err == "error: limit: is wrong\nlabel: is wrong\n"


def test_what_is_tried_again_is_told(api: Api, trainyard: Trainyard) -> None:
    api.answers(ONE, problem(503, "The cluster is away.", Retry_After="0"), Answer(200, DONE))
    done = trainyard("status", "churn", "-o", "name")
    assert done.out == "churn\n"
    assert "The cluster is away.; trying again in 0.0 s" in done.err
