"""Many model directories in one process: `python -m tests.loader.bake.loose ours|theirs OUTPUT` reads cases from standard input.

`ours` bakes each directory and speaks with the artifact; `theirs` speaks with Coqui's own classes, readers and tokenizer.
Both write ids and samples; what is refused is an error of one line.
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np

from loader.releases.release import HASH_FILE, VERSION_FILE
from loader.releases.sealing import seal_release
from tests.loader.children import ROOT, TIMEOUT_S

SEED = 20


class Case(NamedTuple):
    """One directory, and whom to hear."""

    name: str
    directory: str
    #: `pytorch` for a VITS: quick to bake, and within 90 dB of the other engine.
    engine: str = "pytorch"
    speaker: str | None = None
    language: str | None = None


class Spoken(NamedTuple):
    """What came of a case: an error, or the voice's facts and a sentence."""

    error: str | None
    speakers: list[str]
    languages: list[str]
    ids: list[int]
    samples: np.ndarray


def speak_ours(cases, output):
    """Bake every case in one child and speak with it."""
    return _speak("ours", cases, output)


def speak_theirs(cases, output):
    """Speak every case with Coqui's own classes in one child."""
    return _speak("theirs", cases, output)


def seal(directory):
    """Seal all files of a directory, as its owner would."""
    names = {path.name for path in directory.iterdir() if path.is_file()} - {VERSION_FILE, HASH_FILE}
    seal_release(directory, "1", sorted(names))


def _speak(side, cases, output):
    words = [sys.executable, "-m", "tests.loader.bake.loose", side, output]
    text = json.dumps([each._replace(directory=str(each.directory)) for each in cases])
    done = subprocess.run(
        words, cwd=ROOT, input=text, capture_output=True, text=True, timeout=2 * TIMEOUT_S, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    answers = json.loads(done.stdout.splitlines()[-1])
    with np.load(output) as spoken:
        return {
            name: Spoken(**{**answer, "samples": spoken[name] if name in spoken else None}) for name, answer in answers.items()
        }


def _ours(case):
    from loader.artifacts.artifact import open_artifact
    from loader.bake.voice import bake_voice
    from loader.text.espeak import Espeak
    from loader.voices.opening import open_parts
    from tests.loader.bake.native import TEXT

    with tempfile.TemporaryDirectory() as target:
        bake_voice(Path(case.directory), Path(target), case.engine, lambda title: nullcontext())
        artifact = open_artifact(Path(target), map_files=False)
    facts = artifact.manifest.voice
    parts = open_parts(artifact, Espeak())
    language = case.language or facts.languages[0]
    ids = [number for reading in parts.front_end.utterances(TEXT, language) for number in reading.ids]
    samples = _our_samples(parts.engine, facts, ids, case, language)
    return {"speakers": [*facts.speakers], "languages": [*facts.languages], "ids": ids}, samples


def _our_samples(engine, facts, ids, case, language):
    from loader.engines.base import Prosody, Utterance
    from tests.loader.engines.families import SEED as FAMILIES_SEED
    from tests.loader.engines.families import Draws
    from tests.loader.engines.speaking import windows_of

    speaker = list(facts.speakers).index(case.speaker) if case.speaker else 0
    prosody = Prosody(facts.length_scale, facts.noise_scale, facts.noise_scale_duration)
    utterance = Utterance(ids, prosody, speaker, list(facts.languages).index(language))
    assert FAMILIES_SEED != SEED
    random = Draws() if case.engine == "coqui" else np.random.Generator(np.random.Philox(key=[SEED, 0]))
    return np.concatenate(windows_of(engine, utterance, random))


def _theirs(case):
    import torch

    from tests.loader.bake import native

    if case.engine == "coqui":
        return _family(case)
    if (Path(case.directory) / "tokenizer_config.json").exists():
        return _transformers(case)
    drawing = torch.randn, torch.randn_like
    try:
        is_fairseq = (Path(case.directory) / "vocab.txt").exists()
        model = (native._fairseq if is_fairseq else native._coqui)(Path(case.directory))
        said = native._spoken(model, SEED, case.speaker, case.language)
    finally:
        torch.randn, torch.randn_like = drawing
    return {"speakers": [], "languages": [], "ids": said["ids"]}, said["samples"]


def _transformers(case):
    import torch
    from transformers import VitsModel, VitsTokenizer

    from tests.loader.bake.native import TEXT

    model = VitsModel.from_pretrained(case.directory).eval()
    ids = VitsTokenizer.from_pretrained(case.directory)(TEXT, return_tensors="pt")["input_ids"]
    random = np.random.Generator(np.random.Philox(key=[SEED, 0]))
    drawing = torch.randn, torch.randn_like

    def noise(*shape, **_options):
        return torch.from_numpy(random.standard_normal(shape, dtype=np.float32))

    torch.randn, torch.randn_like = noise, lambda like, **_options: noise(*like.shape)
    try:
        with torch.inference_mode():
            samples = model(ids, speaker_id=int(case.speaker) if case.speaker else None).waveform[0].numpy()
    finally:
        torch.randn, torch.randn_like = drawing
    return {"speakers": [], "languages": [], "ids": ids[0].tolist()}, samples


def _family(case):
    import torch
    from TTS.utils.synthesizer import Synthesizer

    from tests.loader.bake.native import TEXT
    from tests.loader.engines.families import SEED as FAMILIES_SEED
    from tests.support.family_checkpoints import TRAINED_IN

    directory = Path(case.directory)
    with tempfile.TemporaryDirectory() as folder:
        configs = [Path(folder) / name for name in ("config.json", "vocoder_config.json")]
        for config in configs:
            config.write_text((directory / config.name).read_text().replace(TRAINED_IN, str(directory)))
        synthesizer = Synthesizer(
            tts_checkpoint=directory / "model_file.pth", tts_config_path=configs[0],
            vocoder_checkpoint=str(directory / "vocoder.pth"), vocoder_config=str(configs[1]),
        )  # fmt: skip
    torch.manual_seed(FAMILIES_SEED)
    np.random.seed(FAMILIES_SEED)
    done = synthesizer.tts_model.synthesize(TEXT, speaker=case.speaker, use_griffin_lim=False)
    samples = synthesizer._run_vocoder(done["outputs"]["model_outputs"][0], "cpu").squeeze().cpu().numpy()
    return {"speakers": [], "languages": [], "ids": done["text_inputs"][0].tolist()}, samples


def main(side, output):
    """Answer all cases of standard input."""
    import logging

    from loader.engines.compat.coqui_package import import_coqui
    from loader.errors import LoaderError

    logging.disable(logging.ERROR)
    import_coqui()
    answers, spoken = {}, {}
    for case in (Case(*each) for each in json.load(sys.stdin)):
        nothing = {"error": None, "speakers": [], "languages": [], "ids": []}
        try:
            answer, spoken[case.name] = {"ours": _ours, "theirs": _theirs}[side](case)
            answers[case.name] = nothing | answer
        except LoaderError as error:
            answers[case.name] = nothing | {"error": f"{error.exit_status} {error}"}
    np.savez(output, **spoken)
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
