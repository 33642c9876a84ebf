"""A sentence in each language, for the first speech of a voice."""

from loader.text.front_end import without_region
from loader.voices.voice import Voice

SENTENCES = {
    "ar": "هكذا يبدو الصوت الجديد.", "bg": "Така звучи новият глас.", "bn": "নতুন কণ্ঠ এমন শোনায়।",
    "ca": "Així sona la nova veu.", "cs": "Takto zní nový hlas.", "da": "Sådan lyder den nye stemme.",
    "de": "So klingt die neue Stimme.", "el": "Έτσι ακούγεται η νέα φωνή.", "en": "This is how the new voice sounds.",
    "eo": "Tiel sonas la nova voĉo.", "es": "Así suena la nueva voz.", "et": "Nii kõlab uus hääl.",
    "fa": "صدای جدید این است.", "fi": "Tältä uusi ääni kuulostaa.", "fr": "Voici le son de la nouvelle voix.",
    "hi": "नई आवाज़ ऐसी है।", "hr": "Ovako zvuči novi glas.", "hu": "Így szól az új hang.",
    "id": "Seperti inilah suara yang baru.", "is": "Svona hljómar nýja röddin.", "it": "Ecco come suona la nuova voce.",
    "ja": "これが新しい声です。", "ka": "ასე ჟღერს ახალი ხმა.", "ko": "이것이 새로운 목소리입니다.",
    "lt": "Taip skamba naujas balsas.", "lv": "Tā skan jaunā balss.", "nb": "Slik høres den nye stemmen ut.",
    "nl": "Zo klinkt de nieuwe stem.", "no": "Slik høres den nye stemmen ut.", "pl": "Tak brzmi nowy głos.",
    "pt": "É assim que soa a nova voz.", "ro": "Așa sună noua voce.", "ru": "Так звучит новый голос.",
    "sk": "Takto znie nový hlas.", "sl": "Tako zveni novi glas.", "sv": "Så låter den nya rösten.",
    "sw": "Hivi ndivyo sauti mpya inavyosikika.", "tr": "Yeni ses böyle geliyor.", "uk": "Так звучить новий голос.",
    "vi": "Đây là giọng nói mới.", "zh": "这就是新的声音。",
}  # fmt: skip
_MAX_LETTERS = 30


def sentence_in(language: str) -> str:
    """Return a sentence in a language such as `de` or `pt-br`; English if there is none."""
    return SENTENCES.get(without_region(language), SENTENCES["en"])


def letters_of(voice: Voice) -> str | None:
    """Return letters that a voice of characters can say; None if it reads by phonemes or has a front end of its own."""
    text = voice.manifest.text
    letters = sorted(symbol for symbol in text.ids if len(symbol) == 1 and symbol.isalpha()) if text else []
    return "".join(letters[:_MAX_LETTERS]) or None
