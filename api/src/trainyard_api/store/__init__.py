"""The object store: what trainers and the operator left there, and the datasets of this API."""

from trainyard_api.store.bucket import Bucket, Entry, StoreError
from trainyard_api.store.versions import ModelStore, StoredVersion

__all__ = ["Bucket", "Entry", "ModelStore", "StoreError", "StoredVersion"]
