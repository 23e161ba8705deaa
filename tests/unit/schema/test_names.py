import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainyard_schema import names

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("churn", "churn-"),
        ("Churn.Model_2", "churn-model-2-"),
        ("...", "job-"),
        ("a" * 253, "a" * 52 + "-"),
    ],
)
def test_job_name_starts_with_the_slug(name: str, expected: str) -> None:
    assert names.job_name(name, "uid").startswith(expected)


def test_job_name_is_the_same_for_the_same_uid_only() -> None:
    assert names.job_name("churn", "a") == names.job_name("churn", "a")
    assert names.job_name("churn", "a") != names.job_name("churn", "b")


def test_another_job_of_a_run_is_named_after_the_first() -> None:
    assert names.job_name("churn", "a", 2) == f"{names.job_name('churn', 'a')}-r2"
    long = [names.job_name("m" * 80, "a", raises) for raises in range(21)]
    assert len(set(long)) == 21


@given(st.text(min_size=1, max_size=300), st.uuids(), st.integers(0, 20))
def test_every_job_name_leaves_room_for_the_completion_index(
    name: str, uid: object, raises: int
) -> None:
    job = names.job_name(name, str(uid), raises)
    assert DNS_LABEL.fullmatch(f"{job}-2")
    assert len(f"{job}-2") <= 63


@given(st.text(max_size=300))
def test_every_label_value_is_valid(text: str) -> None:
    value = names.label_value(text)
    assert len(value) <= 63
    assert re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?", value)


def test_a_valid_label_value_stays_as_it_is() -> None:
    assert names.label_value("Churn_2.model") == "Churn_2.model"


def test_versions_are_in_utc_and_unique() -> None:
    moment = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    first, second = names.new_version(moment), names.new_version(moment)
    assert re.fullmatch(r"20260228T233000Z-[0-9a-f]{8}", first)
    assert first != second
    assert names.new_version(datetime(2026, 3, 2, tzinfo=UTC)) > first


@pytest.mark.parametrize(
    ("uri", "model"),
    [
        ("s3://trainyard/datasets/churn.csv", "churn"),
        ("s3://trainyard/datasets/Telco Churn.csv.gz", "telco-churn"),
        ("s3://trainyard/datasets/sales.2026.parquet", "sales-2026"),
        ("s3://trainyard/datasets/houses/", "houses"),
        (f"s3://trainyard/datasets/churn/{'0a' * 32}.csv", "churn"),
        (f"s3://trainyard/datasets/feedback/churn/{'0a' * 8}/", "churn"),
        ("s3://trainyard/---", "job"),
        (f"s3://trainyard/{'x' * 200}.csv", "x" * 63),
    ],
)
def test_a_table_gives_its_name_to_the_model(uri: str, model: str) -> None:
    assert names.model_of_table(uri) == model
