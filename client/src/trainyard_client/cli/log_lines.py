"""Lines of a trainer's log, which are JSON, as they are shown on a terminal."""

import json
from collections.abc import Mapping
from typing import Any, Final

from rich.text import Text

from trainyard_client.cli.output import clean

_LEVELS: Final = {"warning": "yellow", "error": "bold red", "critical": "bold red"}
_TOLD: Final = ("timestamp", "level", "message", "exception")


def readable(line: str) -> Text:
    """`10:00:05 message name=value …`; a line that is no JSON of a trainer as it is."""
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or "message" not in entry:
        return Text(clean(line))
    time = str(entry.get("timestamp", ""))[11:19]
    text = Text()
    if time:
        text.append(clean(time) + " ", "dim")
    text.append(clean(str(entry["message"])), _LEVELS.get(str(entry.get("level")), ""))
    text.append(_details(entry), "dim")
    if exception := entry.get("exception"):
        text.append("\n" + clean(str(exception)))
    return text


def _details(entry: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in entry.items() if name not in _TOLD}
    return clean("".join(f" {name}={_short(value)}" for name, value in rest.items()))


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
