"""A churn table with a known generating process, for the demo, the tests and the benchmarks.

Each row is a customer of an internet provider. The columns are drawn first:

- customer_id: C000001, C000002, …; says nothing.
- tenure_months: 0 to 72; uniform for loyal customers (55 %), exponential with mean 10 for others.
- contract: month-to-month 55 %, one-year 25 %, two-year 20 %.
- internet: fibre 45 %, dsl 35 %, none 20 %.
- payment_method: card 30 %, bank-transfer 30 %, invoice 40 %.
- region: 12 regions, equally likely; says nothing.
- monthly_charges: normal around 20 (none), 50 (dsl) or 80 (fibre), sd 10, at least 10.
- total_charges: tenure_months x monthly_charges x a lognormal factor; missing at tenure 0.
- support_calls: Poisson with mean 1.2, or 2.0 with fibre.
- satisfaction: 1 to 5, lower with many calls; missing in 20 % of the rows.
- autopay: yes (45 %) or no.

Then `P(churned = yes)` is the logistic function of a score that is not linear in them:

    -1.75 + 1.7 [month-to-month] - 1.1 [two-year] - 0.045 min(tenure, 40) + 0.65 [fibre]
    + 0.020 (monthly - 60) + 0.45 [invoice] - 0.35 [autopay] + 0.30 calls [calls > 2]
    - 0.45 (satisfaction - 3) + 1.0 [month-to-month and fibre and tenure < 12]

where satisfaction is the value before some are removed. Nothing else decides `churned`, so no model
can rank better than the probability itself does: its ROC AUC is the reachable one.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

TARGET = "churned"
ID = "customer_id"
ROWS = 7200
SEED = 2026


class ChurnTable(NamedTuple):
    """A table and what is known about it."""

    frame: pd.DataFrame
    probability: np.ndarray
    """P(churned = yes) of each row, shape (rows,)."""


def generate(rows: int = ROWS, seed: int = SEED) -> ChurnTable:
    """Draw `rows` customers; the same table for the same arguments."""
    rng = np.random.default_rng(seed)
    loyal = rng.random(rows) < 0.55
    tenure = np.where(loyal, rng.uniform(0, 72, rows), rng.exponential(10, rows))
    tenure = np.clip(tenure, 0, 72).astype(int)
    contract = rng.choice(["month-to-month", "one-year", "two-year"], rows, p=[0.55, 0.25, 0.2])
    internet = rng.choice(["fibre", "dsl", "none"], rows, p=[0.45, 0.35, 0.2])
    payment = rng.choice(["card", "bank-transfer", "invoice"], rows, p=[0.3, 0.3, 0.4])
    region = rng.choice([f"region-{n:02d}" for n in range(1, 13)], rows)
    fibre, monthly_contract = internet == "fibre", contract == "month-to-month"
    base = np.select([fibre, internet == "dsl"], [80.0, 50.0], 20.0)
    monthly = np.maximum(10, base + rng.normal(0, 10, rows)).round(2)
    total = (tenure * monthly * rng.lognormal(0, 0.05, rows)).round(2)
    calls = rng.poisson(np.where(fibre, 2.0, 1.2))
    satisfaction = np.clip((4.2 - 0.5 * calls + rng.normal(0, 0.8, rows)).round(), 1, 5)
    autopay = rng.random(rows) < 0.45

    score = (
        -1.75
        + 1.7 * monthly_contract
        - 1.1 * (contract == "two-year")
        - 0.045 * np.minimum(tenure, 40)
        + 0.65 * fibre
        + 0.020 * (monthly - 60)
        + 0.45 * (payment == "invoice")
        - 0.35 * autopay
        + 0.30 * calls * (calls > 2)
        - 0.45 * (satisfaction - 3)
        + 1.0 * (monthly_contract & fibre & (tenure < 12))
    )
    probability = 1 / (1 + np.exp(-score))
    churned = rng.random(rows) < probability
    unanswered = rng.random(rows) < 0.2

    frame = pd.DataFrame(
        {
            ID: [f"C{n:06d}" for n in range(1, rows + 1)],
            "tenure_months": tenure,
            "contract": contract,
            "internet": internet,
            "payment_method": payment,
            "region": region,
            "monthly_charges": monthly,
            "total_charges": np.where(tenure == 0, np.nan, total),
            "support_calls": calls,
            "satisfaction": np.where(unanswered, np.nan, satisfaction),
            "autopay": np.where(autopay, "yes", "no"),
            TARGET: np.where(churned, "yes", "no"),
        }
    )
    return ChurnTable(frame, probability)


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The chance that a positive row scores higher than a negative one, ties counting half.

    By ranks (Mann and Whitney 1947). `labels` is boolean, both have shape (n,).
    """
    ranks = pd.Series(scores).rank().to_numpy()
    positives = int(labels.sum())
    negatives = len(labels) - positives
    return float((ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def reachable_auc(table: ChurnTable) -> float:
    """ROC AUC of the true probability: no model can be expected to rank better."""
    return roc_auc((table.frame[TARGET] == "yes").to_numpy(), table.probability)
