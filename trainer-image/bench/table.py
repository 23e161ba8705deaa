"""Tables of any length with 30 feature columns, as CSV in the object store.

    python table.py s3://bucket/prefix/ 10000 100000

puts `rows-<rows>.csv` of each length there, for the trainer's benchmark. Each block of 100,000 rows
has a generator of its own, seeded with 2026 and the block's number, so that a table begins as the
shorter ones do. The process that makes them:

- n01 to n08: normal(0, 1), six decimals
- n09 to n12: lognormal(3, 1), two decimals
- n13 to n16: whole numbers, uniform from 0 to 1000
- n17 to n20: normal(0, 1), six decimals, missing in 10 % of the rows
- c01 to c10: text of 2, 3, 4, 5, 8, 12, 20, 30, 50 and 200 levels; level k has a share proportional
  to 1 / (k + 3); c05 and c10 are missing in 5 % of the rows
- y: "yes" with a probability of the logistic function of
  n01 + n02 n03 - [n13 > 700] + 0.5 log(n09 / 20) + 1.2 [c01 = level-0] - 0.8 [c06 = level-1]
  + 0.7 n17 - 0.5, where n17 is the value before some are removed; else "no"
"""

import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.csv

_SEED = 2026
_BLOCK_ROWS = 100_000
_LEVELS = (2, 3, 4, 5, 8, 12, 20, 30, 50, 200)


def block(number: int) -> pa.Table:
    """The `number`th 100,000 rows."""
    random = np.random.default_rng([_SEED, number])
    size = _BLOCK_ROWS
    numbers = {f"n{i:02}": random.normal(size=size).round(6) for i in range(1, 9)}
    numbers |= {f"n{i:02}": random.lognormal(3, 1, size).round(2) for i in range(9, 13)}
    numbers |= {f"n{i:02}": random.integers(0, 1001, size) for i in range(13, 17)}
    numbers |= {f"n{i:02}": random.normal(size=size).round(6) for i in range(17, 21)}
    codes = {}
    for i, levels in enumerate(_LEVELS, 1):
        share = 1 / (np.arange(levels) + 3)
        codes[f"c{i:02}"] = random.choice(levels, size, p=share / share.sum())
    score = (
        numbers["n01"]
        + numbers["n02"] * numbers["n03"]
        - (numbers["n13"] > 700)
        + 0.5 * np.log(numbers["n09"] / 20)
        + 1.2 * (codes["c01"] == 0)
        - 0.8 * (codes["c06"] == 1)
        + 0.7 * numbers["n17"]
        - 0.5
    )
    yes = random.random(size) < 1 / (1 + np.exp(-score))
    columns = {}
    for name, values in numbers.items():
        missing = random.random(size) < 0.1 if name >= "n17" else None
        columns[name] = pa.array(values, mask=missing)
    for (name, values), levels in zip(codes.items(), _LEVELS, strict=True):
        missing = random.random(size) < 0.05 if name in {"c05", "c10"} else None
        words = pa.array([f"level-{k}" for k in range(levels)])
        columns[name] = words.take(pa.array(values, mask=missing))
    columns["y"] = pa.array(["no", "yes"]).take(pa.array(yes.astype(np.int8)))
    return pa.table(columns)


def write(rows: int, path: Path) -> None:
    """Write a table of so many rows; missing values are empty."""
    first = block(0)
    with pa.csv.CSVWriter(path, first.schema) as writer:
        for start in range(0, rows, _BLOCK_ROWS):
            part = block(start // _BLOCK_ROWS) if start else first
            writer.write_table(part.slice(0, rows - start))


def main() -> None:
    """Write and upload the tables that the command line asks for."""
    prefix = urlsplit(sys.argv[1])
    client = boto3.client(
        "s3", endpoint_url=os.environ.get("S3_ENDPOINT"), region_name=os.environ["AWS_REGION"]
    )
    for rows in map(int, sys.argv[2:]):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"rows-{rows}.csv"
            write(rows, path)
            client.upload_file(str(path), prefix.netloc, prefix.path.lstrip("/") + path.name)
            sys.stdout.write(f"{prefix.geturl()}{path.name}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
