"""Measure, and print what was found: all of it as one JSON object on the last line."""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from trainyard_devtools.steps import console

from .cases import Case, select
from .measure import measure
from .peer import Peer, read_peer


def _measure(cases: list[Case], peer: Peer | None, folder: Path) -> dict[str, dict[str, Any]]:
    """Every figure by its name, and in it by case."""
    figures: dict[str, dict[str, Any]] = defaultdict(dict)
    for case in cases:
        place = folder / str(case)
        place.mkdir()
        for found in measure(case, place, peer):
            for name, value in found.items():
                figures[name][str(case)] = value
                console.print(f"{name:<30} {value}", markup=False)
    return dict(figures)


def main() -> None:
    """Measure in a temporary folder, which is kept when something fails."""
    # What is asked to stop stops its cluster as well.
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda number, _: sys.exit(128 + number))
    try:
        cases = select(os.environ.get("CASES"))
        peer = read_peer(os.environ)
    except ValueError as error:
        sys.exit(str(error))
    folder = Path(tempfile.mkdtemp(prefix="trainyard-bench-scale-"))
    try:
        figures = _measure(cases, peer, folder)
    except BaseException:
        console.print(f"The logs are in {folder}", markup=False)
        raise
    shutil.rmtree(folder)
    print(json.dumps(figures))  # noqa: T201 - plain, whatever the terminal's width


if __name__ == "__main__":
    main()
