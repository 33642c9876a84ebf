"""app.tracing.setup: OpenTelemetry is imported only if its variables are set."""

import subprocess
import sys

import pytest

from app.tracing.setup import is_enabled
from tests.conftest import ROOT

SOMEWHERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
ELSEWHERE = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}


@pytest.mark.parametrize(
    "environment, enabled",
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "chorus"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        (SOMEWHERE, True),
        (ELSEWHERE, True),
        ({**SOMEWHERE, "OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({**SOMEWHERE, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**SOMEWHERE, "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_the_standard_variables_switch_it_on_and_off(environment, enabled):
    assert enabled == is_enabled(environment)


@pytest.mark.parametrize("environment, loaded, threads", [({}, False, 1), (SOMEWHERE, True, 1)])
def test_the_master_imports_it_only_if_it_is_enabled_and_stays_single_threaded(environment, loaded, threads):
    program = (
        "import os, sys, app.serving.hooks, app.wsgi; from app.tracing import setup; "
        f"setup.prepare({environment}); print('opentelemetry' in sys.modules, app.serving.hooks.task_count())"
    )
    variables = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=variables, capture_output=True, text=True, check=True)

    assert f"{loaded} {threads}\n" == result.stdout
