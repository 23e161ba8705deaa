import boto3
import pytest
from trainyard_api.store.bucket import Bucket


@pytest.mark.parametrize("access_key", ["first", "second"])
def test_credentials_are_read_anew(monkeypatch: pytest.MonkeyPatch, access_key: str) -> None:
    """boto3's default session keeps what it found first, whoever asked."""
    boto3.client("s3", region_name="us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access_key)
    bucket = Bucket("trainyard", endpoint_url=None, region="us-east-1", threads=1)
    assert f"Credential={access_key}%2F" in bucket.client.generate_presigned_url("list_buckets")
