"""Models from the store and from disk: found, checked, and never run as code."""

import hashlib
import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from trainyard_schema import ModelType
from trainyard_trainer import scoring
from trainyard_trainer.loading import ModelNotFoundError, find_current, load_model
from trainyard_trainer.scoring import CorruptedVersionError

BUCKET = "filed"
MODEL_FILES = {
    "xgboost": "model.ubj",
    "random-forest": "model.skops",
    "neural-net": "model.safetensors",
}


@pytest.fixture
def rows(make_frame: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    return make_frame("binary", rows=30, seed=4).assign(code="007")


def _copy(filed: Any, model_type: str, tmp_path: Path) -> Path:
    """A model type's folder on disk, as it is in the store."""
    folder = tmp_path / model_type
    version = filed.versions[model_type]
    shutil.copytree(filed.folders[model_type], folder / version.version)
    key = f"models/made/{model_type}/current.json"
    filed.client.download_file(BUCKET, key, str(folder / "current.json"))
    return folder


def _replace(folder: Path, name: str, content: bytes) -> None:
    """Change a file of a version and its entry in the manifest, as an attacker could."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["files"]:
        if entry["name"] == name:
            entry["sizeBytes"] = len(content)
            entry["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("model_type", ModelType)
def test_every_way_to_a_version_gives_the_same_model(
    filed: Any, model_type: str, rows: pd.DataFrame, tmp_path: Path
) -> None:
    copy, version = _copy(filed, model_type, tmp_path), filed.versions[model_type]
    expected = scoring.load(filed.folders[model_type]).predict(rows)
    for uri in (
        f"s3://{BUCKET}/models/made/{model_type}",
        f"s3://{BUCKET}/models/made/{model_type}/",
        version.uri,
        copy,
        copy / version.version,
    ):
        loaded = load_model(uri, endpoint_url=filed.endpoint)
        np.testing.assert_array_equal(loaded.predict(rows), expected)


def test_a_given_folder_keeps_the_files(filed: Any, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    load_model(filed.versions["xgboost"].uri, folder=folder, endpoint_url=filed.endpoint)
    assert scoring.verify(folder).version == filed.versions["xgboost"].version


def test_what_is_not_there_is_named(filed: Any, tmp_path: Path) -> None:
    at = {"endpoint_url": filed.endpoint}
    with pytest.raises(ModelNotFoundError, match="no bucket 'nowhere'"):
        load_model("s3://nowhere/models/made/xgboost", **at)
    with pytest.raises(ModelNotFoundError, match=r"models/other/xgboost/ has neither"):
        load_model(f"s3://{BUCKET}/models/other/xgboost", **at)
    with pytest.raises(ModelNotFoundError, match="has neither"):
        load_model(tmp_path)
    with pytest.raises(ModelNotFoundError, match=r"no current version of type xgboost .*/other/"):
        find_current(BUCKET, "other", ModelType.XGBOOST, **at)
    with pytest.raises(ModelNotFoundError, match=r"name one: xgboost, random-forest, neural-net"):
        find_current(BUCKET, "made", **at)
    assert find_current(BUCKET, "prices", **at) == f"s3://{BUCKET}/models/prices/xgboost/"


def test_a_changed_object_is_refused(filed: Any, s3: Any) -> None:
    source = filed.versions["xgboost"].uri.removeprefix(f"s3://{BUCKET}/")
    for name in [path.name for path in filed.folders["xgboost"].iterdir()]:
        s3.copy_object(
            Bucket="trainyard",
            Key=source + name,
            CopySource={"Bucket": BUCKET, "Key": source + name},
        )
    uri = f"s3://trainyard/{source}"
    at = {"endpoint_url": filed.endpoint}
    load_model(uri, **at)
    body = s3.get_object(Bucket="trainyard", Key=source + "model.ubj")["Body"].read()
    s3.put_object(Bucket="trainyard", Key=source + "model.ubj", Body=body[:-1] + b"?")
    with pytest.raises(CorruptedVersionError, match=r"model\.ubj is not the file"):
        load_model(uri, **at)
    s3.delete_object(Bucket="trainyard", Key=source + "model.ubj")
    with pytest.raises(CorruptedVersionError, match=r"model\.ubj is missing"):
        load_model(uri, **at)


def test_a_manifest_that_current_does_not_name_is_refused(filed: Any, tmp_path: Path) -> None:
    folder = _copy(filed, "xgboost", tmp_path)
    version = folder / filed.versions["xgboost"].version
    _replace(version, "model-card.md", b"# Another card\n")
    load_model(version)
    with pytest.raises(CorruptedVersionError, match="is not the one that current"):
        load_model(folder)
    shutil.rmtree(version)
    with pytest.raises(CorruptedVersionError, match="which is not there"):
        load_model(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/b", ".."])
def test_no_file_outside_the_folder_is_touched(filed: Any, name: str, tmp_path: Path) -> None:
    folder = _copy(filed, "xgboost", tmp_path)
    version = folder / filed.versions["xgboost"].version
    manifest = json.loads((version / "manifest.json").read_text())
    manifest["files"][-1]["name"] = name
    (version / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptedVersionError, match="no file of its folder"):
        load_model(version)
    pointer = json.loads((folder / "current.json").read_text())
    (folder / "current.json").write_text(json.dumps(pointer | {"version": name}))
    with pytest.raises(CorruptedVersionError, match="which is no version"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.ubj", "preprocessing.json", "schema.json"])
def test_what_is_loaded_must_be_in_the_manifest(filed: Any, name: str, tmp_path: Path) -> None:
    folder = _copy(filed, "xgboost", tmp_path) / filed.versions["xgboost"].version
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = [entry for entry in manifest["files"] if entry["name"] != name]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptedVersionError, match=f"does not name {name}"):
        load_model(folder)


class _Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self._marker,)


@pytest.mark.parametrize("model_type", ModelType)
def test_a_pickle_is_refused_and_not_run(filed: Any, model_type: str, tmp_path: Path) -> None:
    folder = _copy(filed, model_type, tmp_path) / filed.versions[model_type].version
    marker = tmp_path / "unpickled"
    bomb = pickle.dumps(_Bomb(marker))
    for name in (MODEL_FILES[model_type], "preprocessing.json", "schema.json"):
        whole = (folder / name).read_bytes()
        _replace(folder, name, bomb)
        with pytest.raises(CorruptedVersionError, match="cannot be loaded"):
            load_model(folder)
        _replace(folder, name, whole)
    load_model(folder)
    assert not marker.exists()
    pickle.loads(bomb)
    assert marker.exists(), "the pickle is harmless, so this test proves nothing"


def test_a_forest_with_a_function_in_it_is_refused(filed: Any, tmp_path: Path) -> None:
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    folder = _copy(filed, "random-forest", tmp_path) / filed.versions["random-forest"].version
    skops.io.dump(FunctionTransformer(os.system), tmp_path / "function.skops")
    _replace(folder, "model.skops", (tmp_path / "function.skops").read_bytes())
    with pytest.raises(CorruptedVersionError, match="cannot be loaded"):
        load_model(folder)


def test_a_library_that_is_not_installed_is_named(
    filed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "trainyard_trainer.models.neural_net", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(scoring.MissingLibraryError, match="pip install torch"):
        scoring.load(filed.folders["neural-net"])
