"""loader.text.phonemizers: Coqui's own phonemizers in a server, with unexpected texts, and with missing packages."""

import dataclasses
import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from loader.artifacts.artifact import TextFacts
from loader.errors import MissingPackageError, UnsupportedModelError
from loader.text.front_end import TextFrontEnd
from loader.text.phonemizers import CARRIED, UNSUPPORTED, phonemize_safely, require_phonemizer
from loader.text.sentences import UTTERANCE_PHONEMES, split_sentences
from tests.loader.children import answer_of, run_program
from tests.loader.conftest import files_of
from tests.loader.text.corpus import CORPUS
from tests.loader.text.test_sentences import HARD_TEXTS
from tests.loader.text.text_voices import voices

#: Voice and language of each of Coqui's phonemizers.
OWN = {
    "zh-cn, own cleaner": "zh-cn", "ja-jp, no cleaner": "ja-jp", "ko-kr, no cleaner": "ko-kr", "bn, no cleaner": "bn",
}  # fmt: skip

#: Texts that are one number, one dictionary word or one syllable to a phonemizer.
HARD_TEXTS_HERE = {
    "dots": "." * 3_000, "numbers": "1,234.56 " * 300, "a great number": "9" * 300, "decimals": "1.1.1" * 100,
    "Bangla numbers": "৯" * 300, "one syllable": "한" * 3_000, "kana": "あ" * 3_000, "one character": "语" * 3_000,
    "leads": "ᄒ" * 1_000, "tails": "ᆫ" * 1_000, "marks of voice": "か゛" * 500, "long marks": "ー" * 3_000,
    "counters": "3개 13개 23개 " * 100, "tags": "의/J가/P" * 200, "halves of characters": "\ud83d" * 100,
    "controls": "\x00\x01\x02\x08\x1b" * 300, "combining marks": "\u0301" * 3_000, "emoji": "👨‍👩‍👧" * 300,
    "one word": "a" * 3_000, "brackets": "「（［" * 500, "wide digits": "１２３" * 500, "no sound": "。、！" * 500,
}  # fmt: skip

OPEN = """
import json, os, sys
from pathlib import Path
from loader.text.espeak import Espeak
from tests.loader.conftest import open_baked_front_end
"""


def phonemes(front_end, text, language):
    return front_end.phonemes(front_end.clean(text, language), language)


def random_texts(count):
    random_of = random.Random(9)
    alphabet = [
        *"0123456789.,:-+eE%$¥ \n\t/'\"()[]あア日本語中文가각ㄱᄒᆫ৯আাabZ。、「」…ー゛ッょ々〇_^\\",
        "1" * 40, "3개", "13개", "/B", "/J", "===", "\x00", "he", "hello",
    ]  # fmt: skip
    for _ in range(count):
        yield "".join(random_of.choices(alphabet, k=random_of.randrange(60)))


@pytest.mark.parametrize("text", HARD_TEXTS_HERE.values(), ids=HARD_TEXTS_HERE.keys())
@pytest.mark.parametrize("name", OWN)
def test_hard_text_is_read_in_bounded_utterances(open_front_end, name, text):
    front_end, language = open_front_end(name), OWN[name]
    sentences = split_sentences(text, language.split("-")[0])
    utterances = [reading.ids for sentence in sentences for reading in front_end.utterances(sentence, language) if reading]

    assert all(0 < len(ids) <= 2 * UTTERANCE_PHONEMES + 3 for ids in utterances)


@pytest.mark.parametrize("name", OWN)
def test_every_text_can_be_read(open_front_end, name):
    texts = [*CORPUS, *random_texts(300), *(text[:300] for text in HARD_TEXTS.values())]

    assert all(isinstance(phonemes(open_front_end(name), text, OWN[name]), str) for text in texts)


def test_a_part_that_cannot_be_read_is_left_out():
    class Picky:
        def phonemize(self, text):
            if "8" in text:
                raise ValueError(text)
            return text.upper()

    assert "ABCDEF" == phonemize_safely(Picky(), "ab8c88def8")


def test_a_number_without_a_name_keeps_the_words_around_it(open_front_end):
    read = phonemes(open_front_end("ja-jp, no cleaner"), "これは" + "9" * 60 + "です。", "ja-jp")

    assert read.startswith("korewa")
    assert read.endswith("desu.")


@pytest.mark.parametrize("name", OWN)
def test_concurrent_threads_get_the_same_phonemes(open_front_end, name):
    front_end, language = open_front_end(name), OWN[name]
    texts = voices()[name]["texts"][language]
    alone = [phonemes(front_end, text, language) for text in texts]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: phonemes(front_end, text, language), texts * 5))

    assert alone * 5 == together


@pytest.mark.parametrize("name", OWN)
def test_forked_children_read_the_same_without_network_and_writes(baked_front_ends, name):
    answer = answer_of(
        OPEN
        + """
from tests.loader.text.text_voices import voices

folder, language = Path(sys.argv[1]), sys.argv[2]
texts = voices()[folder.name]["texts"][language]
done = []

def watch(event, arguments):
    # requests, which spacy-pkuseg imports, asks the kernel for IPv6 by binding to ::1, and no more.
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.bind"):
        done.append(event)
    if event == "open" and (set(str(arguments[1])) & set("wax+") or (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)):
        done.append(f"writes {arguments[0]}")
    if event == "subprocess.Popen":
        done.append(event)

# Modules may be compiled while they are imported.
sys.dont_write_bytecode = True
sys.addaudithook(watch)
front_end = open_baked_front_end(folder, Espeak())
threads = len(os.listdir("/proc/self/task"))

def read():
    return json.dumps([front_end.phonemes(front_end.clean(text, language), language) for text in texts])

children = []
for _ in range(2):
    source, sink = os.pipe()
    if os.fork() == 0:
        os.close(source)
        with os.fdopen(sink, "w", closefd=True) as file:
            file.write(read())
        os._exit(0)
    os.close(sink)
    children.append(os.fdopen(source))
own, before = read(), list(done)
print(json.dumps([before, threads, [child.read() == own for child in children], len(own) > 500]))
""",
        baked_front_ends / name,
        OWN[name],
        # No file in the home is needed: the segmenter's model neither.
        env={"HOME": "/nonexistent", "PKUSEG_HOME": "/nonexistent", "OPENBLAS_NUM_THREADS": "1"},
    )

    assert [[], 1, [True, True], True] == answer


def test_korean_is_read_the_same_in_every_process(baked_front_ends):
    program = (
        OPEN
        + """
front_end = open_baked_front_end(Path(sys.argv[1]), Espeak())
texts = ["he hello the other then", "3개와 13개와 23개", "is this his", "a cat at a car"]
print(json.dumps([front_end.phonemes(text, "ko-kr") for text in texts]))
"""
    )
    answers = [
        answer_of(program, baked_front_ends / "ko-kr, no cleaner", env={"PYTHONHASHSEED": str(seed)}) for seed in range(1, 5)
    ]

    assert 1 == len({json.dumps(answer) for answer in answers})


def test_only_the_packages_of_the_voices_phonemizers_are_imported(baked_front_ends):
    names = [name.partition(",")[0] for name in OWN]
    loaded = {
        language: answer_of(
            OPEN
            + """
open_baked_front_end(Path(sys.argv[1]), Espeak())
looked_for = (
    "pypinyin", "spacy_pkuseg", "fugashi", "num2words", "ko_speech_tools", "mecab_ko", "bangla", "uroman", "torch", "TTS"
)
print(json.dumps([name for name in looked_for if name in sys.modules]))
""",
            baked_front_ends / f"{language}, no cleaner" if language in names else baked_front_ends / f"{language}, own cleaner",
        )
        for language in [*names, "de"]
    }

    assert {
        "zh-cn": ["pypinyin", "spacy_pkuseg"], "ja-jp": ["fugashi", "num2words"],
        "ko-kr": ["ko_speech_tools", "mecab_ko"], "bn": ["bangla"], "de": [],
    } == loaded  # fmt: skip


# Hides a package as if it were not installed, and opens or bakes a voice that needs it.
WITHOUT = """
import json, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
from loader.errors import LoaderError

try:
    do()
except LoaderError as error:
    print(json.dumps([type(error).__name__, error.exit_status, str(error)]))
"""
EVERY_PACKAGE = [
    (name, module, package, carried.needs.extra)
    for name, carried in CARRIED.items()
    for module, package in carried.needs.packages.items()
]


def opened_without(module, folder):
    program = """
def do():
    from pathlib import Path
    from loader.text.espeak import Espeak
    from tests.loader.conftest import open_baked_front_end
    open_baked_front_end(Path(sys.argv[2]), Espeak())
"""
    return answer_of(program + WITHOUT, module, folder)


@pytest.mark.parametrize(("name", "module", "package", "extra"), EVERY_PACKAGE)
def test_a_voice_whose_package_is_missing_is_not_opened(baked_front_ends, name, module, package, extra):
    kind, status, message = opened_without(module, baked_front_ends / f"{CARRIED[name].language}, no cleaner")

    assert ("MissingPackageError", 69) == (kind, status)
    assert f"the package {package}," in message
    assert message.endswith(f"pip install 'chorus-tts[{extra}]'")


@pytest.mark.parametrize("name", CARRIED)
def test_a_voice_whose_packages_are_missing_is_not_baked(name):
    carried = CARRIED[name]
    module, package = next(iter(carried.needs.packages.items()))
    kind, status, message = answer_of(
        """
def do():
    from loader.engines.compat.coqui_package import import_coqui
    import_coqui()
    from TTS.tts.configs.vits_config import VitsConfig
    from TTS.tts.utils.text.tokenizer import TTSTokenizer
    TTSTokenizer.init_from_config(VitsConfig(use_phonemes=True, phonemizer=sys.argv[2], phoneme_language=sys.argv[3]))
"""
        + WITHOUT,
        module, name, carried.language,
    )  # fmt: skip

    assert ("MissingPackageError", 69) == (kind, status)
    assert package in message
    assert f"'chorus-tts[{carried.needs.extra}]'" in message


@pytest.mark.parametrize("name", [*UNSUPPORTED, "no_such_phonemizer"])
def test_an_unknown_phonemizer_is_refused_with_the_supported_ones(name):
    with pytest.raises(UnsupportedModelError, match="espeak, zh_cn_phonemizer") as caught:
        require_phonemizer(name)

    assert name in str(caught.value)


def test_the_extras_of_phonemizers_are_in_setup_cfg():
    import configparser

    from tests.loader.children import ROOT

    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = setup["options.extras_require"]
    for _name, _module, package, extra in EVERY_PACKAGE:
        assert f"{package}==" in extras[extra]


def test_a_missing_package_of_a_cleaner_is_an_error_when_the_voice_is_opened(baked_front_ends):
    facts = json.loads((baked_front_ends / "de, own cleaner" / "facts.json").read_text())
    done = run_program(
        """
def do():
    from pathlib import Path
    from loader.artifacts.artifact import TextFacts
    from loader.text.espeak import Espeak
    from loader.text.front_end import TextFrontEnd
    from tests.loader.conftest import files_of
    facts = json.loads(sys.argv[3])
    TextFrontEnd(TextFacts(**{**facts, "cleaner": "uroman_cleaners"}), ["de"], files_of(Path(sys.argv[2])), Espeak())
"""
        + WITHOUT,
        "uroman", baked_front_ends / "de, own cleaner", json.dumps(facts),
    )  # fmt: skip
    kind, status, message = json.loads(done.stdout)

    assert ("MissingPackageError", 69) == (kind, status)
    assert message.endswith("pip install 'chorus-tts[uroman]'")


def test_a_segmenter_without_its_model_is_an_error_when_the_voice_is_opened(baked_front_ends, espeak):
    folder = baked_front_ends / "zh-cn, own cleaner"
    facts = TextFacts(**json.loads((folder / "facts.json").read_text()))
    files = {name: content for name, content in files_of(folder).items() if not name.startswith("pkuseg.")}

    with pytest.raises(MissingPackageError, match="zh_cn_phonemizer.*does not start.*bake the voice again"):
        TextFrontEnd(dataclasses.replace(facts), ["zh-cn"], files, espeak)
