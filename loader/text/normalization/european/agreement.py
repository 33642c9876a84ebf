"""Agreement: whole numbers before nouns, in the gender of the noun: `una casa`, `vingt et une personnes`, `duas mesas`, `un'ora`.

The gender is that of the noun's ending, or of a list of frequent nouns that end otherwise.
"""

import re
from functools import partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.numerals import Numerals
from loader.text.normalization.words import MONTHS

_COUNTED = re.compile(
    r"(?<![\w.,:/+\u2212-])(?<![€$£] )(\d{1,3}(?:\.\d{3}){1,4}|\d{1,12})( mil)?(?= ([^\W\d_]{2,})(?![\w'\u2019/²³]))"
)
#: Shorter words are units, months and words without a gender, and are the library's; these are nouns.
_SHORT_NOUNS = frozenset(
    "mão mãos ora ore via vie zia zie mes día vez rey ley luz mar sol ano mês mãe pai pão cão rua lua rue vis île jeu roi "
    "fois mot nom pas feu os ans an".split()
)  # fmt: skip
_MIN_LETTERS = 4
#: A number after one of these names a thing and does not count the next word: `Capítulo 1 trata de ...`.
_LABELS = re.compile(
    r"\b(?:chapitre|page|article|numéro|num|étape|niveau|ligne|tome|partie|groupe|type|salle|quai|voie|porte|zone|chaîne|"
    r"volume|route|section|"
    "capítulo|página|artículo|número|nivel|línea|grupo|tipo|sala|puerta|zona|canal|parte|fase|paso|opción|lección|ley|vía|andén|"
    "capitolo|pagina|articolo|numero|livello|linea|gruppo|stanza|porta|canale|passo|opzione|lezione|binario|comma|"
    r"artigo|nível|linha|grupo|passo|opção|lição|via|versão|versión|versione|version)s? $",
    re.IGNORECASE,
)
_AFTER_MONTH = re.compile(rf"\b(?:{'|'.join(MONTHS)}|mai)\.?(?: del?)? $", re.IGNORECASE)
#: By language: endings of feminine nouns, feminine nouns that end otherwise, and masculine ones that end like feminine ones.
_FEMININE = {
    "es": (
        r"a|as|ción|ciones|sión|siones|xión|xiones|dad|dades|tad|tades|tud|tudes|umbre|umbres|triz|trices|isis",
        "mujer mujeres noche noches vez veces tarde tardes calle calles clase clases mano manos flor flores luz luces ley "
        "leyes llave "
        "llaves parte partes sede sedes nube nubes fuente fuentes red redes madre madres nave naves señal señales imagen "
        "imágenes cárcel "
        "cárceles voz voces pared paredes torre torres muerte muertes serie series leche carne sangre base bases frase frases "
        "fase fases "
        "cruz cruces piel pieles sal sales miel catedral catedrales capital orden órdenes sílaba razón razones gripe superficie "
        "especie especies labor labores foto fotos moto motos tesis crisis",
        r"(?:d[ií]|map|planet|problem|sistem|tem|program|idiom|clim|poem|diagram|fantasm|pirat|poet|cur|colega)as?|\w*(?:gram|"
        r"om|ist)as?",
    ),
    "pt": (
        r"a|as|ção|ções|são|sões|dade|dades|gem|gens|tude|tudes|triz|trizes|ície|ícies",
        "mulher mulheres vez vezes noite noites tarde tardes mão mãos flor flores luz luzes lei leis chave chaves parte "
        "partes rede redes "
        "mãe mães ponte pontes fase fases classe classes cor cores voz vozes nuvem nuvens árvore árvores ave aves pele peles "
        "fonte fontes "
        "torre torres morte mortes série séries base bases frase frases cruz cruzes irmã irmãs manhã manhãs maçã maçãs "
        "capital capitais "
        "foto fotos moto motos crise crises sede sedes ordem ordens carne razão razões região regiões opinião opiniões "
        "estação lã",
        r"(?:di|map|planet|problem|sistem|tem|program|idiom|clim|poem|diagram|fantasm|poet|colega)as?|\w*(?:gram|om|ist)as?",
    ),
    "it": (
        r"a|zione|sione|gione|tà|tù|udine|trice|ie",
        "notte volta mano moglie madre parte luce voce chiave nave gente mente classe fine carne torre legge pace croce neve "
        "arte morte "
        "serie crisi tesi analisi base frase fase fonte foto moto auto radio canzone stagione regione opinione lezione "
        "nazione rete "
        "immagine origine indagine religione ragione prigione stazione pelle valle patente",
        r"(?:problem|sistem|tem|programm|clim|poem|diagramm|fantasm|poet|pap|panoram|dramm|pigiam|cinem|dilemm|schem)a|"
        r"\w*(?:ist|gramm)a",
    ),
    "fr": (
        r"\w*(?:[tsx]ion|té|ette|elle|esse|ille|ance|ence|ure|ade|ude|ie|ée|ine|aine|enne|onne|euse|trice|que)",
        "femme table chaise heure minute seconde fois page ville boîte tasse tonne chambre porte route lettre rue carte "
        "fenêtre pomme "
        "équipe classe école chatte nuit voix main tête étoile feuille ligne image étape part voie fête île langue goutte "
        "balle robe "
        "salle sorte marche côte dette plage cage cloche vache poule cible règle œuvre montre offre phrase base chose dose "
        "rose course "
        "bourse tombe zone tante plante vente visite note faute piste liste caisse clé mer dent souris croix forêt fin façon "
        "leçon "
        "maison chanson raison saison boisson barre guerre terre pierre période arme âme larme victime somme commune fleur "
        "couleur "
        "valeur erreur sœur mère personne place pièce dame preuve caméra tranche branche manche bouche douche fille perle "
        "échelle "
        "grève élève brève thèse chaussure",
        r"(?:mus|lyc|troph)ée|(?:cô|é|comi|trai|députés?|invi)té|(?:génie|incendie|parapluie|stade|silence|murmure|magazine|"
        r"domaine|"
        r"capitaine|disque|risque|masque|cirque|chèque|mécanique|plastique|domestique|portefeuille|million|milliard|camion|"
        r"avion|mille|"
        r"dinosaure|squelette|espion|champion|lion)",
    ),
}  # fmt: skip
_GENDERS = {
    language: (re.compile(rf"\w*(?:{endings})"), frozenset(nouns.split()), re.compile(masculine))
    for language, (endings, nouns, masculine) in _FEMININE.items()
}
#: Italian `uno` and `un'`: before `s` and a consonant, `z` and the like; before a vowel.
_UNO = re.compile(r"s[^aeiouàèéìòùh\W]|z|gn|ps|pn|x|y")
_VOWEL = re.compile(r"h?[aeiouàèéìòù]")
#: Adverbs and other words in the plural or singular that a number does not count.
_NOT_COUNTED = frozenset(
    "más menos después antes además años-luz mais depois antes além para como contra sobre entre desde hasta cuando donde "
    "pero sino "
    "quando onde porém come dopo prima contro della dello degli delle dalla alla alle allo sulla nella anche ancora sono fuori "
    "dans pour avec sans après avant contre entre mais donc comme puis est sont était sera".split()
)  # fmt: skip


_PAIRED = re.compile(r"(?<![\w.,:/+-])(\d{1,4})(?= (?:ou|o|u|a|e|y|à|et|ed) \d{1,4} ([^\W\d_]{4,})(?![\w'\u2019/]))")


def is_feminine(noun: str, language: str) -> bool:
    """Whether a noun of `es`, `fr`, `it` or `pt` is feminine, as far as its form shows."""
    endings, nouns, masculine = _GENDERS[language]
    noun = noun.lower()
    if noun in nouns:
        return True
    noun = noun.removesuffix("s") if language == "fr" else noun
    return noun in nouns or bool(endings.fullmatch(noun) and not masculine.fullmatch(noun))


def counted(number: int, noun: str, numerals: Numerals) -> str:
    """Return the number as it is said before a noun: `vingt et une` for 21 and `heures`."""
    language, said = numerals.language, numerals.cardinal(number)
    feminine = is_feminine(noun, language)
    if language == "fr":
        return re.sub(r"\bun$", "une", said) if feminine else said
    if language == "it":
        return _italian_one(noun, feminine) if number == 1 else said
    # Millions are masculine whatever they count.
    millions, separator, said = f"{said} ".rpartition("illones " if language == "es" else "ilhões ")
    said = said.rstrip()
    if language == "es":
        said = _in_spanish(said, feminine)
    elif feminine:
        said = re.sub(r"\bum$", "uma", re.sub(r"\bdois\b(?! mi)", "duas", re.sub(r"entos\b", "entas", said)))
        said = re.sub(r"\bdois mil$", "duas mil", said)
    return f"{millions}{separator}{said}".rstrip()


def _in_spanish(said: str, feminine: bool) -> str:
    if feminine:
        return re.sub(r"\b(veinti)?uno$", r"\1una", re.sub(r"(?<=[nei])tos\b", "tas", said))
    return re.sub(r"\buno$", "un", said.removesuffix("veintiuno") + "veintiún" if said.endswith("veintiuno") else said)


def _italian_one(noun: str, feminine: bool) -> str:
    noun = noun.lower()
    if feminine:
        return "un'" if _VOWEL.match(noun) else "una"
    return "uno" if _UNO.match(noun) else "un"


def speak_counted(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text with whole numbers before words in words; `es`, `fr`, `it` and `pt`."""
    text = text.substituted(_PAIRED, partial(_first_of_two, numerals)).substituted(_COUNTED, partial(_speak, numerals))
    return text.substituted(re.compile(r"\b([Uu]n') (?=\w)"), "un'") if numerals.language == "it" else text


def _speak(numerals: Numerals, found: re.Match[str]) -> str | None:
    written, thousand, noun = found[1].replace(".", ""), found[2] or "", found[3]
    small = noun.lower()
    is_word = len(noun) >= _MIN_LETTERS or small in _SHORT_NOUNS
    if not is_word or noun[1:] != noun[1:].lower() or small in MONTHS or (written[0] == "0" and len(written) > 1):
        return None
    before = found.string[: found.start()]
    if _AFTER_MONTH.search(before):
        return None
    number = int(written)
    if small in _NOT_COUNTED or _LABELS.search(before) or not _agrees(number, small, numerals.language, thousand):
        return numerals.cardinal(number) + thousand
    if thousand and number == 1:
        return thousand.strip()
    return counted(number, noun, numerals) + thousand


def _first_of_two(numerals: Numerals, found: re.Match[str]) -> str | None:
    """Give the gender to the first of `duas ou três pessoas`."""
    noun = found[2].lower()
    if numerals.language == "it":
        return "una" if found[1] == "1" and noun[-1] == "e" and is_feminine(noun[:-1] + "a", "it") else None
    is_counted = noun[-1] == "s" and noun not in _NOT_COUNTED and noun not in MONTHS and found[1][0] != "0"
    return counted(int(found[1]), noun, numerals) if is_counted and is_feminine(noun, numerals.language) else None


def _agrees(number: int, noun: str, language: str, thousand: str) -> bool:
    """Whether the word after the number has the number's form, so that it may be the noun that is counted."""
    if language == "it":
        return number != 1 or noun[-1] in "aeoàùò" or not noun[-1] in "i" or noun in ("crisi", "tesi", "analisi")
    is_plural = noun[-1] in ("s", "x")
    return not is_plural or noun in ("fois", "mes", "mês", "souris", "voix") if number == 1 and not thousand else is_plural
