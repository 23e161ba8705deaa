"""`trainyard-trainer predict` as the process that a shell starts."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import structlog
from trainyard_schema import ModelType
from trainyard_trainer import cli, cpu, scoring

MakeFrame = Callable[..., pd.DataFrame]


@pytest.fixture
def predict(filed: Any) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "trainyard_trainer.cli", "predict", *map(str, arguments)],
            env=os.environ | {"AWS_ENDPOINT_URL": filed.endpoint} | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def rows(make_frame: MakeFrame, tmp_path: Path) -> Path:
    """Rows in no order, with missing values, a category that is new, and codes that look like
    numbers.
    """
    frame = make_frame("binary", rows=60, seed=11).sample(frac=1, random_state=2)
    frame["code"] = np.where(frame["flag"] == "Yes", "007", "08")
    frame.loc[3, "city"] = "Atlantis"
    path = tmp_path / "rows.csv"
    frame.drop(columns=["y"]).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("model_type", ModelType)
def test_rows_are_scored_in_their_order(
    filed: Any, predict: Any, rows: Path, model_type: str, tmp_path: Path
) -> None:
    done = predict("--model", "made", "--type", model_type, "--bucket", "filed", "--input", rows)
    assert done.returncode == 0, done.stderr
    scored = pd.read_csv(io.StringIO(done.stdout))
    assert list(scored) == ["probability_No", "probability_Yes", "prediction"]
    frame = pd.read_csv(rows, dtype={"code": str})
    scorer = scoring.load(filed.folders[model_type])
    expected, threshold = scorer.predict(frame), scorer.schema.threshold
    np.testing.assert_array_equal(scored.iloc[:, :2], expected)
    assert list(scored["prediction"]) == ["Yes" if p >= threshold else "No" for p in expected[:, 1]]
    # "007" read as the number 7 would be a category that training never saw.
    as_number = frame.assign(code=frame["code"].astype(int))
    assert (scoring.load(filed.folders[model_type]).predict(as_number) != expected).any()


def test_parquet_and_s3_and_a_file_as_output(
    filed: Any, predict: Any, rows: Path, s3: Any, tmp_path: Path
) -> None:
    uri = filed.versions["xgboost"].uri
    plain = predict("--uri", uri, "--input", rows).stdout
    assert plain.count("\n") == 61
    pd.read_csv(rows, dtype={"code": str}).to_parquet(tmp_path / "rows.parquet")
    assert predict("--uri", uri, "--input", tmp_path / "rows.parquet").stdout == plain
    s3.upload_file(str(rows), "trainyard", "rows.csv")
    out = tmp_path / "out.csv"
    done = predict("--uri", uri, "--input", "s3://trainyard/rows.csv", "--output", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert out.read_text() == plain
    local = filed.folders["xgboost"]
    assert predict("--uri", local, "--input", rows, AWS_ENDPOINT_URL="").stdout == plain


def test_regression_gives_one_value(filed: Any, predict: Any, rows: Path) -> None:
    done = predict("--model", "prices", "--bucket", "filed", "--input", rows)
    scored = pd.read_csv(io.StringIO(done.stdout))
    assert list(scored) == ["prediction"]
    expected = scoring.load(filed.folders["prices"]).predict(pd.read_csv(rows, dtype={"code": str}))
    np.testing.assert_array_equal(scored["prediction"], expected)


def test_no_rows_give_a_header(predict: Any, filed: Any, rows: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text(rows.read_text().partition("\n")[0] + "\n")
    done = predict("--uri", filed.folders["random-forest"], "--input", empty)
    assert (done.returncode, done.stdout) == (0, "probability_No,probability_Yes,prediction\n")


def test_each_failure_has_its_exit_code(
    filed: Any,
    rows: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = filed.folders["xgboost"]
    frame = pd.read_csv(rows, dtype=str)
    lacking, wrong = tmp_path / "lacking.csv", tmp_path / "wrong.csv"
    frame.drop(columns=["city"]).to_csv(lacking, index=False)
    frame.assign(b="many").to_csv(wrong, index=False)
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "schema.json").write_text("{}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", filed.endpoint)
    monkeypatch.setattr(cpu, "limit_threads", lambda: 1)
    for code, words, arguments in [
        (2, "--input", ["--uri", folder]),
        (66, "more than one type", ["--model", "made", "--bucket", "filed", "--input", rows]),
        (66, "no current version", ["--model", "x", "--bucket", "filed", "--input", rows]),
        (66, "no bucket", ["--model", "made", "--bucket", "nowhere", "--input", rows]),
        (66, "no file", ["--uri", folder, "--input", tmp_path / "nothing.csv"]),
        (66, "no object", ["--uri", folder, "--input", "s3://filed/nothing.csv"]),
        (67, "rows lack column 'city'", ["--uri", folder, "--input", lacking]),
        (67, "'b' must be of kind number", ["--uri", folder, "--input", wrong]),
        (65, "schema.json is not the file", ["--uri", broken, "--input", rows]),
        (73, "cannot write", ["--uri", folder, "--input", rows, "--output", tmp_path / "a/b"]),
    ]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["predict", *map(str, arguments)])
        printed = capsys.readouterr()
        assert (ended.value.code, printed.out) == (code, ""), (words, printed.err)
        assert words in printed.err
        assert code == 2 or printed.err.count("\n") == 1
    structlog.reset_defaults()


def test_without_credentials_the_store_refuses(predict: Any, rows: Path) -> None:
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/nowhere"}
    done = predict(
        "--model", "made", "--bucket", "filed", "--type", "xgboost", "--input", rows,
        AWS_EC2_METADATA_DISABLED="true", **none,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (74, "")
    assert done.stderr.startswith("trainyard-trainer: reading s3://filed/models/made/current.json")
    assert "no credentials; set AWS_ACCESS_KEY_ID" in done.stderr
    assert done.stderr.count("\n") == 1


def test_rows_are_scored_alike_in_parts(
    filed: Any, make_frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainyard_trainer import predict as work

    scorer = scoring.load(filed.folders["xgboost"])
    table = pa.Table.from_pandas(make_frame("binary", rows=50).assign(code="007"))
    monkeypatch.setattr(work, "_ROWS_AT_ONCE", 7)
    np.testing.assert_array_equal(work.score(scorer, table), scorer.predict(table))


def test_a_reader_may_leave_early(filed: Any, make_frame: MakeFrame, tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    make_frame("binary", rows=20_000).assign(code="007").to_parquet(rows)
    command = [sys.executable, "-m", "trainyard_trainer.cli", "predict", "--input", str(rows)]
    process = subprocess.Popen(
        [*command, "--uri", str(filed.folders["xgboost"])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "probability_No,probability_Yes,prediction\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(timeout=30)
