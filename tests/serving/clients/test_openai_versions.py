"""One of each older major of OpenAI's client for Python; the newest has `test_openai_client`."""

import pytest

from app.synthesis.voices import STOCK_MODELS


@pytest.mark.parametrize("name", ["openai-1", "openai-2"])
def test_an_older_client_speaks_streams_lists_and_is_refused(run_python, server, name):
    version, whole_bytes, streamed_bytes, refused, models = run_python(
        name, "openai_program.py", f"http://127.0.0.1:{server.port}/v1"
    )

    assert name.removeprefix("openai-") == version.partition(".")[0]
    assert whole_bytes > 2_000 and 24_000 < streamed_bytes / 2 < 72_000
    assert ["invalid_value", "input"] == refused
    assert ["joe", *STOCK_MODELS] == models
