"""ops/grafana and ops/prometheus: every expression parses, and asks for what a server exposes."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from tests.conftest import ROOT
from tests.support.harness import Server

NAME = re.compile(r"\btts_\w+")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}


def dashboard():
    return json.loads((ROOT / "ops" / "grafana" / "chorus.json").read_text())


def targets():
    return [target for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def queries():
    return [variable["query"]["query"] for variable in dashboard()["templating"]["list"]]


@pytest.fixture(scope="module")
def exposed(settings, embedded_artifact, tmp_path_factory):
    """Return the names that a real server exposes; some have a series only once they were measured."""
    config = tmp_path_factory.mktemp("config") / "tts_config.yaml"
    config.write_text(f"model_path: embedded/joe\ncache_dir: {settings.cache_dir}\n")
    server = Server(config).start().ready()
    types = re.findall(r"^# TYPE (\w+) (\w+)$", server.ask("GET", "/metrics").body.decode(), re.MULTILINE)
    server.stop()
    return {name + suffix for name, kind in types for suffix in SUFFIXES.get(kind, ("",))}


def test_everything_the_dashboard_asks_for_is_exposed(exposed):
    named = {name for text in [*(target["expr"] for target in targets()), *queries()] for name in NAME.findall(text)}

    assert len(named) > 20
    assert named <= exposed


def test_everything_the_alerts_ask_for_is_exposed(exposed):
    rules = yaml.safe_load((ROOT / "ops" / "prometheus" / "chorus.rules.yml").read_text())
    named = {name for group in rules["groups"] for rule in group["rules"] for name in NAME.findall(rule["expr"])}

    assert len(named) > 6
    assert named <= exposed


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool; Debian's package is `prometheus`")
def test_every_expression_parses(tmp_path):
    rules = [{"record": f"panel:{number}", "expr": filled(target["expr"])} for number, target in enumerate(targets())]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    result = subprocess.run(["promtool", "check", "rules", tmp_path / "panels.yml"], capture_output=True, text=True, check=False)

    assert 0 == result.returncode, result.stdout + result.stderr
    assert f"{len(rules)} rules found" in result.stdout


def filled(expression):
    """Put values in for Grafana's variables."""
    return expression.replace("$__rate_interval", "5m").replace("$job", "chorus").replace("$instance", ".*")


def test_it_can_be_imported_anywhere_and_again():
    document = dashboard()

    assert "chorus-tts" == document["uid"]
    assert ["DS_PROMETHEUS"] == [each["name"] for each in document["__inputs"]]
    assert {"${DS_PROMETHEUS}"} == {target["datasource"]["uid"] for target in targets()}
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    rows = [panel["title"] for panel in document["panels"] if panel["type"] == "row"]
    assert ["Traffic", "Latency", "Queue", "Workers", "Memory"] == rows
