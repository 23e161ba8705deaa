"""Send a file with a bar."""

from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from trainyard_client.cli.output import stderr
from trainyard_client.client import Client
from trainyard_client.views import Dataset


def upload(client: Client, path: Path, name: str | None = None) -> Dataset:
    """Upload a table; on a terminal its progress is shown."""
    out = stderr()
    total = path.stat().st_size if path.is_file() else None
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=out,
        disable=not out.is_terminal,
        transient=True,
    ) as bars:
        task = bars.add_task(f"Uploading {path.name}", total=total)
        return client.datasets.upload(
            path, name=name, progress=lambda count: bars.update(task, advance=count)
        )
