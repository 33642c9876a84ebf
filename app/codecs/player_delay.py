"""When what is heard is heard by a player of the format that is sent."""

from app.encoding import delay_s
from app.speech_request import SpeechRequest
from loader.timing import Timing


def as_played(timing: Timing, request: SpeechRequest) -> Timing:
    """Return a timing as a player shows it: MP3 streams and AAC begin with silence that players cannot leave out."""
    rate_hz = request.speaking.voice.sample_rate_hz
    delay = delay_s(request.audio_format, rate_hz, request.wanted_rate_hz, request.streamed)
    return timing.later(round(delay * rate_hz)) if delay else timing
