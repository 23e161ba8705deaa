import numpy as np
from trainyard_devtools import churn


def test_the_table_is_the_same_every_time() -> None:
    assert churn.generate(500).frame.equals(churn.generate(500).frame)


def test_the_table_is_mixed_and_has_gaps() -> None:
    frame = churn.generate().frame
    assert len(frame) >= 7000
    assert {dtype.kind for dtype in frame.dtypes} >= {"i", "f"}
    assert 0.15 < frame["satisfaction"].isna().mean() < 0.25
    assert frame.loc[frame["tenure_months"] == 0, "total_charges"].isna().all()
    assert 0.2 < (frame[churn.TARGET] == "yes").mean() < 0.35


def test_the_outcome_follows_the_documented_probability() -> None:
    table = churn.generate(50_000)
    churned = (table.frame[churn.TARGET] == "yes").to_numpy()
    for low in np.arange(0, 1, 0.1):
        inside = (table.probability >= low) & (table.probability < low + 0.1)
        deviation = abs(churned[inside].mean() - table.probability[inside].mean())
        assert deviation < 4 * np.sqrt(0.25 / inside.sum())


def test_the_reachable_auc_is_known() -> None:
    assert round(churn.reachable_auc(churn.generate(100_000)), 2) == 0.87


def test_roc_auc_counts_pairs() -> None:
    labels = np.array([True, False, True, False])
    assert churn.roc_auc(labels, np.array([0.9, 0.1, 0.8, 0.2])) == 1.0
    assert churn.roc_auc(labels, np.array([0.5, 0.5, 0.5, 0.5])) == 0.5
    assert churn.roc_auc(labels, np.array([0.9, 0.1, 0.3, 0.4])) == 0.75
