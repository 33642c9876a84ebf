"""README.md and docs/ agree with the code, with each other and with their limits."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

import app.errors
import loader.errors
from app.scoreboard.layout import OUTCOMES
from ops import docs
from ops.benchmarks.__main__ import main as bench
from tests.conftest import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}
README = TEXTS["README.md"]
MAX_README_LINES, MAX_COLUMNS = 150, 140
#: An event of `app.logs.event`, or of a line with a traceback.
EVENT = re.compile(r'(?:\bevent\(\s*log,|\blog\.\w+\(|"event":)\s*"(\w+\.\w+)"')

every_document = pytest.mark.parametrize("name", TEXTS)


def section(text, heading):
    """Return the text below a heading, up to the next heading of its level."""
    mark = heading.split()[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^{mark} |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1]


def table_rows(text):
    return [line for line in text.splitlines() if line.startswith("|")]


def code_blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def prose(text):
    """Return the lines outside code and tables."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [line for line in text.splitlines() if not line.startswith(("|", "    "))]


def anchors(text):
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def tracked_files():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines()]


def test_the_readme_is_within_its_limits():
    lines = README.splitlines()

    assert len(lines) <= MAX_README_LINES
    assert [] == [line for line in lines if len(line) > MAX_COLUMNS]


@every_document
def test_prose_is_within_its_columns(name):
    assert [] == [line for line in prose(TEXTS[name]) if len(line) > MAX_COLUMNS]


def test_the_generated_tables_are_up_to_date(capsys):
    assert 0 == docs.main(["--check"]), capsys.readouterr().out


@every_document
def test_every_link_resolves(name):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]):
        path, _, anchor = target.partition("#")
        if path.startswith(("http://", "https://")):
            continue
        linked = (ROOT / name).parent / path if path else ROOT / name
        if not linked.is_file() or (anchor and anchor not in anchors(linked.read_text(encoding="utf-8"))):
            broken.append(target)

    assert [] == broken


def test_every_document_named_in_other_files_exists():
    named = {
        (path.relative_to(ROOT).as_posix(), document)
        for path in tracked_files()
        if path.suffix not in (".svg", ".png", ".wav") and path.is_file()
        for document in re.findall(r"\bdocs/[\w-]+\.md\b", path.read_text(encoding="utf-8"))
    }

    assert set() == {(path, document) for path, document in named if not (ROOT / document).is_file()}
    assert {f"docs/{path.name}" for path in DOCUMENTS[1:]} <= {document for path, document in named if path == "README.md"}


@every_document
def test_code_blocks_parse(name):
    for block in code_blocks(TEXTS[name], "python"):
        ast.parse(block)
    for block in code_blocks(TEXTS[name], "json"):
        json.loads(block)
    for block in code_blocks(TEXTS[name], "yaml"):
        yaml.safe_load(block)
    for block in code_blocks(TEXTS[name], "sh"):
        checked = subprocess.run(["sh", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (0, "") == (checked.returncode, checked.stderr)
        for body in re.findall(r"-d '([^']*)'", block):
            assert "input" in json.loads(body)


def test_the_configuration_of_the_readme_is_valid(tmp_path):
    from loader.config.settings import load_settings

    (block,) = code_blocks(README, "yaml")
    (tmp_path / "tts_config.yaml").write_text(block)

    assert ["joe", "thorsten"] == [voice.name for voice in load_settings(tmp_path / "tts_config.yaml").voices]


@every_document
def test_every_file_of_ops_named_in_a_document_exists(name):
    assert [] == [path for path in set(re.findall(r"(?<![/\w])ops/[\w./-]*\w", TEXTS[name])) if not (ROOT / path).exists()]


def test_the_figures_of_the_readme_are_those_of_the_benchmarks():
    figures = table_rows(section(README, "## Figures"))

    assert set(figures) <= set(table_rows(section(TEXTS["docs/benchmarks.md"], "## Summary")))
    assert 6 == len(figures) - 2


def test_every_figure_of_the_summary_has_a_benchmark():
    named = set(re.findall(r"`ops/bench ([\w-]+)`", section(TEXTS["docs/benchmarks.md"], "## Summary")))

    assert named and named <= set(bench.commands)


def test_every_error_code_is_listed_with_its_status():
    rows = table_rows(section(TEXTS["docs/api.md"], "## Errors"))[2:]
    listed = {(int(row.split("|")[1]), code) for row in rows for code in re.findall(r"`([a-z]+(?:_[a-z]+)*)`", row)}

    assert {(each.status, each.code) for each in vars(app.errors).values() if "code" in getattr(each, "__dict__", ())} == listed


def test_every_exit_status_is_listed():
    listed = {int(status) for status in re.findall(r"^\| (\d+) \|", TEXTS["docs/configuration.md"], re.MULTILINE)}

    assert {each.exit_status for each in vars(loader.errors).values() if hasattr(each, "exit_status")} <= listed


def test_every_log_event_is_listed():
    sources = [path for folder in ("app", "loader") for path in Path(ROOT / folder).rglob("*.py")]
    logged = {event for path in sources for event in EVENT.findall(path.read_text(encoding="utf-8"))}
    logged |= {f"{kind}.{outcome}" for kind in ("speech", "captions", "explanation") for outcome in OUTCOMES}
    rows = table_rows(section(TEXTS["docs/operations.md"], "## Log events"))
    listed = {event for row in rows for event in re.findall(r"`(\w+\.\w+)`", row.split(" | ")[0])}

    assert logged == listed


def test_every_alert_has_a_row_in_the_runbook():
    groups = yaml.safe_load((ROOT / "ops" / "prometheus" / "chorus.rules.yml").read_text())["groups"]
    rows = table_rows(section(TEXTS["docs/operations.md"], "## Alerts"))[2:]
    alerts = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]

    assert alerts == [row.split("`")[1] for row in rows]


def test_every_package_has_a_line_in_the_architecture():
    rows = table_rows(section(TEXTS["docs/architecture.md"], "## Packages"))
    listed = {name for row in rows for name in re.findall(r"^\| `((?:app|loader)/\w+)/` \|", row)}

    packages = {path.parent for folder in ("app", "loader") for path in ROOT.glob(f"{folder}/*/__init__.py")}

    assert {path.relative_to(ROOT).as_posix() for path in packages} == listed
