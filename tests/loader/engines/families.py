"""Every family with our engine and with Coqui's own classes, in one process that imports torch and TTS once.

`python -m tests.loader.engines.families DIRECTORY FAMILY=ARTIFACT=RELEASE ...` prints the results as JSON.
"""

import gc
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from loader.artifacts.artifact import open_artifact
from loader.engines import coqui
from loader.engines.base import Prosody, Utterance
from loader.text.espeak import Espeak
from loader.text.front_end import TextFrontEnd
from tests.loader.engines.speaking import windows_of
from tests.support.family_checkpoints import RECORDED, TRAINED_IN

SEED = 1234
TEXT = "Hello from one of many workers."


class Draws:
    """A random stream that an engine draws its seed from."""

    def integers(self, high):
        return SEED


def threads():
    return len(os.listdir("/proc/self/task"))


def opened(path):
    """Open an artifact as a master does, and record the side effects."""
    import torch

    before = torch.random.get_rng_state()
    artifact = open_artifact(Path(path))
    engine = coqui.open_engine(artifact)
    drawn = not torch.equal(before, torch.random.get_rng_state())
    return artifact, engine, {"threads_opened": threads(), "drawn": drawn}


def networks_of(model):
    if hasattr(model, "networks"):
        return list(model.networks.values())
    return [model.model, *([model.vocoder.generator] if model.vocoder else [])]


def elsewhere(artifact, engine):
    from tests.support.mapped_parameters import parameters_elsewhere

    return [name for network in networks_of(engine.model) for name in parameters_elsewhere(network, artifact.buffers.values())]


def ids_of(artifact):
    facts = artifact.manifest
    if facts.text is None:
        front_end = coqui.front_end(artifact)
    else:
        front_end = TextFrontEnd(facts.text, facts.voice.languages, artifact.buffers, Espeak())
    [reading] = front_end.utterances(TEXT, facts.voice.languages[0])
    return reading.ids


def spoken(artifact, engine, ids, speed=1.0, speaker=0, noise=None):
    voice = artifact.manifest.voice
    prosody = Prosody(voice.length_scale, voice.noise_scale if noise is None else noise, 0.0, speed)
    return np.concatenate(windows_of(engine, Utterance(ids, prosody, speaker, 0), Draws()))


def in_forks(artifact, engine, ids, count=4):
    """Speak in `count` forked children; return for each the digest of its samples, and the private bytes of the mapping."""
    pipes = []
    for _ in range(count):
        reading, writing = os.pipe()
        if os.fork() == 0:
            found = _in_child(artifact, engine, ids)
            os.write(writing, json.dumps(found).encode())
            os._exit(0)
        os.close(writing)
        pipes.append(os.fdopen(reading))
    found = [json.loads(pipe.read()) for pipe in pipes]
    for pipe in pipes:
        pipe.close()
        os.wait()
    return found


def _in_child(artifact, engine, ids):
    samples = spoken(artifact, engine, ids)
    return {
        "digest": digest(samples),
        "elsewhere": elsewhere(artifact, engine),
        "mapped_bytes": mapped_bytes(artifact, "Size"),
        "mapped_dirty_bytes": mapped_bytes(artifact, "Private_Dirty"),
        "dirty_bytes": rollup_bytes("Private_Dirty"),
    }


def digest(samples):
    return hashlib.sha256(samples.tobytes()).hexdigest()


def mapped_bytes(artifact, what):
    """Sum one figure of /proc/self/smaps over the mappings of the artifact's files."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0]:
            inside = str(artifact.directory) in line
        elif inside and line.startswith(f"{what}:"):
            total += 1024 * int(line.split()[1])
    return total


def rollup_bytes(what):
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def ours(path):
    artifact, engine, found = opened(path)
    ids = ids_of(artifact)
    plain = spoken(artifact, engine, ids)
    found |= {
        "elsewhere": elsewhere(artifact, engine),
        "weights_bytes": sum(len(artifact.buffers[name]) for name in artifact.buffers if name.endswith(".safetensors")),
        "again": digest(plain) == digest(spoken(artifact, engine, ids)),
        "slower": spoken(artifact, engine, ids, speed=0.5).size / plain.size,
        "without_noise": digest(plain) != digest(spoken(artifact, engine, ids, noise=0.0)),
        "speakers": len({digest(spoken(artifact, engine, ids, speaker=row)) for row, _ in enumerate(speakers_of(artifact))}),
        "forks": in_forks(artifact, engine, ids),
        "digest": digest(plain),
        "copied": digest(plain) == digest(coqui.CoquiEngine(engine.model.to("cpu")).model.samples(*seeded(artifact, ids))),
        "threads_spoken": threads(),
    }
    last = len(speakers_of(artifact)) - 1
    return artifact, ids, spoken(artifact, engine, ids, speaker=max(last, 0)), found


def seeded(artifact, ids):
    import torch

    torch.manual_seed(SEED)
    np.random.seed(SEED)
    voice = artifact.manifest.voice
    return (Utterance(ids, Prosody(voice.length_scale, voice.noise_scale, 0.0)),)


def speakers_of(artifact):
    return artifact.manifest.voice.speakers or [None]


def native(family, release, artifact, ids):
    """Speak the same ids with the same seed with Coqui's own classes, checkpoint readers and order of calls."""
    import torch

    speaker = speakers_of(artifact)[-1]
    if family == "xtts":
        return _native_xtts(release, speaker)
    from TTS.utils.synthesizer import Synthesizer

    vocoder = release / "vocoder.pth"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text((release / "config.json").read_text().replace(TRAINED_IN, str(release)))
        synthesizer = Synthesizer(
            tts_checkpoint=release / "model_file.pth", tts_config_path=config,
            vocoder_checkpoint=str(vocoder) if vocoder.exists() else "",
            vocoder_config=str(release / "vocoder_config.json"),
        )  # fmt: skip
    by_phases = synthesizer.vocoder_model is None
    torch.manual_seed(SEED)
    np.random.seed(SEED)
    done = synthesizer.tts_model.synthesize(TEXT, speaker=speaker, use_griffin_lim=by_phases)
    assert done["text_inputs"][0].tolist() == ids, "Coqui and the engine read the text differently"
    if by_phases:
        return done["wav"]
    return synthesizer._run_vocoder(done["outputs"]["model_outputs"][0], "cpu").squeeze().cpu().numpy()


def _native_xtts(release, speaker):
    import torch
    from TTS.config import load_config
    from TTS.tts.models import xtts

    from loader.bake.xtts import _load_audio

    xtts.load_audio = _load_audio
    config = load_config(release / "config.json")
    model = xtts.Xtts(config)
    model.load_checkpoint(config, checkpoint_dir=release, eval=True)
    torch.manual_seed(SEED)
    assert speaker == RECORDED
    return model.synthesize(TEXT, speaker_wav=release / f"speaker_{RECORDED}.wav", language="en")["wav"]


def decibels(expected, found):
    if expected.shape != found.shape:
        return f"{expected.shape} is not {found.shape}"
    error = float(((expected - found).astype(np.float64) ** 2).sum())
    return 10 * np.log10(float((expected.astype(np.float64) ** 2).sum()) / max(error, 1e-30))


def main(pairs):
    coqui.import_libraries()
    found = {"threads_imported": threads(), "families": {}}
    import torch

    made = _watch_unpickling()
    refused = ((torch, "load"), (np, "load"))
    originals = [(module, name, getattr(module, name)) for module, name in refused]
    mine = {}
    for module, name, _original in originals:
        setattr(module, name, _refuse)
    for family, artifact, _release in pairs:
        mine[family] = ours(artifact)
        gc.collect()
    found["unpickled"] = sorted(made)
    for module, name, original in originals:
        setattr(module, name, original)
    for family, _artifact, release in pairs:
        artifact, ids, samples, about = mine[family]
        theirs = native(family, Path(release), artifact, ids)
        loudness = float(np.sqrt((theirs.astype(np.float64) ** 2).mean()))
        found["families"][family] = about | {"decibels": decibels(theirs, samples), "loudness": loudness}
    print(json.dumps(found))


def _refuse(*arguments, **options):
    raise AssertionError("a file was unpickled while serving")


def _watch_unpickling():
    """Return the set that collects the packages of everything unpickled from now on."""
    made = set()

    def note(event, arguments):
        if event == "pickle.find_class":
            made.add(str(arguments[0]).split(".")[0])

    sys.addaudithook(note)
    return made


if __name__ == "__main__":
    main([pair.split("=") for pair in sys.argv[1:]])
