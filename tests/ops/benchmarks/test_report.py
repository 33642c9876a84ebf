"""From values of rounds to figures: medians, targets, the last line of JSON, the table."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.system.machine import this_machine
from ops.benchmarks.__main__ import main
from ops.benchmarks.report import Value, markdown_table, measure_rounds, percentile, print_report

ROUNDS = [[Value("ratio", "x", ratio, ">= 2"), Value("time", "s", time_s)] for ratio, time_s in ((2.0, 1.0), (1.0, 3.0))]


@pytest.mark.parametrize(("target", "values", "meets"), [
    ("<= 2", (2.0,), True), ("< 2", (2.0,), False), (">= 2", (2.0,), True), (">= 2", (1.0, 1.5, 9.0), False),
])  # fmt: skip
def test_the_median_is_held_to_the_target(target, values, meets):
    figures = measure_rounds(lambda number: [Value("ratio", "x", values[number - 1], target)], len(values))
    assert meets is figures["ratio"]["met"]


def test_values_of_all_rounds_become_figures_by_name():
    ratio, time = measure_rounds(lambda number: ROUNDS[number - 1], 2).values()

    assert {"unit": "x", "median": 1.5, "min": 1.0, "max": 2.0, "values": [2.0, 1.0], "target": ">= 2", "met": False} == ratio
    assert {"unit": "s", "median": 2.0, "min": 1.0, "max": 3.0, "values": [1.0, 3.0]} == time


def test_the_last_line_is_the_json_that_the_table_is_made_of(tmp_path, capsys):
    figures = measure_rounds(lambda number: ROUNDS[number - 1], 2)
    document = {"benchmark": "throughput", "cores_used_by_others": 0.25, "figures": figures, "notes": ["A note."]}
    print_report(document, this_machine())

    *lines, last = capsys.readouterr().out.splitlines()
    assert document == json.loads(last)
    assert "ratio    1.500 x    (1.000..2.000)      target >= 2: MISSED" in lines and "A note." in lines
    (tmp_path / "report.json").write_text(last)
    table = markdown_table([tmp_path / "report.json"])
    assert "| `ops/bench throughput` | ratio | 1.5 x | 1 to 2 | >= 2: **missed** |" in table


def test_a_percentile_is_one_of_the_values():
    assert (3.0, 0.0) == (percentile([3.0, 1.0, 9.0], 50), percentile([], 99))
    assert 99.0 == percentile([float(each) for each in range(100, 0, -1)], 99)


def test_every_benchmark_has_a_line_in_the_help_and_states_pairing_figures_and_target():
    listed = CliRunner().invoke(main, ["--help"], terminal_width=130).output.partition("Commands:\n")[2].splitlines()

    assert len(main.commands) == len(listed)
    for name, command in main.commands.items():
        if name != "table":
            text = command.help
            assert all(word in text for word in ("Pairing:", "Figures:", "Target")), name


def test_ops_imports_nothing_of_the_tests():
    for path in Path(__file__).parents[3].joinpath("ops").rglob("*.py"):
        assert "import tests" not in path.read_text() and "from tests" not in path.read_text(), path
