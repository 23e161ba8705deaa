"""Curves are those of scikit-learn; plots are sound SVG; a version has what its card shows."""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from trainyard_schema import ModelType, RunConfig
from trainyard_trainer import scoring
from trainyard_trainer.decisions import decide
from trainyard_trainer.evidence import curves, history, holdout, svg
from trainyard_trainer.evidence.axis import Axis
from trainyard_trainer.target import Target, Task

MakeFrame = Callable[..., pd.DataFrame]
SVG = "{http://www.w3.org/2000/svg}"
CLASS_PLOTS = {
    "roc-curve.svg",
    "precision-recall-curve.svg",
    "calibration-curve.svg",
    "confusion-matrix.svg",
}
VALUE_PLOTS = {"predicted-and-actual.svg", "residuals.svg"}


def _binary(rows: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    # Rounded, so that scores tie.
    score = random.random(rows).round(2 if rows < 1000 else 4)
    truth = (random.random(rows) < score).astype(np.int64)
    truth[:2] = 0, 1
    return truth, score


@pytest.mark.parametrize("rows", [20, 5000])
def test_curves_are_those_of_scikit_learn(rows: int) -> None:
    from sklearn import metrics
    from sklearn.calibration import calibration_curve

    truth, score = _binary(rows)
    false_rate, true_rate = curves.roc(truth == 1, score)
    expected = metrics.roc_curve(truth, score, drop_intermediate=False)
    np.testing.assert_allclose(false_rate, expected[0])
    np.testing.assert_allclose(true_rate, expected[1])

    recall, precision = curves.precision_recall(truth == 1, score)
    area = float(np.sum(np.diff(recall) * precision[1:]))
    assert area == pytest.approx(metrics.average_precision_score(truth, score))

    # Without scores on the edges, which scikit-learn puts into the bin below.
    inner = score * 0.998 + 1e-6
    groups = curves.reliability(truth == 1, inner)
    share, mean = calibration_curve(truth, inner, n_bins=10)
    np.testing.assert_allclose(groups.score, mean)
    np.testing.assert_allclose(groups.share, share)
    assert groups.rows.sum() == rows
    assert ((groups.low <= groups.share) & (groups.share <= groups.high)).all()

    guess = decide(Task.BINARY, np.column_stack([1 - score, score]))
    np.testing.assert_array_equal(
        curves.confusion(truth, guess, 2), metrics.confusion_matrix(truth, guess)
    )


def test_the_interval_is_wilsons() -> None:
    from scipy.stats import binomtest

    groups = curves.reliability(np.arange(10) < 5, np.full(10, 0.52))
    interval = binomtest(5, 10).proportion_ci(method="wilson")
    assert groups.low[0] == pytest.approx(interval.low, abs=1e-6)
    assert groups.high[0] == pytest.approx(interval.high, abs=1e-6)


def _plots(task: Task, rows: int, classes: int = 3) -> list[Any]:
    random = np.random.default_rng(0)
    if task == Task.REGRESSION:
        values = random.lognormal(10, 1, rows)
        target = Target("price", task, [], values)
        return holdout.plots_of(target, values, values * random.lognormal(0, 0.2, rows), None)
    n = 2 if task == Task.BINARY else classes
    names: list[Any] = ["<script>alert(1)</script>", "a\x00 & \n" + "long " * 30, "c"]
    names += [f"class {number}" for number in range(3, n)]
    probability = random.dirichlet(np.ones(n), rows)
    truth = (probability.cumsum(axis=1) > random.random((rows, 1))).argmax(axis=1)
    counts = curves.confusion(truth, decide(task, probability), n)
    return holdout.plots_of(Target("y", task, names[:n], truth), truth, probability, counts)


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", text)]


@pytest.mark.parametrize("rows", [1, 4, 20, 100_000])
@pytest.mark.parametrize("task", Task)
def test_plots_are_sound_and_small(task: Task, rows: int) -> None:
    plots = _plots(task, rows)
    names = {plot.file for plot in plots}
    assert names == VALUE_PLOTS if task == Task.REGRESSION else names <= CLASS_PLOTS
    assert rows < 20 or task == Task.REGRESSION or names == CLASS_PLOTS
    for plot in plots:
        root = ET.fromstring(plot.svg)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        assert len(plot.svg) < 60_000
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            "svg", "title", "rect", "text", "line", "polyline", "path",
        }  # fmt: skip
        assert root[1].attrib["fill"] == "white"
        for line in root.iter(f"{SVG}polyline"):
            points = np.array(_numbers(line.attrib["points"])).reshape(-1, 2)
            assert (points >= 0).all()
            assert (points <= [width, height]).all()
        for text in root.iter(f"{SVG}text"):
            assert 0 <= float(text.attrib["x"]) <= width
            assert 0 <= float(text.attrib["y"]) <= height
            if "transform" not in text.attrib and text.attrib["text-anchor"] == "start":
                # Bold titles take somewhat more; 6.4 pixels is the mean at size 12.
                assert float(text.attrib["x"]) + 6.0 * len(text.text or "") <= width


def test_values_that_are_no_numbers_are_not_drawn() -> None:
    values = np.arange(30.0)
    target = Target("price", Task.REGRESSION, [], values)
    prediction = np.where(values < 10, np.nan, values)
    plots = holdout.plots_of(target, values, prediction, None)
    assert len(plots) == 2
    assert all("20 rows held out" in plot.svg and "nan" not in plot.svg for plot in plots)
    for beyond in (np.inf, -1.7e308):
        assert holdout.plots_of(target, values, np.full(30, beyond), None) == []


def test_many_classes_are_drawn_as_the_most_frequent_ones() -> None:
    by_file = {plot.file: plot.svg for plot in _plots(Task.MULTICLASS, 5000, classes=60)}
    assert "7 most frequent of 60 classes" in by_file["roc-curve.svg"]
    assert "41 others" in by_file["confusion-matrix.svg"]


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0, 1),
        (-3.2, 17),
        (0.31, 0.32),
        (5, 5),
        (0, 0),
        (-1e9, 4e12),
        (1e-7, 9e-7),
        (1.7e9, 1.7e9 + 900),
        (1e15, 1e15 + 0.25),
        (-1e300, 1e300),
        (0, 1e-300),
    ],
)
def test_axes_hold_their_values_and_tell_ticks_apart(low: float, high: float) -> None:
    axis = Axis.over("x", low, high)
    assert axis.low <= low
    assert axis.high >= high
    assert 3 <= len(axis.ticks) <= 9
    labels = axis.tick_labels()
    assert len(set(labels)) == len(labels)
    assert all(after > before for before, after in pairwise(axis.ticks))
    assert max(map(len, labels)) <= 22
    step = axis.ticks[1] - axis.ticks[0]
    for label, tick in zip(labels, axis.ticks, strict=True):
        assert float(label.replace(",", "")) == pytest.approx(tick, abs=step / 500)


def test_thinning_keeps_corners() -> None:
    x = np.repeat(np.linspace(0, 400, 21), 2)[:-1]
    y = np.repeat(np.linspace(0, 400, 21), 2)[1:]
    np.testing.assert_array_equal(svg.thin(x, y), (x, y))
    x = np.linspace(0, 400, 100_000)
    kept_x, kept_y = svg.thin(x, x**2 / 400)
    assert len(kept_x) < 500
    assert (kept_x[0], kept_x[-1]) == (0, 400)
    assert np.abs(np.interp(x, kept_x, kept_y) - x**2 / 400).max() < 0.1


def test_history_shows_the_final_fit_and_its_best_round() -> None:
    records = [
        {"fit": fit, "done": done, "total": 9, "train_loss": 1 / done, "validation_loss": loss}
        for fit in ("fold 1", "final")
        for done, loss in enumerate([0.9, 0.5 if fit == "final" else 0.1, 0.7], 1)
    ]
    [plot] = history.plots_of(ModelType.NEURAL_NET, records)
    assert "Best validation loss 0.5 at 2 of 3" in plot.svg
    forest = [{"fit": "final", "done": 5, "total": 5}]
    assert history.plots_of(ModelType.RANDOM_FOREST, forest) == []
    assert history.plots_of(ModelType.XGBOOST, []) == []
    nothing: list[Any] = [{"fit": "final", "done": 1, "total": 2, "train_loss": float("nan")}]
    assert history.plots_of(ModelType.NEURAL_NET, nothing) == []
    assert len(history.plots_of(ModelType.NEURAL_NET, [*records, *nothing])) == 1


@pytest.mark.parametrize("model_type", ModelType)
def test_a_version_has_its_evidence(filed: Any, model_type: str) -> None:
    folder: Path = filed.folders[model_type]
    manifest = scoring.verify(folder)
    names = {file.name for file in manifest.files}
    plots = CLASS_PLOTS | ({"training-history.svg"} if model_type != "random-forest" else set())
    assert {name for name in names if name.endswith(".svg")} == plots
    assert plots == set(re.findall(r"!\[.*\]\((.*)\)", (folder / "model-card.md").read_text()))

    importance = json.loads((folder / "feature-importance.json").read_text())["columns"]
    assert {item["name"] for item in importance} == {"a", "b", "city", "flag", "amount", "code"}
    assert importance[0]["name"] == "a"
    assert sum(item["share"] for item in importance) == pytest.approx(1, abs=1e-5)
    assert f"| a | {importance[0]['share']:.1%} |" in (folder / "model-card.md").read_text()

    confusion = json.loads((folder / "confusion-matrix.json").read_text())
    counts = np.array(confusion["counts"])
    assert confusion["classes"] == ["No", "Yes"]
    assert counts.sum() == manifest.holdout_rows
    metrics = json.loads((folder / "metrics.json").read_text())["holdout"]
    assert counts.trace() / counts.sum() == pytest.approx(metrics["accuracy"])


def test_regression_has_its_own_plots(filed: Any) -> None:
    folder: Path = filed.folders["prices"]
    found = {path.name for path in folder.glob("*.svg")}
    assert found == VALUE_PLOTS | {"training-history.svg"}
    assert not (folder / "confusion-matrix.json").exists()


def test_the_card_tells_what_the_manifest_knows(filed: Any) -> None:
    folder: Path = filed.folders["xgboost"]
    manifest = scoring.verify(folder)
    card = (folder / "model-card.md").read_text()
    threshold = json.loads((folder / "schema.json").read_text())["threshold"]
    low, high = manifest.metric_intervals["roc_auc"]
    for fact in (
        f"from a probability of {threshold:.3f} on",
        f"{low:.4f} to {high:.4f}",
        manifest.version,
        manifest.data[0].uri,
        manifest.data[0].etag,
        manifest.data[0].sha256,
        manifest.image,
        f"seed {manifest.seed}",
        f"{manifest.training_rows} rows to learn from and {manifest.holdout_rows} held out",
        f"xgboost-cpu {manifest.libraries['xgboost-cpu']}",
        f"trainyard predict --uri {filed.versions['xgboost'].uri}",
        "`id`",
    ):
        assert fact in card, fact


def test_the_manifest_is_enough_to_train_the_same_model_again(
    trainer: Any, make_frame: MakeFrame
) -> None:
    trainer.put(make_frame("binary"))
    first = trainer.run("random-forest", seed=12).result
    manifest = scoring.verify(trainer.download(first))
    assert isinstance(manifest.run, RunConfig)
    assert manifest.threads
    again = trainer.wait(trainer.start_again(manifest.run.to_json())).result
    assert again.version.sha256 == first.version.sha256
    assert again.version.version != first.version.version
