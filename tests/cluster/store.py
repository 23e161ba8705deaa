"""Objects in the cluster's object store."""

import io

import pandas as pd
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import BUCKET
from trainyard_schema import Manifest, ModelVersion, VersionKey


def read(kube: Kube, key: str) -> bytes:
    with kube.s3() as s3:
        body: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body


def keys(kube: Kube, prefix: str) -> list[str]:
    with kube.s3() as s3:
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return [item["Key"] for item in listed.get("Contents", [])]


def put_csv(kube: Kube, key: str, frame: pd.DataFrame) -> str:
    """Store a table; its s3:// URI."""
    buffer = io.StringIO()
    frame.to_csv(buffer, index=False)
    with kube.s3() as s3:
        s3.put_object(Bucket=BUCKET, Key=key, Body=buffer.getvalue().encode())
    return f"s3://{BUCKET}/{key}"


def key_of(uri: str) -> str:
    return uri.removeprefix(f"s3://{BUCKET}/")


def versions(kube: Kube, model: str) -> set[str]:
    """The versions of a model, of whatever type, that have a manifest."""
    found = map(VersionKey.from_manifest_key, keys(kube, f"models/{model}/"))
    return {key.version for key in found if key is not None}


def manifest_of(kube: Kube, version: ModelVersion) -> Manifest:
    return Manifest.model_validate_json(read(kube, key_of(version.uri) + "manifest.json"))
