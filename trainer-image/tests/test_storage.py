import hashlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError
from trainyard_schema import ModelType, Reason, StorageConfig, VersionKey
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.publication import Publication
from trainyard_trainer.storage import Storage, discard

BUCKET = "trainyard"
KEY = VersionKey("made", ModelType.XGBOOST, "20260101T000000Z-00000000")


@pytest.fixture
def storage(endpoint: str, s3: Any) -> Iterator[Storage]:
    store = Storage(
        StorageConfig(bucket=BUCKET, endpoint_url=endpoint),
        failure=Reason.UPLOAD_FAILED,
        deadline_seconds=2,
    )
    yield store
    store.client.close()


def _file(folder: Path, size: int) -> tuple[Path, str]:
    path = folder / "model.bin"
    path.write_bytes(b"x" * size)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("size", [100, 20 << 20])
def test_upload_is_read_back(storage: Storage, s3: Any, tmp_path: Path, size: int) -> None:
    path, sha256 = _file(tmp_path, size)
    storage.put_verified(BUCKET, "file", path, sha256)
    assert s3.head_object(Bucket=BUCKET, Key="file")["ContentLength"] == size


def _damage(client: Any, times: int, how: Callable[[bytes], bytes]) -> None:
    """The next uploads arrive as something else."""
    original, left = client.put_object, [times]

    def put_object(*, Body: bytes, **arguments: Any) -> Any:  # noqa: N803
        if left[0]:
            left[0] -= 1
            Body = how(Body)  # noqa: N806
        return original(Body=Body, **arguments)

    client.put_object = put_object


@pytest.mark.parametrize("how", [lambda body: body[:-1], lambda body: b"y" + body[1:]])
def test_a_corrupted_upload_is_found_and_repeated(
    storage: Storage, s3: Any, tmp_path: Path, how: Callable[[bytes], bytes]
) -> None:
    path, sha256 = _file(tmp_path, 100)
    _damage(storage.client, 1, how)
    storage.put_verified(BUCKET, "file", path, sha256)
    assert s3.get_object(Bucket=BUCKET, Key="file")["Body"].read() == path.read_bytes()


def test_an_upload_that_stays_corrupted_fails_before_the_manifest(
    storage: Storage, keys: Callable[..., list[str]], tmp_path: Path
) -> None:
    path, sha256 = _file(tmp_path, 100)
    _damage(storage.client, 1000, lambda body: body[:-1])
    publication = Publication(storage, KEY)
    with pytest.raises(TrainerError, match=r"made/xgboost.*model.bin.*SHA-256") as caught:
        publication.upload([(path, sha256)], lambda share: None)
    assert caught.value.reason == Reason.UPLOAD_FAILED
    assert publication.abandon(1) is False
    assert keys() == []


def test_create_writes_once(storage: Storage, s3: Any) -> None:
    assert storage.create(BUCKET, "pointer", b"1") is True
    assert storage.create(BUCKET, "pointer", b"2") is False
    assert s3.get_object(Bucket=BUCKET, Key="pointer")["Body"].read() == b"1"


def test_create_loses_a_race(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.put(BUCKET, "pointer", b"1")
    monkeypatch.setattr(storage, "get", lambda bucket, key: None)
    assert storage.create(BUCKET, "pointer", b"2") is False


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("failure", [Reason.STORAGE_UNAVAILABLE, Reason.UPLOAD_FAILED])
def test_no_answer(endpoint: str, failure: Reason) -> None:
    config = StorageConfig(bucket=BUCKET, endpoint_url=f"http://127.0.0.1:{_unused_port()}")
    storage = Storage(config, failure=failure, deadline_seconds=1)
    with pytest.raises(TrainerError, match=r"gave up after 1 s of retries") as caught:
        storage.list(BUCKET, "x/")
    assert caught.value.reason == failure


def _error(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetObject")


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (_error("AccessDenied", 403), Reason.STORAGE_UNAVAILABLE, "refused the credentials"),
        (_error("NoSuchKey", 404), Reason.DATA_NOT_FOUND, "no such object"),
        (_error("NoSuchBucket", 404), Reason.DATA_NOT_FOUND, "no such bucket"),
        (_error("InvalidRequest", 400), Reason.STORAGE_UNAVAILABLE, "answered"),
    ],
)
def test_what_cannot_pass_by_itself_is_not_retried(
    endpoint: str, error: ClientError, reason: Reason, message: str
) -> None:
    config = StorageConfig(bucket=BUCKET, endpoint_url=endpoint)
    storage = Storage(config, failure=Reason.STORAGE_UNAVAILABLE)
    calls = []

    def function() -> None:
        calls.append(1)
        raise error

    with pytest.raises(TrainerError, match=message) as caught:
        storage.call("reading s3://b/k", function)
    assert (caught.value.reason, len(calls)) == (reason, 1)


def test_a_busy_store_is_asked_again(storage: Storage) -> None:
    answers = iter([_error("SlowDown", 503), _error("InternalError", 500), None])

    def function() -> str:
        error = next(answers)
        if error:
            raise error
        return "done"

    assert storage.call("reading", function) == "done"


def test_an_abandoned_upload_is_not_begun_again(
    storage: Storage, s3: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, sha256 = _file(tmp_path, 20 << 20)
    publication = Publication(storage, KEY)
    original, calls = storage.client.upload_file, []

    def upload_file(*arguments: Any) -> None:
        calls.append(arguments)
        assert publication.abandon(1) is False
        original(*arguments)
        raise S3UploadFailedError("aborted")

    monkeypatch.setattr(storage.client, "upload_file", upload_file)
    with pytest.raises(TrainerError):
        publication.upload([(path, sha256)], lambda share: None)
    assert len(calls) == 1


def test_an_upload_that_the_store_fails_to_abort_is_aborted_again(
    storage: Storage, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.create_multipart_upload(Bucket=BUCKET, Key=f"{KEY.prefix}model.bin")
    original, failures = s3.abort_multipart_upload, iter([_error("InternalError", 500)] * 6)

    def abort(**arguments: str) -> None:
        error = next(failures, None)
        if error:
            raise error
        original(**arguments)

    monkeypatch.setattr(s3, "abort_multipart_upload", abort)
    monkeypatch.setattr("trainyard_trainer.storage.connect", lambda *_, **__: s3)
    discard(storage.config, BUCKET, KEY.prefix, [])
    assert s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads") is None
