from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from trainyard_api.store import ModelStore

from .objects import BUCKET


@pytest.fixture(scope="module")
def _aws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield


@pytest.fixture(scope="module")
def store(_aws: None) -> ModelStore:
    return ModelStore(bucket=BUCKET, endpoint_url=None, region="us-east-1")


@pytest.fixture(scope="module")
def s3_client(_aws: None) -> Any:
    return boto3.client("s3", region_name="us-east-1")


@pytest.fixture(autouse=True)
def s3(s3_client: Any) -> Iterator[Any]:
    """A client of an object store that holds an empty bucket."""
    s3_client.create_bucket(Bucket=BUCKET)
    yield s3_client
    pages = s3_client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    for item in (item for page in pages for item in page.get("Contents", [])):
        s3_client.delete_object(Bucket=BUCKET, Key=item["Key"])
    s3_client.delete_bucket(Bucket=BUCKET)
