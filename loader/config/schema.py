"""Every key of tts_config.yaml: its default, its bounds and its one-line description.

The only place that knows a key. `python -m ops.docs` writes the table of docs/configuration.md from it.
"""

from typing import Any

import voluptuous as vol

from loader.config.validators import absent_or, address, device, digest, flag, label, number, one_of, text, whole


def _key(name: str, default: Any, description: str) -> vol.Optional:
    return vol.Optional(name, default=default, description=description)


_ENGINES = ("auto", "onnx", "pytorch", "coqui")

VOICE = vol.Schema(
    {
        vol.Required("name", description="what clients call the voice"): text,
        vol.Required("model_path", description="as `model_path` above"): text,
        _key("version", None, "as `version` above"): absent_or(label),
        _key("aliases", list, "further names for the same voice"): [text],
        _key("engine", None, "as `engine` above, for this voice"): absent_or(one_of(*_ENGINES)),
        _key("speaker", None, "who speaks unless a request says otherwise; default: the voice's first"): absent_or(label),
        _key("language", None, "what it speaks unless a request says otherwise, and the name of an only language; default: the voice's first"): absent_or(label),
        _key("length_scale", None, "as `speech.length_scale`, for this voice"): absent_or(number(0.1, 10.0)),
        _key("noise_scale", None, "as `speech.noise_scale`, for this voice"): absent_or(number(0.0, 2.0)),
        _key("noise_scale_duration", None, "as `speech.noise_scale_duration`, for this voice"): absent_or(number(0.0, 2.0)),
        _key("preload", None, "open it before the fork; default: only the first voice is, the others when they first speak"): absent_or(flag),
    }
)

_QUANTIZATION = vol.Schema(
    {
        _key("enabled", False, "accepted for the article's files; full precision is served until the int8 gate exists"): flag,
        _key("backend", "onnx", "`pytorch` or `onnx`"): one_of("pytorch", "onnx"),
    }
)

_LIMITS = vol.Schema(
    {
        _key("text_characters", 20_000, "longest text of one request; longer is refused with 413, never cut"): whole(1, 1_000_000),
        _key("audio_s", 7_200.0, "longest audio of one whole file or of captions, in seconds; longer is refused with 413; streams may be of any length"): number(1.0, 604_800.0),
        _key("answer_bytes", 134_217_728, "largest whole answer, kept in the system's folder of temporary files while it is made; larger is refused with 413; streams may be of any size"): whole(65_536, 4_294_967_295),
        _key("silence_s", 3_600.0, "longest silence between all sentences of one request together, in seconds; longer is refused with 413"): number(0.0, 604_800.0),
        _key("body_bytes", 262_144, "largest request body; larger is refused with 413"): whole(1_024, 16_777_216),
    }
)

_API_KEYS = vol.Schema(
    {
        _key("sha256", list, "who may ask for speech: the hash of each API key, as `chorus key` says it; default: anybody"): [digest],
        _key("public_listings", True, "models and voices are listed without a key too, as Open WebUI asks for them"): flag,
    }
)

_SPEECH = vol.Schema(
    {
        _key("sentence_pause_s", 0.45, "silence between sentences, in seconds (Coqui's own servers use 0.45)"): number(0.0, 10.0),
        _key("length_scale", None, "slower above 1, faster below; default: what the voice was trained with"): absent_or(number(0.1, 10.0)),
        _key("noise_scale", None, "variation of the sound; default: the voice's own"): absent_or(number(0.0, 2.0)),
        _key("noise_scale_duration", None, "variation of the rhythm; default: the voice's own"): absent_or(number(0.0, 2.0)),
        _key("first_clause", True, "a long first sentence is cut after its first clause, so that audio starts early"): flag,
        _key("parallel", True, "several threads speak one request while cores are idle; the audio is the same"): flag,
    }
)

_ADMISSION = vol.Schema(
    {
        _key("queue", 64, "requests that may wait while all workers are busy; more are refused with 503 and when to come back"): whole(0, 1_000),
        _key("wait_s", 30.0, "how long a request may wait for its turn, in seconds; a client may ask for less with `X-Request-Timeout`"): number(0.0, 3600.0),
        _key("stall_s", 60.0, "a worker that makes no next piece of audio for so long is dumped, killed and replaced, in seconds; "
             "whole utterances of the `coqui` engine have ten times as long"): number(1.0, 3600.0),
        _key("parked", 32, "answers of each worker that may wait for slow clients, a thread each; for one more the slowest is cut"): whole(1, 1_000),
    }
)

_WATCHDOG = vol.Schema(
    {
        _key("every", 1000, "syntheses of a worker between two samples of `tracemalloc` and of the device's allocator"): whole(10, 1_000_000),
        _key("growth", 0.1, "sustained growth of those two that is an alert, as a fraction"): number(0.01, 10.0),
        _key("leak_bytes", 512, "steady growth that is an alert, in bytes a request"): whole(16, 1_073_741_824),
        _key("action", "log", "what an alert is followed by: `log`, `trim`, or `replace` (the worker, between two requests)"): one_of("log", "trim", "replace"),
        _key("trace", False, "keep `tracemalloc` on; false turns it on only while a suspected leak is looked for"): flag,
    }
)

SCHEMA = vol.Schema(
    {
        _key("model_path", None, "a Coqui model directory, a baked artifact, a Coqui model name (`tts_models/...`), or `embedded/joe`"): absent_or(text),
        _key("version", None, "what the model's version.txt must say; any when absent"): absent_or(label),
        _key("device", "cpu", "`cpu`, `cuda` or `cuda:N`; voices of the `onnx` engine speak on the CPU in any case"): device,
        _key("device_retry_after_s", None, "how long the device is left alone after its memory was full, in seconds; default: until the marker is reset"): absent_or(number(1.0, 31_536_000.0)),
        _key("use_cache", True, "keep baked artifacts in `cache_dir`; false bakes anew at every start"): flag,
        _key("mmap", True, "map the weights (shared, read on demand); false reads them into the master's memory"): flag,
        _key("quantization", dict, "int8, as in the article"): _QUANTIZATION,
        _key("voices", list, "several voices; the first is the default one. Excludes `model_path`"): [VOICE],
        _key("engine", "auto", "`onnx` or `pytorch` for VITS, `coqui` for the other families, or `auto`: `onnx` on a CPU, `pytorch` on CUDA, `coqui` for the rest"): one_of(*_ENGINES),
        _key("preload", True, "open voices in the master and fork; false opens them in every worker from the same files"): flag,
        _key("cache_dir", "~/.cache/chorus", "where artifacts and the embedded voice are kept"): text,
        _key("bind", "127.0.0.1:8080", "HOST:PORT or unix:PATH"): address,
        _key("workers", None, "worker processes; default: one per usable core"): absent_or(whole(1, 512)),
        _key("threads", 4, "requests one worker serves at a time"): whole(2, 64),
        _key("request_timeout_s", 120.0, "how long a stopping worker may finish its requests, in seconds"): number(1.0, 3600.0),
        _key("log_format", "logfmt", "`logfmt` or `json`"): one_of("logfmt", "json"),
        _key("limits", dict, "what is refused"): _LIMITS,
        _key("admission", dict, "who waits, and for how long"): _ADMISSION,
        _key("watchdog", dict, "what is done about memory that grows"): _WATCHDOG,
        _key("api_keys", dict, "who is let in"): _API_KEYS,
        _key("speech", dict, "how the voices speak"): _SPEECH,
    }
)  # fmt: skip
