from pathlib import Path

import pytest
from trainyard_schema import (
    Hyperparameters,
    ModelType,
    RandomForestHyperparameters,
    Reason,
    XGBoostHyperparameters,
)
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.memory import (
    anonymous,
    check,
    gate_needed,
    memory_limit,
    needed,
    resident,
)

GIB = 2**30


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")


@pytest.mark.parametrize(
    ("text", "limit"), [("1073741824", 2**30), ("max", None), ("9223372036854771712", None)]
)
def test_cgroup_v2(tmp_path: Path, text: str, limit: int | None) -> None:
    _write(tmp_path / "cg" / "memory.max", text)
    _write(tmp_path / "self", "0::/")
    assert memory_limit(tmp_path / "cg", tmp_path / "self") == limit


@pytest.mark.parametrize(("text", "limit"), [("536870912", 2**29), ("9223372036854771712", None)])
def test_cgroup_v1(tmp_path: Path, text: str, limit: int | None) -> None:
    _write(tmp_path / "cg" / "memory" / "memory.limit_in_bytes", text)
    _write(tmp_path / "self", "4:memory:/kubepods/pod1/abc\n3:cpu,cpuacct:/x")
    assert memory_limit(tmp_path / "cg", tmp_path / "self") == limit


def test_the_tightest_level_holds(tmp_path: Path) -> None:
    _write(tmp_path / "cg" / "pod" / "memory.max", "1000000")
    _write(tmp_path / "cg" / "pod" / "container" / "memory.max", "max")
    _write(tmp_path / "self", "0::/pod/container")
    assert memory_limit(tmp_path / "cg", tmp_path / "self") == 1_000_000


def test_no_cgroup_at_all(tmp_path: Path) -> None:
    assert memory_limit(tmp_path / "cg", tmp_path / "self") is None


def test_this_process_holds_some_megabytes() -> None:
    assert 10e6 < resident() < 1e11


def _needed(hyperparameters: Hyperparameters, model_type: ModelType, rows: int) -> int:
    return needed(hyperparameters, model_type, rows=rows, columns=30, outputs=2)


def test_a_booster_needs_some_copies_of_the_matrix() -> None:
    more = [_needed(XGBoostHyperparameters(), ModelType.XGBOOST, n) for n in (10**5, 2 * 10**5)]
    assert 1 < (more[1] - more[0]) / (10**5 * 30 * 4) < 5


def test_a_booster_that_continues_needs_more() -> None:
    given = XGBoostHyperparameters()
    once, further = (
        needed(given, ModelType.XGBOOST, rows=10**6, columns=30, outputs=2, continued=continued)
        for continued in (False, True)
    )
    assert further - once == 2 * 10**6 * 30 * 4


def test_a_forest_needs_room_for_its_nodes() -> None:
    def trees(**given: int) -> int:
        return _needed(RandomForestHyperparameters(**given), ModelType.RANDOM_FOREST, 10**6)

    assert trees(n_estimators=300, min_samples_leaf=20) > 1.2 * GIB
    assert trees(n_estimators=300, min_samples_leaf=1) > 10 * GIB
    assert trees(n_estimators=300, min_samples_leaf=1, max_depth=8) < GIB
    assert trees(n_estimators=10, min_samples_leaf=20) < GIB


@pytest.mark.parametrize("limit", [None, 4 * GIB])
def test_enough_memory_is_no_finding(limit: int | None) -> None:
    assert check(2 * GIB, limit, "a table") == []


def test_memory_that_may_do_is_a_warning() -> None:
    (warning,) = check(2 * GIB, 2 * GIB, "8 rows of 3 columns")
    assert warning == (
        "training on 8 rows of 3 columns takes about 2048Mi of memory and the limit is 2048Mi; "
        "set spec.resources.limits.memory to 2560Mi if the run is OOMKilled"
    )


def test_memory_that_cannot_do_is_refused_with_what_would() -> None:
    with pytest.raises(TrainerError, match=r"limits\.memory to 5120Mi$") as caught:
        check(4 * GIB, 2 * GIB, "a table")
    assert caught.value.reason == Reason.INSUFFICIENT_MEMORY
    assert check(4 * GIB, 5120 * 2**20, "a table") == []


@pytest.mark.parametrize(
    ("model_types", "measured"),
    [
        ({ModelType.XGBOOST}, 224),
        ({ModelType.RANDOM_FOREST}, 351),
        ({ModelType.NEURAL_NET}, 461),
        ({ModelType.NEURAL_NET, ModelType.XGBOOST}, 526),
        ({ModelType.NEURAL_NET, ModelType.RANDOM_FOREST}, 553),
    ],
)
def test_run_and_gate_take_about_what_was_measured(
    model_types: set[ModelType], measured: int
) -> None:
    more = gate_needed(XGBoostHyperparameters(), model_types, rows=2000, columns=30, outputs=2)
    assert 0.85 < more / (measured << 20) < 1.25


def test_the_gate_loads_the_trees_of_a_forest() -> None:
    def together(trees: int) -> int:
        return gate_needed(
            RandomForestHyperparameters(n_estimators=trees),
            {ModelType.RANDOM_FOREST},
            rows=160_000,
            columns=30,
            outputs=2,
        )

    assert 0.7 < together(100) / (572 << 20) < 1.3
    assert together(1000) > 2 * together(100)


def test_what_no_file_backs_is_a_part_of_what_a_process_holds() -> None:
    block = bytearray(64 << 20)
    assert 64 << 20 < anonymous() < resident()
    assert len(block) > 0
    assert anonymous(2**22 + 1) == 0
