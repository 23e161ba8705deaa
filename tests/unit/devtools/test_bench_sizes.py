from typing import Any

from trainyard_devtools.bench.programs import Figures
from trainyard_devtools.bench.sizes import SIZES, as_table, case, summary
from trainyard_schema import ModelType, StorageConfig

STORAGE = StorageConfig(bucket="b", endpoint_url="http://s3:7070")


def _entry(name: str, program: str, seconds: float, megabytes: float) -> dict[str, Any]:
    return {
        "case": name,
        "program": program,
        "seconds": seconds,
        "cpuSeconds": seconds,
        "peakMb": megabytes,
        "firstProgressSeconds": 0.3 if program == "trainer" else None,
    }


def _figures() -> Figures:
    runs = [(3.0, 100.0), (1.0, 100.0), (2.0, 300.0)]
    return Figures(
        _entry(f"{model_type}/{size}", program, seconds * factor, megabytes * factor)
        for model_type in ModelType
        for size in SIZES
        for program, factor in (("trainer", 1.5), ("plain", 1.0))
        for seconds, megabytes in runs
    )


def test_every_case_is_a_valid_run() -> None:
    for model_type in ModelType:
        for size, rows in SIZES.items():
            made = case(model_type, size, STORAGE)
            assert made.run.data.uri.endswith(f"rows-{rows}.csv")
            assert made.run.model_types == [model_type]
            assert made.repeats >= 1


def test_the_summary_holds_ratios_of_medians() -> None:
    small = Figures([_entry("xgboost/1m", "trainer", 9.0, 812.4)])
    every = {str(model_type): 1.5 for model_type in ModelType}
    assert summary(_figures(), small) == {
        "overhead_ratio_10k": every,
        "overhead_ratio_100k": every,
        "overhead_ratio_1m": every,
        "peak_memory_ratio": every,
        "first_progress_seconds": 0.3,
        "xgboost_1m_peak_mb": 812,
    }


def test_the_table_has_a_row_for_each_program_of_each_case() -> None:
    assert as_table(_figures()).row_count == len(ModelType) * len(SIZES) * 2
