"""What commands print: tables for people, documents for programs, and nothing that is neither."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trainyard_client.views import View

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Wide enough to break nothing: what is no terminal has no width.
_WIDTH: Final = 10_000
_STYLES: Final = {
    "completed": "green",
    "Succeeded": "green",
    "Promoted": "green",
    "Approved": "green",
    "running": "cyan",
    "processing": "cyan",
    "failed": "red",
    "Failed": "red",
    "Rejected": "red",
    "cancelled": "yellow",
    "AwaitingApproval": "yellow",
}


class Output(StrEnum):
    """In which form an answer is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="Form of what is printed.", show_default=True)
]


def console() -> Console:
    """Standard output: with colours and a width if it is a terminal."""
    return _console(sys.stdout)


def stderr() -> Console:
    """Standard error: what is said beside the answer."""
    return _console(sys.stderr)


def _console(file: Any) -> Console:
    width = None if file.isatty() else _WIDTH
    return Console(
        file=file, width=width, highlight=False, markup=False, emoji=False, soft_wrap=True
    )


def say(*lines: str) -> None:
    """Tell something beside the answer: on standard error."""
    stderr().print(*lines, sep="\n")


def clean(text: str) -> str:
    """Text of the API without what would steer a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def print_document(document: Any, output: Output) -> None:
    """Print as JSON or YAML."""
    if output is Output.JSON:
        text = json.dumps(document, indent=2, ensure_ascii=False)
    else:
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120).rstrip()
    sys.stdout.write(text + "\n")


def document_of(view: View) -> dict[str, Any]:
    """A view as the API writes it."""
    document: dict[str, Any] = view.model_dump(mode="json", exclude_unset=True)
    return document


def print_list(
    views: Iterable[View],
    output: Output,
    name: Callable[[Any], str],
    columns: Mapping[str, Callable[[Any], object]],
    empty: str,
) -> None:
    """Print several things: a table of `columns`, their names, or one document of `items`."""
    found = list(views)
    match output:
        case Output.NAME:
            print_names(map(name, found))
        case Output.TABLE if not found:
            say(empty)
        case Output.TABLE:
            rows = [[column(view) for column in columns.values()] for view in found]
            print_table(list(columns), rows)
        case _:
            print_document({"items": [document_of(view) for view in found]}, output)


def print_one(view: View, output: Output, name: str, describe: Callable[[Any], None]) -> None:
    """Print one thing: as `describe` does, its name, or as a document."""
    match output:
        case Output.NAME:
            print_names([name])
        case Output.TABLE:
            describe(view)
        case _:
            print_document(document_of(view), output)


def print_names(names: Iterable[str]) -> None:
    """One name a line, for scripts."""
    for name in names:
        sys.stdout.write(clean(name) + "\n")


def print_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as they need to be."""
    out = console()
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for title in titles:
        # What is copied from a table must not be cut off or broken.
        table.add_column(title, overflow="fold", no_wrap=not out.is_terminal)
    for row in rows:
        table.add_row(*map(cell, row))
    if out.is_terminal:
        out.print(table, soft_wrap=False)
        return
    with out.capture() as captured:
        out.print(table)
    for line in captured.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")


def print_fields(fields: Mapping[str, object]) -> None:
    """Names and values, one a line; what is None is left out."""
    out = console()
    told = {name: value for name, value in fields.items() if value is not None}
    width = max((len(name) for name in told), default=0) + 2
    for name, value in told.items():
        out.print(Text(f"{name}:".ljust(width), style="bold") + cell(value))


def cell(value: object) -> Text:
    """A value as people read it."""
    text = clean(shown(value))
    return Text(text, style=_STYLES.get(text, ""))


def shown(value: object) -> str:
    """A value as text; a time is told as an age."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case datetime():
            return ago(value)
        case _:
            return str(value)


def ago(time: datetime, now: datetime | None = None) -> str:
    """How long ago a time was, as kubectl tells it: 42s, 5m, 3h, 2d; `in 5m` if it is to come."""
    seconds = int(((now or datetime.now(UTC)) - time).total_seconds())
    text = duration(abs(seconds))
    return text if seconds >= 0 else f"in {text}"


def duration(seconds: float) -> str:
    """A duration in its greatest unit that leaves at least two of it."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"


def size(count: float) -> str:
    """A number of bytes as people read it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
