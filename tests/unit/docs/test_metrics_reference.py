"""docs/operations.md lists the metrics of the operator as they are, by conventional names."""

import re

import pytest
from prometheus_client.metrics import MetricWrapperBase
from trainyard_controller import metrics
from trainyard_devtools.repo import ROOT

ROWS = re.findall(
    r"(?m)^\| `(trainyard_\w+)` \| (.*?) \|", (ROOT / "docs/operations.md").read_text()
)
METRICS = {
    f"{family.name}{'_total' if family.type == 'counter' else ''}": one
    for one in vars(metrics).values()
    if isinstance(one, MetricWrapperBase)
    for family in one.describe()
}


def test_every_metric_is_listed_once_with_its_labels() -> None:
    listed = {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in ROWS}
    assert len(listed) == len(ROWS)
    assert listed == {name: one._labelnames for name, one in METRICS.items()}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_follows_the_conventions(name: str) -> None:
    [family] = METRICS[name].describe()
    assert re.fullmatch(r"trainyard_[a-z_]+", name)
    assert family.documentation.endswith(".")
    if family.type == "histogram" or "age" in name or "duration" in name:
        assert name.endswith(("_seconds", "_ratio"))
    # A label of an object's own would make a series for each.
    assert not {"name", "uid", "job", "pod", "namespace"} & set(METRICS[name]._labelnames)
