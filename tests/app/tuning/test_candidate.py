"""app.tuning.candidate: the configuration of a candidate's server, and its memory."""

import subprocess
import sys

import yaml

from app.tuning.candidate import document_for, server_memory
from app.tuning.plan import Candidate
from loader.config.settings import load_settings

EVERYTHING = """
voices: [{name: one, model_path: models/one}, {name: two, model_path: tts_models/en/ljspeech/vits}]
cache_dir: some/cache
workers: 7
bind: unix:/run/chorus.sock
limits: {text_characters: 10}
admission: {queue: 1, stall_s: 9}
api_keys: {sha256: [0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef]}
"""


def test_the_server_of_a_candidate_is_the_configured_one_with_other_workers_and_threads(tmp_path):
    (tmp_path / "here").mkdir()
    config, written = tmp_path / "here" / "tts_config.yaml", tmp_path / "written.yaml"
    config.write_text(EVERYTHING)
    settings = load_settings(config)
    document = document_for(yaml.safe_load(EVERYTHING), settings, Candidate(3, 5), 12345)
    written.write_text(yaml.safe_dump(document))
    measured = load_settings(written)

    assert (3, 5, "127.0.0.1:12345") == (measured.workers, measured.threads, measured.bind)
    assert settings.voices == measured.voices
    assert settings.cache_dir == measured.cache_dir
    assert settings.limits == measured.limits
    assert settings.admission.stall_s == measured.admission.stall_s
    # Without API keys, and requests that wait are measured instead of refused.
    assert () == measured.api_keys.sha256
    assert measured.admission.queue >= 1000


def test_the_children_of_a_worker_count_as_its_own():
    family = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1], *sys.argv[2:]])"
    words = [sys.executable, "-c", family, family, "print(1, flush=True); input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as master:
        master.stdout.readline()
        memory = server_memory(master.pid)
        master.stdin.close()

    assert 1 == len(memory.worker_uss_bytes)
    assert 0 < memory.worker_uss_bytes[0] < memory.pss_bytes
    assert 0 < memory.shared_bytes
