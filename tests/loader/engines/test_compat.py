"""loader.engines.compat: a failure here names the internal of another package that a new version has changed."""

import ast
from importlib.metadata import distribution, version
from pathlib import Path

import pytest

from tests.loader.children import answer_of

#: Distribution, module, attribute ("" for the module itself), and our module that depends on it.
INTERNALS = [
    ("torch", "torch._meta_registrations", "", "torch_imports leaves it out of `import torch`"),
    ("torchaudio", "torchaudio._extension", "_IS_TORCHAUDIO_EXT_AVAILABLE", "torch_imports replaces it"),
    ("torchaudio", "torchaudio._extension", "_IS_ALIGN_AVAILABLE", "torch_imports replaces it"),
    ("torchaudio", "torchaudio._extension", "fail_if_no_align", "torch_imports replaces it"),
    ("torchaudio", "torchaudio._extension", "_check_cuda_version", "torch_imports replaces it"),
    ("coqui-tts", "TTS.tts.layers.vits.networks", "TextEncoder", "coqui_layers builds it"),
    ("coqui-tts", "TTS.tts.layers.vits.networks", "ResidualCouplingBlocks", "coqui_layers builds it"),
    ("coqui-tts", "TTS.tts.layers.vits.stochastic_duration_predictor", "StochasticDurationPredictor", "coqui_layers builds it"),
    ("coqui-tts", "TTS.tts.layers.glow_tts.duration_predictor", "DurationPredictor", "coqui_layers builds it"),
    ("coqui-tts", "TTS.tts.utils.text.phonemizers", "PHONEMIZERS", "coqui_package fills it"),
    ("coqui-tts", "TTS.tts.utils.text.phonemizers", "DEF_LANG_TO_PHONEMIZER", "coqui_package fills it"),
    ("coqui-tts", "TTS.utils.import_utils", "PHONEMIZER_DEPS", "coqui_package clears it"),
    ("coqui-tts", "TTS.tts.utils.text.phonemizers.base", "BasePhonemizer", "coqui_package derives a class from it"),
    ("coqui-tts", "TTS.tts.utils.managers", "load_file", "coqui_package replaces it by a reader of names"),
    ("coqui-tts", "TTS.tts.models.vits", "rehash_fairseq_vits_checkpoint", "coqui_package gives it weights that are read"),
    ("coqui-tts", "TTS.tts.models.xtts", "load_audio", "coqui_package replaces it"),
    ("coqui-tts", "TTS.tts.models.xtts", "Xtts._load_checkpoint", "coqui_package replaces it"),
    ("coqui-tts", "TTS.tts.models.xtts", "Xtts.get_compatible_checkpoint_state_dict", "coqui_package calls it"),
]


def test_the_internals_that_compat_depends_on_exist():
    """From the sources: torchaudio's extension does not load beside a CPU build of torch."""
    changed = [
        f"{package} {version(package)} changed {module} {name}: {use}"
        for package, module, name, use in INTERNALS
        if not set(filter(None, name.split("."))) <= _names_of(package, module)
    ]

    assert not changed, "\n".join(changed)


def test_a_missing_internal_would_be_noticed():
    assert "load_audio_file" not in _names_of("coqui-tts", "TTS.tts.models.xtts")
    with pytest.raises(FileNotFoundError):
        _names_of("torch", "torch._no_such_module")


def _names_of(package, module):
    """Return every name that a module of an installed package defines or imports."""
    path = Path(distribution(package).locate_file("")).joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    nodes = list(ast.walk(ast.parse(source.read_text(encoding="utf-8"))))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
    return names | {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_a_stochastic_predictor_has_the_parts_for_training_only():
    kept = answer_of("""
        import json
        import torch
        from loader.engines.compat import coqui_layers
        build = coqui_layers.import_layers().stochastic_predictor
        predictor = build(in_channels=4, hidden_channels=4, kernel_size=3, dropout_p=0.0)
        before = [name for name, _ in predictor.named_children()]
        coqui_layers.drop_training_parts(predictor)
        after = [name for name, _ in predictor.named_children()]
        print(json.dumps([any(name.startswith("post_") for name in before), after, type(predictor.flows[1]).__name__]))
        """)

    package = f"coqui-tts {version('coqui-tts')}"
    said = f"{package} changed StochasticDurationPredictor: drop_training_parts removes `post_*` and flow 1"
    assert [True, "Identity"] == [kept[0], kept[2]], said
    assert {"pre", "convs", "proj", "flows"} <= set(kept[1]), said


def test_warnings_after_the_import_of_coqui_are_shown():
    seen = answer_of("""
        import json, warnings
        from loader.engines import coqui
        before = list(warnings.filters)
        coqui.import_libraries()
        added = [each for each in warnings.filters if each not in before]
        with warnings.catch_warnings(record=True) as seen:
            warnings.warn("a later one", UserWarning)
        print(json.dumps([[str(each.message) for each in seen], str(added)]))
        """)

    assert ["a later one"] == seen[0], seen
