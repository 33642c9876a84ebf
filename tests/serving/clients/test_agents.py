"""Voice agents: LiveKit and Pipecat with their own services for OpenAI."""

import pytest

TEXT = "Good morning to all of you."
LONG = "A sentence that is long enough to be decoded in several windows, one after the other. " * 20
RATE_HZ = 24_000


@pytest.mark.parametrize("audio_format", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
@pytest.mark.parametrize("model", ["tts-1", "gpt-4o-mini-tts"])  # the second asks for server-sent events
def test_livekit_has_frames_of_the_right_rate(run_python, server, model, audio_format):
    frames, rates_hz, audio_s = run_python(
        "livekit", "livekit_program.py", f"http://127.0.0.1:{server.port}/v1", model, audio_format, TEXT, False
    )

    assert frames > 3 and [RATE_HZ] == rates_hz
    assert 1.0 < audio_s < 3.0


def test_livekits_interruption_stops_the_work(run_python, server, speaks_until_abandoned):
    run_python("livekit", "livekit_program.py", f"http://127.0.0.1:{server.port}/v1", "gpt-4o-mini-tts", "pcm", LONG, True)

    speaks_until_abandoned(1)


def test_pipecat_has_frames_of_the_right_rate(run_python, server):
    names, audio_bytes, rates_hz = run_python(
        "pipecat", "pipecat_program.py", f"http://127.0.0.1:{server.port}/v1", TEXT, False
    )

    assert ["TTSStartedFrame", "TTSStoppedFrame"] == names
    assert [RATE_HZ] == rates_hz and 1.0 < audio_bytes / 2 / RATE_HZ < 3.0


def test_pipecats_interruption_stops_the_work(run_python, server, speaks_until_abandoned):
    names, audio_bytes, _rates_hz = run_python(
        "pipecat", "pipecat_program.py", f"http://127.0.0.1:{server.port}/v1", LONG, True
    )

    assert "InterruptionFrame" in names and "ErrorFrame" not in names
    assert audio_bytes / 2 / RATE_HZ < 60
    speaks_until_abandoned(1)
