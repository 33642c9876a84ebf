"""ops/prometheus: every alert fires when it should, and not when it should not, by Prometheus's own tool."""

import shutil
import subprocess

import pytest
import yaml

from tests.conftest import ROOT

FILES = ROOT / "ops" / "prometheus"
pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool; Debian's package is `prometheus`")


def promtool(*words, cwd=FILES):
    return subprocess.run(["promtool", *words], cwd=cwd, capture_output=True, text=True, check=False)


def alerts():
    groups = yaml.safe_load((FILES / "chorus.rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def test_the_files_are_what_prometheus_reads():
    result = promtool("check", "config", "prometheus.yml")

    assert (0, "") == (result.returncode, result.stderr)
    assert "rules found" in result.stdout


def test_the_rules_do_what_their_tests_say():
    result = promtool("test", "rules", "chorus.test.yml")

    assert 0 == result.returncode, result.stdout + result.stderr


def test_every_alert_has_a_test_and_says_what_to_do():
    tests = (FILES / "chorus.test.yml").read_text()

    assert 12 == len(alerts())
    for rule in alerts():
        assert f'alertname="{rule["alert"]}"' in tests
        assert {"summary", "remedy"} == set(rule["annotations"])
        assert rule["labels"]["severity"] in ("page", "ticket")


@pytest.mark.parametrize("turned", ["({0}) unless ({0})", 'count by (job, instance) ({{instance!=""}})'], ids=["never", "always"])
@pytest.mark.parametrize("name", [rule["alert"] for rule in alerts()])
def test_an_alert_that_never_or_always_fires_fails_its_test(name, turned, tmp_path):
    """So that no test passes whatever the rule says."""
    document = yaml.safe_load((FILES / "chorus.rules.yml").read_text())
    for group in document["groups"]:
        for rule in group["rules"]:
            if rule.get("alert") == name:
                rule["expr"] = turned.format(rule["expr"])
    (tmp_path / "chorus.rules.yml").write_text(yaml.safe_dump(document))
    shutil.copy(FILES / "chorus.test.yml", tmp_path)

    result = promtool("test", "rules", "chorus.test.yml", cwd=tmp_path)

    assert 0 != result.returncode
    assert f'alertname=\\"{name}\\"' in result.stdout + result.stderr
