"""The files of a model: which of the names in a folder speaking reads, by the conventions of Coqui, fairseq and Piper.

Works on names and on a parsed configuration; opens no file.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from loader.releases.configuration import family_of, file_name, is_fairseq, is_transformers

CONFIG_FILE = "config.json"
#: The vocoder's configuration beside a spectrogram model; its weights are in `vocoder*.pth`.
VOCODER_CONFIG_FILE = "vocoder_config.json"
#: What a checkpoint may be called, in any case.
CHECKPOINT_SUFFIXES = (".pth", ".pth.tar", ".pt", ".safetensors")


class Kind(StrEnum):
    """Whose layout a folder has."""

    COQUI = "Coqui"
    FAIRSEQ = "fairseq"
    PIPER = "Piper"
    TRANSFORMERS = "Hugging Face transformers"


@dataclass(frozen=True)
class Candidate:
    """A file that could be the checkpoint and was not chosen."""

    name: str
    why: str


@dataclass(frozen=True)
class ModelFiles:
    """The model of one folder, by the names of its files."""

    kind: Kind
    #: Coqui's name of the family in lower case, such as `vits`; "" if the configuration has none.
    family: str
    config: str
    checkpoint: str
    #: Further files that speaking reads, to what they are, such as `speakers` or `vocoder`.
    others: Mapping[str, str] = field(default_factory=dict)
    candidates: tuple[Candidate, ...] = ()

    @property
    def roles(self) -> dict[str, str]:
        """Every file that speaking reads, to what it is."""
        return {self.config: "configuration", self.checkpoint: "checkpoint", **self.others}


class ChoiceError(Exception):
    """The names hold no model, or several and none is named."""

    def __init__(self, problem: str, candidates: Collection[str] = ()) -> None:
        super().__init__(problem)
        self.candidates = tuple(candidates)


_PREFERRED = ("model_file.pth", "model.pth", "best_model.pth", "model_file.pth.tar", "checkpoint.pth")
#: In the order of preference; the number is the training step.
_NUMBERED = tuple(re.compile(rf"{name}_(\d+){ending}", re.IGNORECASE) for name, ending in (
    ("best_model", r"\.pth(\.tar)?"), ("checkpoint", r"\.pth(\.tar)?"), ("G", r"\.pth"),
))  # fmt: skip
#: Files with the suffix of a checkpoint that hold something else.
_NO_CHECKPOINTS = (
    (re.compile(r"vocoder", re.IGNORECASE), "a vocoder"),
    (re.compile(r"model_se\b|speaker_encoder|se_checkpoint", re.IGNORECASE), "a speaker encoder"),
    (re.compile(r"speaker|d_vector|embeddings?\b", re.IGNORECASE), "speakers"),
    (re.compile(r"language_ids", re.IGNORECASE), "languages"),
    (re.compile(r"(optim(izer)?|scheduler|scaler)(_\d+)?\.", re.IGNORECASE), "the state of an optimizer"),
    (re.compile(r"dvae|mel_stats|mel_norms", re.IGNORECASE), "used in training only"),
    (re.compile(r"(D_\d+|disc(riminator)?(_\d+)?)\.", re.IGNORECASE), "a discriminator"),
)
#: Keys of a configuration that name files which speaking may read.
_NAMING_KEYS = {
    "speakers_file": "speakers", "speaker_file": "speakers", "d_vector_file": "speakers' vectors",
    "language_ids_file": "languages", "stats_path": "statistics", "tokenizer_file": "vocabulary", "vocab_file": "vocabulary",
}  # fmt: skip
#: Files that Coqui reads if they are there, whatever the configuration says.
_BY_NAME = (
    (re.compile(r"speakers(_xtts)?\.(pth|json)|speaker_ids\.(json|pth)"), "speakers"),
    (re.compile(r"d_vectors?(_file)?\.(json|pth)"), "speakers' vectors"),
    (re.compile(r"language_ids\.json"), "languages"),
    (re.compile(r"vocoder_config\.json"), "configuration of the vocoder"),
    # The vocoder's configuration names one of them.
    (re.compile(r".*\.npy"), "statistics"),
    (re.compile(r"vocoder.*\.pth"), "vocoder"),
)
_XTTS = ((re.compile(r"vocab\.json"), "vocabulary"), (re.compile(r"speaker_.*\.wav"), "recording of a speaker"))
_FAIRSEQ = ((re.compile(r"vocab\.txt"), "vocabulary"),)
#: Families that this version speaks.
FAMILIES = ("vits", "xtts", "align_tts", "fast_pitch", "fast_speech", "fastspeech2", "forward_tts", "glow_tts",
            "neuralhmm_tts", "overflow", "speedy_speech", "tacotron", "tacotron2")  # fmt: skip


def choose_files(names: Collection[str], config: Mapping[str, Any] | None, checkpoint: str | None = None) -> ModelFiles:
    """Choose the files that speaking reads.

    Args:
        names: the plain files of the folder, or those that a release lists.
        config: the content of config.json; None if there is none.
        checkpoint: the name of the checkpoint, if it is chosen; None: by its name.

    Raises:
        ChoiceError: says what is missing, or lists the candidates.
    """
    if checkpoint is not None and checkpoint.lower().endswith(".onnx"):
        return _piper(names, checkpoint)
    if config is None:
        return _piper(names, checkpoint)
    if is_transformers(config):
        return _transformers(names, config, checkpoint)
    if is_fairseq(config):
        return _finish(Kind.FAIRSEQ, "vits", names, config, checkpoint, _FAIRSEQ)
    family = family_of(config)
    if not family and piper_voices(names):
        return _piper(names, checkpoint)
    return _finish(Kind.COQUI, family, names, config, checkpoint, _XTTS if family == "xtts" else ())


def piper_voices(names: Collection[str]) -> list[str]:
    """Return the graphs that have their configuration beside them."""
    return sorted(name for name in names if name.lower().endswith(".onnx") and f"{name}.json" in names)


def named_files(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the last part of each path that a configuration names, with what the file is. Paths may be Windows'."""
    inner = (config.get(part) for part in ("model_args", "audio"))
    for holder in (config, *(each for each in inner if isinstance(each, Mapping))):
        for key, role in _NAMING_KEYS.items():
            value = holder.get(key)
            for path in value if isinstance(value, list) else [value]:
                if isinstance(path, str) and (name := file_name(path)):
                    yield name, role


def is_checkpoint_name(name: str) -> bool:
    """Whether a name has the suffix of a checkpoint."""
    return name.lower().endswith(CHECKPOINT_SUFFIXES)


def _finish(
    kind: Kind, family: str, names: Collection[str], config: Mapping[str, Any], checkpoint: str | None, by_name: Any
) -> ModelFiles:
    named = {name: role for name, role in named_files(config) if name in names}
    for name in sorted(names):
        for pattern, role in (*_BY_NAME, *by_name):
            if pattern.fullmatch(name):
                named.setdefault(name, role)
    chosen, candidates = _choose_checkpoint(names, checkpoint, set(named))
    named.pop(chosen, None)
    return ModelFiles(kind, family, CONFIG_FILE, chosen, named, candidates)


def _choose_checkpoint(names: Collection[str], wanted: str | None, named: set[str]) -> tuple[str, tuple[Candidate, ...]]:
    """Return the checkpoint, and the others with the reason why they were not chosen."""
    other = {name: why for name in names if is_checkpoint_name(name) and (why := _no_checkpoint(name, named))}
    candidates = [name for name in names if is_checkpoint_name(name) and name not in other]
    if wanted is not None:
        if wanted not in names:
            raise ChoiceError(f"no file {wanted!r}", sorted(candidates))
        return wanted, tuple(Candidate(name, "another one is named") for name in sorted(candidates) if name != wanted)
    if not candidates:
        raise ChoiceError("no checkpoint", ())
    chosen, why = _preferred(candidates)
    if chosen is None:
        raise ChoiceError(f"{len(candidates)} checkpoints, and nothing says which one is meant", sorted(candidates))
    left = [Candidate(name, why) for name in sorted(candidates) if name != chosen]
    return chosen, tuple(left + [Candidate(name, why) for name, why in sorted(other.items()) if name not in named])


def _preferred(candidates: list[str]) -> tuple[str | None, str]:
    for name in _PREFERRED:
        if name in candidates:
            return name, f"{name} has precedence"
    for pattern in _NUMBERED:
        steps = {name: int(match[1]) for name in candidates if (match := pattern.fullmatch(name))}
        if steps:
            newest = max(steps, key=steps.__getitem__)
            return newest, f"{newest} is the newest of the best" if "best" in newest else f"{newest} is the newest"
    return (candidates[0], "") if len(candidates) == 1 else (None, "")


def _no_checkpoint(name: str, named: set[str]) -> str | None:
    """Return what a file is that only looks like a checkpoint; None if it may be one."""
    if name in named:
        return "named by the configuration as something else"
    return next((what for pattern, what in _NO_CHECKPOINTS if pattern.match(name)), None)


def _piper(names: Collection[str], wanted: str | None) -> ModelFiles:
    voices = piper_voices(names)
    if wanted is not None:
        if f"{wanted}.json" not in names:
            raise ChoiceError(f"{wanted} has no {wanted}.json beside it; a Piper voice is both", voices)
        voices = [wanted]
    if len(voices) > 1:
        raise ChoiceError(f"{len(voices)} Piper voices, and nothing says which one is meant", voices)
    if not voices:
        graphs = sorted(name for name in names if name.lower().endswith(".onnx"))
        raise ChoiceError(f"{graphs[0]} has no {graphs[0]}.json beside it; a Piper voice is both" if graphs else "no model")
    return ModelFiles(Kind.PIPER, "piper", f"{voices[0]}.json", voices[0])


def _transformers(names: Collection[str], config: Mapping[str, Any], wanted: str | None) -> ModelFiles:
    known = ("model.safetensors", "pytorch_model.bin")
    chosen = wanted or next((name for name in known if name in names), None)
    if chosen is None:
        raise ChoiceError("no checkpoint")
    others = {name: "vocabulary" for name in ("vocab.json", "tokenizer_config.json", "special_tokens_map.json") if name in names}
    return ModelFiles(Kind.TRANSFORMERS, str(config["model_type"]), CONFIG_FILE, chosen, others)
