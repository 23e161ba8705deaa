"""Trainings and their logs as they go on."""

import itertools
from collections.abc import Iterator
from threading import Event

import pytest
from trainyard_client import Client, NotFoundError, WaitTimeoutError, waiting

from .api import Answer, Api, Request, event, job, problem

JOB = "GET /api/v1/jobs/churn"
DONE = job(status="completed", phase="Succeeded")


def test_each_change_until_the_end(api: Api, client: Client) -> None:
    stream = [event("job", job(), "1"), event("job", job(stage="Training"), "2")]
    stream += [event("job", DONE, "3"), event("end", "")]
    api.answers(JOB, Answer(200, job()))
    api.answers(f"{JOB}/events", Answer(200, iter([b": hello\n\n", *stream])))
    found = list(client.jobs.watch("churn"))
    assert [one.stage for one in found] == [None, "Training", None]
    assert found[-1].ended
    assert len(api.requests) == 2


def test_a_stream_that_breaks_goes_on_from_the_last_event(api: Api, client: Client) -> None:
    streams = iter([[event("job", job(), "7")], [event("job", DONE, "8")]])
    api.answers(JOB, Answer(200, job()))
    api.routes[f"{JOB}/events"] = lambda _: Answer(200, iter(next(streams)))
    assert client.jobs.wait("churn").status == "completed"
    first, second = api.asked(f"{JOB}/events")
    assert "last-event-id" not in first.headers
    assert second.headers["last-event-id"] == "7"


def test_where_there_are_no_events_it_is_asked_by_etag(
    api: Api, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.01)
    questions = itertools.count()

    def answer(request: Request) -> Answer:
        number = next(questions)
        if number in (2, 3):
            assert request.headers["if-none-match"] == '"1"'
            return Answer(304)
        return Answer(200, DONE if number > 3 else job(), {"ETag": '"1"'})

    api.routes[JOB] = answer
    assert [one.status for one in client.jobs.watch("churn")] == ["running", "completed"]


def test_waiting_ends_in_time_however_silent_the_stream(api: Api, client: Client) -> None:
    silent = Event()

    def comments() -> Iterator[bytes]:
        while not silent.wait(0.05):
            yield b": keep-alive\n\n"

    api.answers(JOB, Answer(200, job()))
    api.routes[f"{JOB}/events"] = lambda _: Answer(200, comments())
    with pytest.raises(WaitTimeoutError, match=r"0\.2 s"):
        client.jobs.wait("churn", timeout=0.2)
    silent.set()


def test_several_at_once(api: Api, client: Client) -> None:
    for name in ("a", "b"):
        api.answers(f"GET /api/v1/jobs/{name}", Answer(200, DONE | {"job_id": name}))
    assert {one.job_id for one in client.jobs.watch("a", "b")} == {"a", "b"}


def test_one_that_is_not_there(api: Api, client: Client) -> None:
    api.answers(JOB, problem(404, "There is no training job churn."))
    with pytest.raises(NotFoundError, match="There is no training job churn"):
        client.jobs.wait("churn")


def test_one_that_is_deleted_meanwhile(api: Api, client: Client) -> None:
    api.answers(JOB, Answer(200, job()), problem(404, "There is no training job churn."))
    api.answers(f"{JOB}/events", Answer(200, iter([event("end", "")])))
    with pytest.raises(NotFoundError):
        client.jobs.wait("churn")


def test_the_log_so_far(api: Api, client: Client) -> None:
    api.answers(f"{JOB}/logs", Answer(200, "one\ntwo, with ü\n".encode()))
    assert list(client.jobs.logs("churn", model_type="xgboost")) == ["one", "two, with ü"]
    assert api.requests[0].query == {"model_type": ["xgboost"]}


def test_the_log_as_it_grows(api: Api, client: Client) -> None:
    streams = iter(
        [[event("line", "one", "1")], [event("line", "two", "2"), event("end", "")]],
    )
    api.routes[f"{JOB}/logs"] = lambda _: Answer(200, iter(next(streams)))
    assert list(client.jobs.logs("churn", follow=True)) == ["one", "two"]
    assert [one.headers.get("last-event-id") for one in api.requests] == [None, "1"]
