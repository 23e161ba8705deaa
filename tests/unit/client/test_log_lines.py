"""A trainer's log as people read it."""

import json

import pytest
from trainyard_client.cli.log_lines import readable


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (
            {"rows": 5, "model": "churn", "level": "info", "timestamp": "2026-11-20T10:00:05.1Z"}
            | {"message": "table read"},
            "10:00:05 table read rows=5 model=churn",
        ),
        ({"message": "odd", "exception": "Traceback\n  x"}, "odd\nTraceback\n  x"),
        ({"message": "\x1b[2J", "k": [1, "\x07"]}, '\ufffd[2J k=[1, "\\u0007"]'),
        ({"no": "message"}, '{"no": "message"}'),
        ([1], "[1]"),
    ],
)
def test_an_entry(entry: object, text: str) -> None:
    assert readable(json.dumps(entry)).plain == text


def test_what_is_no_json() -> None:
    assert readable("Killed \x1b[31m").plain == "Killed \ufffd[31m"
