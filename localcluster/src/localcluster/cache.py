"""Expensive results in the user's cache folder, by the hash of what they were made from."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from localcluster.files import locked
from localcluster.layout import cache_root


def key_of(parts: Iterable[str | bytes]) -> str:
    """A key that changes when any of the inputs does."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


def cached_file(name: str, key: str, make: Callable[[Path], None]) -> Path:
    """A file of the cache, made at most once: `make` is given the path to write.

    The file's own hash lies beside it and is compared, so that a damaged one is made again.
    """
    folder = cache_root() / name / key
    target = folder / name
    checksum = folder / "sha256"
    with locked(cache_root() / f"{name}.lock"):
        if target.exists() and checksum.exists() and checksum.read_text() == _sha256(target):
            return target
        temporary = folder.with_name(f"{key}.tmp")
        for stale in (temporary, folder):
            shutil.rmtree(stale, ignore_errors=True)
        temporary.mkdir(parents=True)
        make(temporary / name)
        (temporary / "sha256").write_text(_sha256(temporary / name))
        os.sync()
        temporary.rename(folder)
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
