"""Filing a version: its files, each read back, then the manifest, which makes it visible, then the
pointer to it.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from trainyard_schema import CurrentPointer, Manifest, VersionKey
from trainyard_schema.artifacts import FingerprintRecord

from trainyard_trainer.errors import TrainerError
from trainyard_trainer.storage import Storage, discard, sha256_of

_log = structlog.get_logger()


class Publication:
    """One version on its way into the store.

    `publish` runs in the main thread, `abandon` in the one that waits for SIGTERM. The lock makes
    one of them win: either the manifest is written, or it never will be.
    """

    def __init__(self, storage: Storage, key: VersionKey) -> None:
        self._storage = storage
        self._bucket = storage.config.bucket
        self._key = key
        self._keys: list[str] = []
        self._decision = threading.Lock()
        self._visible = False
        self._abandoned = False

    @property
    def uri(self) -> str:
        """Where the version's files are; ends in `/`."""
        return f"s3://{self._bucket}/{self._key.prefix}"

    def current(self) -> str | None:
        """The version that `current.json` names now."""
        body = self._storage.get(self._bucket, self._key.current)
        return None if body is None else CurrentPointer.model_validate_json(body).version

    def upload(self, files: Sequence[tuple[Path, str]], on_share: Callable[[float], None]) -> None:
        """Upload files given with their SHA-256, and read each back."""
        for number, (path, sha256) in enumerate(files, 1):
            if self._abandoned:
                return
            key = self._key.prefix + path.name
            self._keys.append(key)
            self._storage.put_verified(self._bucket, key, path, sha256)
            on_share(number / (len(files) + 1))

    def publish(self, manifest: Manifest, path: Path) -> None:
        """Write the manifest: from here on the version exists."""
        path.write_text(manifest.to_json(), encoding="utf-8")
        with self._decision:
            self._storage.put_verified(self._bucket, self._key.manifest, path, sha256_of(path))
            self._visible = True
        _log.info("version published", uri=self.uri)

    def record(self, fingerprint: str) -> None:
        """Let a later run find the version by its fingerprint. It is whole without that, so a
        failure is a warning.
        """
        body = FingerprintRecord(version=self._key.version).to_json().encode()
        try:
            self._storage.put(self._bucket, self._key.fingerprint(fingerprint), body)
        except TrainerError as error:
            _log.warning("the fingerprint is not recorded", error=error.message)

    def make_current(self, manifest: Path, *, overwrite: bool) -> bool:
        """Point `current.json` at this version; without `overwrite` only if there is none. Whether
        it was done.
        """
        pointer = CurrentPointer(
            version=self._key.version,
            uri=self.uri,
            manifest_sha256=hashlib.sha256(manifest.read_bytes()).hexdigest(),
            updated_at=datetime.now(UTC),
        )
        body = pointer.to_json().encode()
        if not overwrite:
            return self._storage.create(self._bucket, self._key.current, body)
        self._storage.put(self._bucket, self._key.current, body)
        return True

    def abandon(self, patience_seconds: float) -> bool:
        """Give the version up and remove its files; True if it is too late for that.

        Keeps the lock, so that no manifest can follow. While the manifest is being written nobody
        knows whether it will be seen, so nothing is removed then: the version is whole either way.
        """
        if not self._decision.acquire(timeout=patience_seconds):
            return True
        if self._visible:
            self._decision.release()
            return True
        self._abandoned = True
        # Otherwise an aborted upload would look like a failure that another attempt may mend.
        self._storage.close()
        # A manifest that was sent, but could not be read back, may be there.
        keys = [self._key.manifest, *self._keys]
        discard(self._storage.config, self._bucket, self._key.prefix, keys)
        return False
