"""loader.engines.pytorch: weights stay mapped in the master and in workers, and the samples are those of onnx."""

import dataclasses
import hashlib

import numpy as np
import pytest

from loader.artifacts.artifact import open_artifact
from loader.artifacts.resolve import locate_artifact
from loader.engines import onnx
from loader.engines.base import Prosody, Utterance
from tests.loader.children import answer_of
from tests.loader.engines.speaking import windows_of

OPEN = """
    import json, os, sys
    from pathlib import Path
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    import numpy as np
    from loader.engines.vits import Condition
    from loader.artifacts.artifact import open_artifact
    from loader.engines import pytorch
    from loader.engines.base import Prosody, Utterance
    from tests.loader.engines.speaking import windows_of

    def opened(directory):
        artifact = open_artifact(Path(directory))
        return artifact, pytorch.open_engine(artifact)

    def model_of(engine):
        models = []
        engine.networks._placement.run(models.append)
        return models[0]

    def speak(engine, seed=3):
        random = np.random.Generator(np.random.Philox(key=[seed, 0]))
        return np.concatenate(windows_of(engine, Utterance(list(range(4, 60)), Prosody(1.0, 0.667, 0.8)), random))

    def tasks():
        return len(os.listdir("/proc/self/task"))
"""


@pytest.fixture(scope="session")
def torch_artifact(joe_coqui_settings):
    """The Coqui directory, baked for the pytorch engine."""
    return locate_artifact(joe_coqui_settings.voices[0], dataclasses.replace(joe_coqui_settings, engine="pytorch"))


def test_the_manifest_names_the_engine(torch_artifact, joe_coqui_artifact):
    manifest = open_artifact(torch_artifact).manifest

    assert ("pytorch", "any") == (manifest.engine, manifest.platform.cpu_level)
    assert torch_artifact != joe_coqui_artifact


def test_the_samples_are_those_of_the_onnx_engine(torch_artifact, opened_joe_coqui):
    random = np.random.Generator(np.random.Philox(key=[3, 0]))
    ours = answer_of(OPEN + """
    print(json.dumps(speak(opened(sys.argv[1])[1]).tolist()))
    """, torch_artifact)

    utterance = Utterance(list(range(4, 60)), Prosody(1.0, 0.667, 0.8))
    theirs = np.concatenate(windows_of(onnx.open_engine(opened_joe_coqui), utterance, random))

    assert theirs.size == len(ours)
    assert 90 <= 10 * np.log10(np.square(theirs).sum() / np.square(theirs - np.asarray(ours)).sum())


def test_every_weight_stays_mapped_in_the_master_and_in_four_workers_that_spoke(torch_artifact):
    elsewhere, statuses = answer_of(OPEN + """
    from tests.support.mapped_parameters import parameters_elsewhere
    artifact, engine = opened(sys.argv[1])
    mapped = [artifact.buffers["weights.safetensors"]]
    elsewhere = parameters_elsewhere(model_of(engine), mapped)
    count = sum(1 for _ in model_of(engine).parameters())
    assert count > 200, count
    workers = []
    for _ in range(4):
        worker = os.fork()
        if worker == 0:
            said = speak(engine)
            os._exit(0 if said.size and not parameters_elsewhere(model_of(engine), mapped) else 1)
        workers.append(worker)
    print(json.dumps([elsewhere, [os.waitpid(worker, 0)[1] for worker in workers]]))
    """, torch_artifact)

    assert [] == elsewhere
    assert [0, 0, 0, 0] == statuses


def test_a_copied_weight_would_be_noticed(torch_artifact):
    """The test above can fail."""
    elsewhere = answer_of(OPEN + """
    import torch
    from tests.support.mapped_parameters import parameters_elsewhere
    artifact, engine = opened(sys.argv[1])
    model = model_of(engine)
    model.decoder.conv_pre.weight = torch.nn.Parameter(model.decoder.conv_pre.weight.clone())
    print(json.dumps(parameters_elsewhere(model, [artifact.buffers["weights.safetensors"]])))
    """, torch_artifact)

    assert ["decoder.conv_pre.weight"] == elsewhere


def test_weights_are_never_written(torch_artifact):
    before = hashlib.sha256((torch_artifact / "weights.safetensors").read_bytes()).hexdigest()
    rights, private = answer_of(OPEN + """
    artifact, engine = opened(sys.argv[1])
    speak(engine)
    inside, rights, private = False, set(), 0
    for line in open("/proc/self/smaps"):
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            inside = words[-1].endswith("weights.safetensors")
            if inside:
                rights.add(words[1])
        elif inside and words[0] == "Private_Dirty:":
            private += int(words[1])
    print(json.dumps([sorted(rights), private]))
    """, torch_artifact)

    assert ["r--s"] == rights
    assert 0 == private
    assert before == hashlib.sha256((torch_artifact / "weights.safetensors").read_bytes()).hexdigest()


def test_opening_starts_no_thread_and_imports_neither_coqui_nor_a_compiler(torch_artifact):
    answer = answer_of(OPEN + """
    artifact, engine = opened(sys.argv[1])
    speak(engine)
    wanted = ("TTS", "torch._dynamo", "sympy", "librosa", "transformers", "torchaudio", "onnxruntime")
    print(json.dumps([tasks(), [name for name in wanted if name in sys.modules]]))
    """, torch_artifact)

    assert [1, []] == answer


def test_opening_draws_no_random_numbers(torch_artifact):
    untouched = answer_of(OPEN + """
    pytorch.import_libraries()
    import torch
    before = torch.get_rng_state()
    opened(sys.argv[1])
    print(json.dumps(bool(torch.equal(before, torch.get_rng_state()))))
    """, torch_artifact)

    assert untouched


def test_disabled_parts_of_torch_change_no_sample(torch_artifact):
    lean, complete = (
        answer_of(OPEN + f"""
    if {is_complete}:
        import torch
    artifact, engine = opened(sys.argv[1])
    print(json.dumps(["torch._meta_registrations" in sys.modules, speak(engine).tolist()]))
    """, torch_artifact)
        for is_complete in (False, True)
    )  # fmt: skip

    assert [False, True] == [lean[0], complete[0]]
    assert lean[1] == complete[1]


def test_disabled_parts_of_torch_can_be_imported_later(torch_artifact):
    shape = answer_of(OPEN + """
    from loader.engines.compat import torch_imports
    torch_imports.import_torch()
    torch_imports.complete_torch()
    import torch
    weight, image = torch.empty(3, 4, 3, device="meta"), torch.empty(1, 4, 10, device="meta")
    print(json.dumps(list(torch.nn.functional.conv1d(image, weight).shape)))
    """)

    assert [1, 3, 8] == shape


@pytest.mark.parametrize("frames", [1, 2, 9, 40, 257])
def test_a_window_in_halves_equals_the_whole_window(torch_artifact, frames):
    error = answer_of(OPEN + """
    artifact, engine = opened(sys.argv[1])
    model, frames = model_of(engine), int(sys.argv[2])
    latent = np.random.default_rng(1).standard_normal((1, engine.facts.latent_channels, frames), dtype=np.float32)
    whole = model.decode(latent, Condition())
    hop, errors = engine.facts.samples_per_frame, []
    for keep in ((0, frames), (frames // 3, frames), (frames // 3, frames - frames // 4)):
        halves = engine.networks._decode_halves(model, latent, Condition(), keep)
        once = engine.networks.decode(latent, Condition(), keep)
        kept = whole[keep[0] * hop : keep[1] * hop]
        assert kept.shape == halves.shape == once.shape, (kept.shape, halves.shape, once.shape)
        errors += [float(np.abs(kept - each).max()) for each in (halves, once)]
    print(json.dumps(max(errors)))
    """, torch_artifact, frames)

    assert error < 1e-5


def test_a_description_that_does_not_fit_the_weights_is_refused(torch_artifact):
    said = answer_of(OPEN + """
    import dataclasses
    from loader.errors import ArtifactError
    artifact = open_artifact(Path(sys.argv[1]))
    network = json.loads(json.dumps(artifact.manifest.network))
    network["layers"]["flow"]["num_layers"] += 1
    try:
        pytorch.open_engine(dataclasses.replace(artifact, manifest=dataclasses.replace(artifact.manifest, network=network)))
    except ArtifactError as error:
        print(json.dumps(str(error)))
    """, torch_artifact)

    assert "do not fit" in said and "bake" in said
