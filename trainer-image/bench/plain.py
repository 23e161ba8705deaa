"""The same run as a plain script with the bare libraries: what `trainer_overhead_ratio` compares
the trainer with.

It reads the same environment (TRAINYARD_RUN, JOB_COMPLETION_INDEX, S3 credentials; OMP_NUM_THREADS
for threads) and does the same work with the same
hyperparameters and threads: read the CSV from S3, split, preprocess, fit with early stopping,
measure on the holdout, write
the model, its preprocessing and a small manifest, upload them. No progress, no validation, no read-
back, no checks.
"""

# ruff: noqa: D103, PLC0415
import json
import math
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path

CONFIG = json.loads(os.environ["TRAINYARD_RUN"])
MODEL_TYPE = CONFIG["modelTypes"][int(os.environ.get("JOB_COMPLETION_INDEX", "0"))]
PARAMETERS = CONFIG["hyperparameters"][MODEL_TYPE]
SEED = CONFIG["seed"]
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))

import boto3  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from sklearn.metrics import (  # noqa: E402
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    roc_auc_score,
)
from sklearn.model_selection import train_test_split  # noqa: E402


def read(client, folder):
    bucket, _, key = CONFIG["data"]["uri"].removeprefix("s3://").partition("/")
    client.download_file(bucket, key, str(folder / "table.csv"))
    frame = pd.read_csv(folder / "table.csv", na_values=[" "])
    target = frame.pop(CONFIG["data"]["target"])
    frame = frame.drop(columns=CONFIG["data"].get("exclude", []))
    classes, codes = np.unique(target, return_inverse=True)
    assert len(classes) == 2, "the benchmark's table is binary"
    return frame, codes


def fit_xgboost(train, labels, holdout, path):
    import xgboost as xgb

    levels = {
        name: sorted(train[name].dropna().unique())
        for name in train.columns
        if not pd.api.types.is_numeric_dtype(train[name])
    }

    def typed(frame):
        return frame.assign(
            **{
                name: pd.Categorical(frame[name], categories=known)
                for name, known in levels.items()
            }
        )

    rows, watched, y_rows, y_watched = train_test_split(
        typed(train), labels, test_size=0.15, stratify=labels, random_state=SEED
    )
    parameters = dict(PARAMETERS)
    if parameters["min_child_weight"] is None:
        parameters["min_child_weight"] = max(1.0, min(5.0, len(train) / 1000))
    model = xgb.XGBClassifier(
        **parameters, tree_method="hist", enable_categorical=True, n_jobs=THREADS, random_state=SEED
    )
    model.fit(rows, y_rows, eval_set=[(rows, y_rows), (watched, y_watched)], verbose=False)
    model.save_model(path / "model.ubj")
    return model.predict_proba(typed(holdout))[:, 1], {"levels": levels}


def _pipeline(train, one_hot_levels, scale):
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    numeric = list(train.select_dtypes("number").columns)
    categorical = [name for name in train.columns if name not in numeric]
    few = [name for name in categorical if train[name].nunique() <= one_hot_levels]
    many = [name for name in categorical if name not in few]
    steps = [SimpleImputer(strategy="median", add_indicator=True)]
    if scale:
        steps.append(StandardScaler())
    return ColumnTransformer(
        [
            ("numeric", make_pipeline(*steps), numeric),
            (
                "few",
                OneHotEncoder(
                    handle_unknown="ignore",
                    max_categories=100,
                    sparse_output=False,
                    dtype=np.float32,
                ),
                few,
            ),
            (
                "many",
                OrdinalEncoder(
                    handle_unknown="use_encoded_value",
                    unknown_value=-1,
                    encoded_missing_value=-1,
                    max_categories=100,
                    dtype=np.float32,
                ),
                many,
            ),
        ]
    )


def fit_random_forest(train, labels, holdout, path):
    import skops.io
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    parameters = dict(PARAMETERS)
    if parameters["min_samples_leaf"] is None:
        parameters["min_samples_leaf"] = max(1, min(20, len(train) // 500))
    if parameters["max_features"] == "auto":
        parameters["max_features"] = "sqrt"
    forest = RandomForestClassifier(**parameters, n_jobs=THREADS, random_state=SEED)
    model = make_pipeline(_pipeline(train, one_hot_levels=10, scale=False), forest)
    model.fit(train, labels)
    skops.io.dump(model, path / "model.skops")
    return model.predict_proba(holdout)[:, 1], {}


def fit_neural_net(train, labels, holdout, path):
    import safetensors.torch
    import torch
    from torch import nn

    torch.set_num_threads(THREADS)
    torch.manual_seed(SEED)
    rows, watched, y_rows, y_watched = train_test_split(
        train, labels, test_size=0.1, stratify=labels, random_state=SEED
    )
    prepare = _pipeline(train, one_hot_levels=100, scale=True)
    x = torch.tensor(prepare.fit_transform(rows), dtype=torch.float32)
    x_watched = torch.tensor(prepare.transform(watched), dtype=torch.float32)
    y = torch.tensor(y_rows, dtype=torch.float32)
    y_watched = torch.tensor(y_watched, dtype=torch.float32)
    members = PARAMETERS["ensemble_size"]
    nearest = 2 ** round(math.log2(max(1, len(train) / 40)))
    batch_size = PARAMETERS["batch_size"] or max(32, min(128, nearest))

    class Linear(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            bound = 1 / math.sqrt(inputs)
            self.weight = nn.Parameter(
                torch.empty(members, inputs, outputs).uniform_(-bound, bound)
            )
            self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound))

        def forward(self, inputs):
            return torch.baddbmm(self.bias, inputs, self.weight)

    layers, width = [], x.shape[1]
    for size in PARAMETERS["hidden_layer_sizes"]:
        layers += [Linear(width, size), nn.ReLU(), nn.Dropout(PARAMETERS["dropout"])]
        width = size
    net = nn.Sequential(*layers, Linear(width, 1))

    def outputs(features):
        return net(features.expand(members, -1, -1))[..., 0]

    optimizer = torch.optim.AdamW(
        net.parameters(),
        lr=PARAMETERS["learning_rate"],
        weight_decay=PARAMETERS["weight_decay"],
    )
    best, best_epoch, weights = math.inf, 0, None
    for epoch in range(1, PARAMETERS["max_epochs"] + 1):
        net.train()
        for batch in torch.randperm(len(x)).split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(
                outputs(x[batch]), y[batch].expand(members, -1)
            )
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.inference_mode():
            probability = torch.sigmoid(outputs(x_watched)).mean(dim=0)
            loss = float(nn.functional.binary_cross_entropy(probability, y_watched))
        if loss < best:
            best, best_epoch = loss, epoch
            weights = {name: value.clone() for name, value in net.state_dict().items()}
        elif epoch - best_epoch >= PARAMETERS["patience"]:
            break
    net.load_state_dict(weights)
    safetensors.torch.save_file(weights, path / "model.safetensors")
    with torch.inference_mode():
        features = torch.tensor(prepare.transform(holdout), dtype=torch.float32)
        return torch.sigmoid(outputs(features)).mean(dim=0).numpy(), {}


FITS = {
    "xgboost": fit_xgboost,
    "random-forest": fit_random_forest,
    "neural-net": fit_neural_net,
}


def main():
    client = boto3.client(
        "s3",
        endpoint_url=CONFIG["storage"].get("endpointUrl"),
        region_name=CONFIG["storage"]["region"],
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        frame, labels = read(client, folder)
        train, holdout, y_train, y_holdout = train_test_split(
            frame,
            labels,
            test_size=CONFIG["data"]["holdoutFraction"],
            stratify=labels,
            random_state=SEED,
        )
        version = folder / "version"
        version.mkdir()
        score, preprocessing = FITS[MODEL_TYPE](train, y_train, holdout, version)
        metrics = {
            "roc_auc": roc_auc_score(y_holdout, score),
            "pr_auc": average_precision_score(y_holdout, score),
            "log_loss": log_loss(y_holdout, score),
            "brier": brier_score_loss(y_holdout, score),
            "f1": f1_score(y_holdout, score >= 0.5),
            "accuracy": accuracy_score(y_holdout, score >= 0.5),
        }
        (version / "preprocessing.json").write_text(json.dumps(preprocessing, default=str))
        (version / "metrics.json").write_text(json.dumps(metrics, default=float))
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + secrets.token_hex(4)
        prefix = f"plain/{CONFIG['model']}/{MODEL_TYPE}/{name}/"
        for path in sorted(version.iterdir()):
            client.upload_file(str(path), CONFIG["storage"]["bucket"], prefix + path.name)
        client.put_object(
            Bucket=CONFIG["storage"]["bucket"],
            Key=prefix + "manifest.json",
            Body=json.dumps({"metrics": metrics, "parameters": PARAMETERS}, default=float).encode(),
        )
    sys.stdout.write(json.dumps(metrics, default=float) + "\n")


if __name__ == "__main__":
    main()
