"""Voices of text settings only, by Coqui's own configuration, read by two programs in different ways.

`python -m tests.loader.text.text_voices native` prints Coqui's own ids of the texts of every voice;
`python -m tests.loader.text.text_voices bake FOLDER` bakes each voice's front end into a folder of its own.
Both import torch and TTS.
"""

import json
import logging
import string
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

from tests.loader.text.asian import ASIAN
from tests.loader.text.european import EUROPEAN

_IPA = "iyɨʉɯuɪʏʊeøɘəɵɤoɛœɜɞʌɔæɐaɶɑɒᵻpbtdʈɖcɟkɡqɢʔɴŋɲɳnɱmʙrʀɾɽɸβfvθðszʃʒʂʐçʝxɣχʁħʕhɦɬɮʋɹɻjɰlɭʎʟˈˌːˑʍwɥɕʑ̃ɚ˞ɫʲ"
_LATIN = "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœßąćęłńśźżđșț"
#: All symbols that any of these phonemizers writes, and most that a voice of characters can have.
CHARACTERS = "".join(dict.fromkeys(
    string.ascii_letters + string.digits + _IPA + _LATIN
    + "".join(map(chr, [*range(0x1100, 0x1200), *range(0x0980, 0x09FE)])) + "абвгдежзийклмнопрстуфхцчшщъыьэюяМП北京東世界一二三"
))  # fmt: skip
PUNCTUATION = "!'(),-.:;? \"…—–«»“”„‘’、。，！？；：「」『』【】《》〜·¡¿%&@/|।"

_OWN_CLEANERS = {
    "de": "basic_german_cleaners", "fr-fr": "french_cleaners", "es": "multilingual_phoneme_cleaners",
    "it": "italian_cleaners", "pt": "portuguese_cleaners", "pl": "multilingual_phoneme_cleaners",
}  # fmt: skip
_PHONEMIZERS = {
    "zh-cn": "zh_cn_phonemizer", "ja-jp": "ja_jp_phonemizer", "ko-kr": "ko_kr_phonemizer", "bn": "bn_phonemizer",
}  # fmt: skip


def _voice(cleaner, phonemizer, asked_for, texts, languages=None, **more):
    return {
        "text_cleaner": cleaner, "use_phonemes": phonemizer is not None, "phonemizer": phonemizer,
        "phoneme_language": asked_for, "languages": languages or list(texts), "texts": texts, **more,
    }  # fmt: skip


def voices():
    """Return every voice: settings by Coqui's names, and texts by language."""
    made = {}
    for language, texts in EUROPEAN.items():
        texts = {language: texts}
        made[f"{language}, english phonemes cleaner"] = _voice("phoneme_cleaners", "espeak", language, texts)
        made[f"{language}, own cleaner"] = _voice(_OWN_CLEANERS[language], "espeak", language, texts)
        made[f"{language}, characters"] = _voice("multilingual_cleaners", None, "", texts)
    for language, texts in ASIAN.items():
        texts = {language: texts}
        made[f"{language}, basic cleaner"] = _voice("basic_cleaners", _PHONEMIZERS[language], language, texts)
        made[f"{language}, no cleaner"] = _voice(None, _PHONEMIZERS[language], language, texts, add_blank=True)
    chinese = {"zh-cn": ASIAN["zh-cn"]}
    made["zh-cn, own cleaner"] = _voice("chinese_mandarin_cleaners", "zh_cn_phonemizer", "zh-cn", chinese)
    made["zh-cn, espeak"] = _voice("multilingual_phoneme_cleaners", "espeak", "zh-cn", chinese)
    made["zh-cn, characters"] = _voice("chinese_mandarin_cleaners", None, "", chinese, enable_eos_bos_chars=True)
    several = {language: texts[:10] for language, texts in {**EUROPEAN, **ASIAN}.items() if language in _SEVERAL}
    made["several phonemizers"] = _voice(
        "multilingual_phoneme_cleaners", "multi_phonemizer", "", several, phonemizers=_SEVERAL
    )
    two = {"de": EUROPEAN["de"][:10], "fr-fr": EUROPEAN["fr-fr"][:10]}
    made["one phonemizer, two languages"] = _voice("multilingual_phoneme_cleaners", "espeak", "de", two)
    return made


#: A voice of several phonemizers; "" is Coqui's choice for the language.
_SEVERAL = {"de": "espeak", "fr-fr": "", "ja-jp": "", "zh-cn": "zh_cn_phonemizer", "ko-kr": "ko_kr_phonemizer"}


def config_of(voice):
    """Return the voice's settings as Coqui's configuration. Imports TTS."""
    from TTS.tts.configs.shared_configs import BaseDatasetConfig, CharactersConfig
    from TTS.tts.configs.vits_config import VitsConfig

    given = {key: value for key, value in voice.items() if key not in ("texts", "phonemizers")}
    config = VitsConfig(**{"add_blank": False, "enable_eos_bos_chars": False, **given})
    config.characters = CharactersConfig(
        pad="_", eos="&", bos="*", blank="|", characters=CHARACTERS, punctuations=PUNCTUATION, is_unique=False,
        characters_class="TTS.tts.utils.text.characters.Graphemes",
    )  # fmt: skip
    config.datasets = [
        BaseDatasetConfig(language=language, phonemizer=phonemizer)
        for language, phonemizer in voice.get("phonemizers", {}).items()
    ]
    return config


def _native():
    """Print Coqui's ids of every text, or the name of the exception."""
    from loader.engines.compat.coqui_package import _load_at_first_use

    import TTS  # noqa: F401  # isort: skip  # it looks for torchaudio's metadata

    _load_at_first_use("torchaudio")
    from TTS.utils import import_utils

    # Coqui requires a module named `mecab-ko`, which cannot exist, and so never finds Korean.
    import_utils.PHONEMIZER_DEPS["ko_kr_phonemizer"] = import_utils.PhonemizeDeps(["mecab_ko"], "ko")
    from TTS.tts.utils.text.tokenizer import TTSTokenizer

    def ids(tokenizer, text, language):
        try:
            return tokenizer.text_to_ids(text, language=language)
        except Exception as error:  # any exception of Coqui's phonemizers is the result
            return type(error).__name__

    answer = {}
    for name, voice in voices().items():
        tokenizer, _config = TTSTokenizer.init_from_config(config_of(voice))
        answer[name] = {
            language: [ids(tokenizer, text, language) for text in texts] for language, texts in voice["texts"].items()
        }
    print(json.dumps(answer))


def _bake(folder):
    """Bake the front end of every voice, as a bake does with the model that Coqui built."""
    from loader.engines.compat.coqui_package import import_coqui

    import_coqui()
    from TTS.tts.utils.languages import LanguageManager
    from TTS.tts.utils.text.tokenizer import TTSTokenizer

    from loader.bake.tokenizer import copy_text_sources, text_facts

    for name, voice in voices().items():
        tokenizer, config = TTSTokenizer.init_from_config(config_of(voice))
        model = SimpleNamespace(tokenizer=tokenizer, language_manager=LanguageManager.init_from_config(config))
        target = folder / name
        target.mkdir()
        copy_text_sources(target, model)
        (target / "facts.json").write_text(json.dumps(asdict(text_facts(model))), encoding="utf-8")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable()
    if sys.argv[1] == "native":
        _native()
    else:
        _bake(Path(sys.argv[2]))
