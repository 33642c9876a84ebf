"""Preparations of Coqui's phonemizers: a Chinese segmenter from the artifact, a fixed order for Korean.

By default spacy-pkuseg looks for its model in the home directory and downloads it at
first use. So the bake copies the model into the artifact, and it is opened from there:
its weights stay mapped, its two million features become objects of this process.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

#: Features by name and tags by name, in the segmenter's own format.
FEATURES_FILE = "pkuseg.features.msgpack"
#: One float64 for every pair of feature and tag, then one for every pair of tags.
WEIGHTS_FILE = "pkuseg.weights.f64"


def prepare_chinese(module: Any, files: Mapping[str, Any]) -> None:
    """Set the segmenter of Coqui's `module`. Runs in the master before the fork.

    Raises:
        KeyError: the artifact has no model.
    """
    module._seg = _segmenter(files[FEATURES_FILE], files[WEIGHTS_FILE])


def _segmenter(features_file: Any, weights_file: Any) -> Any:
    """Return the result of `spacy_pkuseg.pkuseg()`, which can only read a folder."""
    import spacy_pkuseg

    extractor = _features(features_file)
    model = _model(weights_file, len(extractor.feature_to_idx), len(extractor.tag_to_idx))
    segmenter: Any = object.__new__(spacy_pkuseg.pkuseg)
    segmenter.postag = False
    segmenter.feature_extractor, segmenter.model = extractor, model
    segmenter.n_feature, segmenter.n_tag = model.n_feature, model.n_tag
    segmenter.idx_to_tag = {row: tag for tag, row in extractor.tag_to_idx.items()}
    segmenter.preprocesser = spacy_pkuseg.Preprocesser(None)
    words = os.path.join(os.path.dirname(spacy_pkuseg.__file__), "dicts", "default.pkl")
    segmenter.postprocesser = spacy_pkuseg.Postprocesser(None, [words])
    return segmenter


def _features(content: Any) -> Any:
    import srsly
    from spacy_pkuseg.feature_extractor import FeatureExtractor

    read = srsly.msgpack_loads(bytes(content))
    extractor: Any = FeatureExtractor.__new__(FeatureExtractor)
    extractor.unigram, extractor.bigram = set(read["unigram"]), set(read["bigram"])
    extractor.feature_to_idx, extractor.tag_to_idx = read["feature_to_idx"], read["tag_to_idx"]
    return extractor


def _model(content: Any, features: int, tags: int) -> Any:
    import numpy as np
    from spacy_pkuseg.model import Model

    model: Any = Model.__new__(Model)
    model.n_tag, model.n_feature = tags, features
    model.n_transition_feature = tags * (features + tags)
    model.w = np.frombuffer(content, dtype="<f8", count=model.n_transition_feature)
    return model


def prepare_korean(_module: Any, _files: Mapping[str, Any]) -> None:
    """Have ko_speech_tools replace words and numbers in one order, the longest first.

    It iterates over a set, in an order that differs between processes: "he" may be replaced
    before or inside "hello", and 3 inside 13. If no word is part of another, this changes nothing.
    """
    from ko_speech_tools.g2p import english, numerals

    modules: tuple[Any, ...] = (english, numerals)
    for module in modules:
        # Hides the builtin from that module alone.
        module.set = _longest_first


def _longest_first(found: Iterable[Any]) -> list[Any]:
    return sorted(set(found), key=lambda item: (-len("".join(item)), item))
