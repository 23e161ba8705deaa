"""Our defaults beside plain scikit-learn pipelines: the same tables, the same five folds.

The plain pipelines are written as scikit-learn's documentation advises (ColumnTransformer,
imputers, encoders) with the libraries' default parameters. A difference counts as a loss if its 95
% confidence interval, paired over the folds and with the variance of Nadeau and Bengio (2003,
"Inference for the generalization error"), lies on the wrong side of zero.

    python quality.py [--table URI --target NAME --exclude NAME]

adds a table, a path or s3://bucket/key (AWS_ENDPOINT_URL_S3 and credentials from the environment),
to those that ship inside scikit-learn. The last line is one JSON object.
"""

# ruff: noqa: D103, T201
import argparse
import io
import json
import logging
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import structlog
import xgboost as xgb
from sklearn import datasets
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from trainyard_schema import DataSpec, ModelType, validate_hyperparameters
from trainyard_trainer import training
from trainyard_trainer.metrics import evaluate
from trainyard_trainer.split import folds, strata
from trainyard_trainer.target import Task

FOLDS = 5
SEED = 0
T_975 = 2.776  # Student's t, four degrees of freedom
LOWER_IS_BETTER = {"log_loss", "rmse", "mae"}
METRICS = {
    Task.BINARY: ("roc_auc", "log_loss"),
    Task.MULTICLASS: ("accuracy", "log_loss"),
    Task.REGRESSION: ("rmse", "mae"),
}
SHIPPED = {
    "breast-cancer": datasets.load_breast_cancer,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}


def _prepare(*, scale, ordinal=False):
    numeric = [SimpleImputer(strategy="median")]
    if scale:
        numeric.append(StandardScaler())
    encoder = (
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        if ordinal
        else OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    )
    return ColumnTransformer(
        [
            ("numeric", make_pipeline(*numeric), make_column_selector(dtype_include="number")),
            ("categorical", encoder, make_column_selector(dtype_exclude="number")),
        ]
    )


def plain_models(task):
    """By name; the first three are the counterparts of our model types."""
    seed = {"random_state": SEED}
    if task == Task.REGRESSION:
        chosen = (
            xgb.XGBRegressor(n_jobs=1, **seed),
            RandomForestRegressor(**seed),
            MLPRegressor(**seed),
            Ridge(),
            HistGradientBoostingRegressor(**seed),
        )
    else:
        chosen = (
            xgb.XGBClassifier(n_jobs=1, **seed),
            RandomForestClassifier(**seed),
            MLPClassifier(**seed),
            LogisticRegression(max_iter=1000),
            HistGradientBoostingClassifier(**seed),
        )
    boosted, forest, net, linear, histogram = chosen
    return {
        "plain xgboost": make_pipeline(_prepare(scale=False), boosted),
        "plain random-forest": make_pipeline(_prepare(scale=False), forest),
        "plain neural-net": make_pipeline(_prepare(scale=True), net),
        "linear": make_pipeline(_prepare(scale=True), linear),
        "hist-gradient-boosting": make_pipeline(_prepare(scale=False, ordinal=True), histogram),
    }


def _ours(dataset, model_type, train, test):
    defaults = validate_hyperparameters((model_type,), {})[model_type]
    learner = training.learner_for(dataset, model_type, defaults, seed=SEED, threads=1)
    model = training.fit(learner, dataset, train, lambda *_: None)
    return model.predict(training.rows_of(dataset.features, test, list(dataset.kinds)))


def _plain(model, task, frame, target, *, train, test):
    # Some of the libraries' defaults do not converge; that is theirs to answer for.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(frame.iloc[train], target[train])
    rows = frame.iloc[test]
    if task == Task.REGRESSION:
        return np.asarray(model.predict(rows), dtype=np.float64)
    return np.asarray(model.predict_proba(rows), dtype=np.float64)


def compare(frame, target, exclude, only):
    """Scores by model and metric, one for each fold, and seconds by model."""
    spec = DataSpec(uri="s3://bench/table", target=target, exclude=exclude)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    dataset = training.validate(table, spec, SEED)
    task, truth = dataset.target.task, dataset.target.values
    features = frame.drop(columns=[target, *exclude])
    models = plain_models(task)
    names = [name for name in (*ModelType, *models) if not only or name in only]
    scores = {name: {metric: [] for metric in METRICS[task]} for name in names}
    seconds = dict.fromkeys(names, 0.0)
    for train, test in folds(strata(dataset.target), FOLDS, SEED):
        for name in names:
            since = time.monotonic()
            prediction = (
                _plain(models[name], task, features, truth, train=train, test=test)
                if name in models
                else _ours(dataset, ModelType(name), train, test)
            )
            seconds[name] += time.monotonic() - since
            measured = evaluate(task, truth[test], prediction)
            for metric in METRICS[task]:
                scores[name][metric].append(measured[metric])
    return scores, seconds


def gain(metric, ours, theirs):
    """Mean by which `ours` is better, and half the width of its confidence interval."""
    sign = -1 if metric in LOWER_IS_BETTER else 1
    better = sign * (np.array(ours) - np.array(theirs))
    return better.mean(), T_975 * better.std(ddof=1) * np.sqrt(1 / FOLDS + 1 / (FOLDS - 1))


def report(name, scores, seconds):
    """Print one table's rows and give its part of the JSON object."""
    found = {"models": {}, "losses": []}
    for model, by_metric in scores.items():
        cells, figures = [], {}
        for metric, values in by_metric.items():
            figures[metric] = {
                "mean": round(float(np.mean(values)), 4),
                "std": round(float(np.std(values, ddof=1)), 4),
            }
            cell = f"{metric} {figures[metric]['mean']:.4f} ± {figures[metric]['std']:.4f}"
            counterpart = scores.get(f"plain {model}")
            if counterpart is not None:
                mean, half = gain(metric, values, counterpart[metric])
                lost = bool(mean + half < 0)
                figures[metric] |= {"gain": round(mean, 4), "gain_ci": round(half, 4)}
                cell += f" ({mean:+.4f} ± {half:.4f}{', LOSS' if lost else ''})"
                if lost:
                    found["losses"].append(f"{model} {metric}")
            cells.append(f"{cell:<52}")
        found["models"][model] = figures | {"seconds": round(seconds[model], 1)}
        print(f"{name:<14} {model:<23} {seconds[model]:6.1f} s  {' '.join(cells)}", flush=True)
    return found


def _read(uri):
    if not uri.startswith("s3://"):
        return pd.read_csv(Path(uri), na_values=[" "])
    import boto3  # noqa: PLC0415

    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return pd.read_csv(io.BytesIO(body), na_values=[" "])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--table")
    parser.add_argument("--target")
    parser.add_argument("--exclude", action="append", default=[])
    parser.add_argument("--data", action="append", help="only these tables")
    parser.add_argument("--model", action="append", help="only these models")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    tables = {}
    if arguments.table:
        name = Path(arguments.table).stem
        tables[name] = (_read(arguments.table), arguments.target, arguments.exclude)
    for name, load in SHIPPED.items():
        tables[name] = (load(as_frame=True).frame, "target", [])
    result = {}
    for name, (frame, target, exclude) in tables.items():
        if not arguments.data or name in arguments.data:
            result[name] = report(name, *compare(frame, target, exclude, arguments.model))
    losses = [f"{name}: {loss}" for name, found in result.items() for loss in found["losses"]]
    print("losses beyond the confidence interval:", "; ".join(losses) or "none")
    print(json.dumps({"quality": result, "losses": losses}))


if __name__ == "__main__":
    main()
