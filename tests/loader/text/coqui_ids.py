"""Coqui's own ids of texts, and phonemes of other languages.

`python -m tests.loader.text.coqui_ids CONFIG` reads JSON from its input and prints JSON.

Runs as a program, because it imports torch and TTS. Unlike the bake it keeps Coqui's phonemizer,
which calls the `espeak-ng` on the PATH.
"""

import json
import logging
import sys
import warnings


def main(config_path):
    warnings.filterwarnings("ignore")
    from loader.engines.compat.coqui_package import _load_at_first_use

    import TTS  # noqa: F401  # isort: skip  # it looks for torchaudio's metadata

    _load_at_first_use("torchaudio")
    from TTS.config import load_config
    from TTS.tts.utils.languages import LanguageManager
    from TTS.tts.utils.text.phonemizers.espeak_wrapper import ESpeak
    from TTS.tts.utils.text.tokenizer import TTSTokenizer

    logging.disable()
    config = load_config(config_path)
    tokenizer, config = TTSTokenizer.init_from_config(config)
    # As BaseTTS.synthesize() chooses it for a voice of one language.
    language = LanguageManager.init_from_config(config).language_names[0]
    wanted = json.load(sys.stdin)
    answer = {
        "phonemizer": f"{type(tokenizer.phonemizer).__module__}.{type(tokenizer.phonemizer).__name__}",
        "is_coquis": type(tokenizer.phonemizer) is ESpeak,
        "espeak": tokenizer.phonemizer.version(),
        "ids": [tokenizer.text_to_ids(text, language=language) for text in wanted["texts"]],
        "phonemes": {
            language: [ESpeak(language).phonemize(text, separator="") for text in texts]
            for language, texts in wanted["languages"].items()
        },
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
