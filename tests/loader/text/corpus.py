"""Texts that people and programs send to a speech server, a list for each subject."""

NUMBERS = [
    "0", "7", "There are 12 months.", "He was 100 years old.", "1001 nights", "999", "10000 steps a day", "123456",
    "1,000", "1,234,567 people live there.", "12,34 is not 12.34", "3.14159 is about pi", "0.5", ".5 of it",
    "-5 degrees",
    "minus -17.25 again", "+3 points", "1.000.000,00", "1 000 000", "007", "00042", "1e10", "6.02e23", "0x1F", "50%",
    "99.9 % of them", "1/2 cup", "3/4", "2 1/2 hours", "½ and ¾", "10^6", "x² and x³", "H2O and CO2", "4x4", "5-10",
    "a 5-year-old", "12345678901234567890", "1234567890123456789012345678901234567890", "No. 5", "#1", "2000", "2001",
    "2010", "1999", "1905", "1066", "3000", "1100", "the 1980s", "the '90s", "5'11\"", "a dozen (12) eggs", "7,5",
    "1,2,3,4", "1, 2, 3, 4", "1.2.3", "version 2.0.1", "192.168.0.1", "IV, VI and XII", "Chapter III",
]  # fmt: skip

ORDINALS = [
    "1st", "2nd", "3rd", "4th of July", "the 21st century", "42nd Street", "101st", "the 1000th visitor",
    "11th, 12th, 13th",
    "On the 22nd of May", "2st", "1stly", "May 3rd, 2021",
]  # fmt: skip

MONEY = [
    "$5", "$1", "$1.00", "$0.99", "$3.50", "$1,234.56", "$1.5 million", "It costs $20.", "£1", "£10.50", "£1,000",
    "¥500",
    "¥1", "€5", "€3.20", "5 €", "US$ 7", "$.50", "$", "$$$", "$5.", "$1.2.3", "100 dollars", "5¢", "a $20-$30 range",
    "$0",
]  # fmt: skip

DATES_AND_TIMES = [
    "12:30", "3:05 pm", "at 7:00 a.m. sharp", "23:59:59", "00:00", "9 o'clock", "10:45PM", "2021-05-03", "05/03/2021",
    "3 May 2021", "Monday, January 1st, 2000", "Jan. 5", "Dec. 25, 1999", "1995-1999", "44 BC", "AD 476", "5 p.m.",
    "between 9:00 and 17:00", "24/7", "1h 20min", "Q3 2022", "mid-2015", "7am",
]  # fmt: skip

PHONES = [
    "555-1234", "+1 (555) 123-4567", "0800 123 456", "call 911 now", "+44 20 7946 0958", "ext. 12",
    "1-800-FLOWERS",
]  # fmt: skip

ABBREVIATIONS = [
    "Mr. Smith met Mrs. Jones.", "Dr. Who lives on Baker St. in London.", "Gen. Grant and Col. Mustard", "St. Patrick",
    "Lt. Dan, Sgt. Pepper and Capt. Kirk", "Acme Co. Ltd.", "John Jr. and Rev. Green", "Ft. Worth", "Hon. Judge, Esq.",
    "Maj. Tom", "Drs. A and B", "mr. lower case", "MR. UPPER CASE", "Prof. X", "e.g. this", "i.e. that", "etc.", "vs.",
    "approx. 5", "U.S.A.", "U.K.", "a.k.a.", "Ph.D.", "St.Louis", "No.", "Inc.", "co.uk", "Mt. Everest",
    "P.S. I love you",
]  # fmt: skip

QUOTES = [
    '"Hello," she said.', "'Single' quotes", "“Curly” quotes", "‘Curly’ singles", "«Guillemets»", "‹Single guillemets›",
    "„German“ quotes", "''Two singles''", '""', "''", '"', "'", "`Backticks`", "``LaTeX''", "「Corner」",
    "『White corner』",
    '"Nested \'quotes\' here"', "“Nested ‘curly’ here”", '"Unclosed', 'Closed only"', "rock 'n' roll", "’twas",
    "O’Brien",
    '"A." "B." "C."', "6′ 2″", "He said: \"No!\" and left.",
]  # fmt: skip

DASHES = [
    "well-known", "a - b", "a – b", "a — b", "word—word", "word–word", "wait-", "-wait", "--", "---", "a--b",
    "pages 5–10",
    "mother-in-law", "re-enter", "non\u2011breaking", "minus \u22125", "soft\u00adhyphen", "_underscore_",
    "snake_case_name",
    "up-to-date, state-of-the-art", "‐ ‑ ‒ – — ―", "T-shirt", "~5", "a ~ b",
]  # fmt: skip

BRACKETS = [
    "A (small) test", "(all of it)", "((twice))", "[square]", "{curly}", "<angle>", "[[hello]]", "[[h@l'oU]] world",
    "( )",
    "(", ")", "()", "f(x) = y", "a[0]", "(1) one (2) two", "see (Fig. 3)", "<speak>hello</speak>", "<break time='1s'/>",
    "&lt;p&gt;", "(en)", "word (fr) word", ":)", ":-(", "(unclosed", "closed)",
]  # fmt: skip

CONTRACTIONS = [
    "don't", "I'm", "you're", "it's", "we've", "they'd", "I'll", "can't", "won't", "shouldn't've", "y'all", "o'clock",
    "ain't",
    "James' book", "the dogs' bones", "John's", "let's", "who's", "gonna", "I don’t know", "it’s", "'em", "ma'am",
    "Don't!",
]  # fmt: skip

PUNCTUATION = [
    ".", ",", "!", "?", ";", ":", "…", "...", "!!!", "???", "?!", "!?", ". . .", ".,;:!?", "¡Hola!", "¿Qué?", "- - -",
    "* * *",
    "Wait... what?", "Really?!", "Yes!!!", "No, no, no.", "One; two; three.", "This: that.", "So…", "…so", ". Hello",
    ", hello",
    "! hello !", "Hello .", "Hello , world", "Hello,world", "Hello.World", "a.b.c", "a,b,c", "a;b", "a:b", "end.\"",
    "end\".",
    "What?Yes!", "Hm... well... no...", "...and then", "Hello!!! World???", "a , , b", "a.. b", "tau..", "«»", "“”",
    ";;;", "¡",
]  # fmt: skip

SYMBOLS = [
    "a & b", "R&D", "AT&T", "a+b=c", "5 > 3", "3 < 5", "a*b", "C#", "C++", "50% off", "@home", "#hashtag", "a|b",
    "a\\b", "^",
    "~", "100°C", "±5", "×", "÷", "≈ ≠ ≤ ≥", "√2", "∞", "∑", "π", "µm", "Ω", "©2021", "™", "®", "§5", "¶", "†", "•",
    "→", "✓",
    "!@#$%^&*()_+-=[]{}|;':\",./<>?`~", "${HOME}", "%s %d", "{{name}}", "a = b * (c + d)", "2+2=4", "2 x 3", "E=mc²",
    "f(x)=x^2", "1 < 2 && 3 > 2", "½x", "-x", "||", "\\n",
]  # fmt: skip

UNITS = [
    "5 km", "10kg", "3 m/s", "60 mph", "20°", "98.6°F", "5 GB", "1.5 TB", "100 Mbit/s", "2 lbs.", "6 ft. 2 in.",
    "12V", "3kWh",
    "440 Hz", "2.4GHz", "10 ml", "5 m²",
]  # fmt: skip

ADDRESSES = [
    "https://www.example.com/path?x=1&y=2#z", "www.example.org", "example.com", "mailto:a@b.c", "john.doe@example.com",
    "ftp://files.example.net:21/", "/usr/local/bin", "C:\\Windows\\System32", "file.txt", "README.md", "@user",
    "#topic",
    "user_name@sub.example.co.uk",
]  # fmt: skip

CAPITALS = [
    "NASA", "FBI", "HELLO WORLD", "USA", "UNESCO", "HTML5", "PDFs", "iPhone", "McDonald's", "eBay", "JavaScript",
    "GPT-4", "A",
    "I", "THE", "a", "I AM", "DVDs", "CEO's", "camelCase", "XMLHttpRequest", "LaTeX", "OK", "ok", "TV", "ID", "aBcDeF",
]  # fmt: skip

WEAK_WORDS = [
    "the", "of", "and", "to", "a the", "Of the.", "To, and, from.", "That is that.", "I'm, you're, he's.",
    "And. The. Of.", "it",
    "was it", "from the", "in, on, at.", "To be, or not to be: that is the question.", "as for me", "by", "an", "her",
    "will",
]  # fmt: skip

OTHER_SCRIPTS = [
    "café", "naïve", "résumé", "Zürich", "São Paulo", "Ångström", "Łódź", "smörgåsbord", "piñata", "coöperate",
    "Dvořák",
    "Αθήνα", "Ελλάδα και Κύπρος", "α, β, γ", "Привет, мир!", "Москва", "Что? Где? Когда?", "你好", "你好，世界。", "日本語のテスト",
    "こんにちは", "カタカナ", "한국어 문장입니다.", "مرحبا بالعالم", "שלום עולם", "हिन्दी में", "ภาษาไทย", "Türkçe", "Tiếng Việt",
    "English и русский mixed", "a你b好c", "Привет hello 你好", "cafe\u0301", "e\u0301\u0301\u0301", "\u0301", "n\u0303o",
    "ﬁne ﬂow", "ＡＢＣ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "ⅷ", "①②③", "ǆ", "ß", "İstanbul", "ı", "ŉ", "\ufeffBOM", "zero\u200bwidth",
    "non\u00a0breaking",
    "thin\u2009space", "\u202eright to left\u202c", "\u200f", "private \ue000 use", "a\u0300\u0316b", "ა ბ გ", "ሰላም",
    "\U0001d11e",
]  # fmt: skip

EMOJI = [
    "😀", "Hello 😀!", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪", "❤️", "I ❤ you", "🎉🎉🎉", "☕ break", "1️⃣", "😀😃😄😁", "ok👌", "¯\\_(ツ)_/¯",
    "<3", "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
]  # fmt: skip

SPACES = [
    "", " ", "   ", "\n", "\t", " leading", "trailing ", "  both  ", "two  spaces", "tab\tbed", "line\nbreak",
    "para\n\ngraph",
    "\n\n\n", "a\r\nb", "end\n", "\nstart", "a\n\n\nb", "one.\nTwo.\n", "v\x0btab", "form\x0cfeed", "nel\x85line",
    "sep\u2028line",
]  # fmt: skip

LONG_WORDS = [
    "Donaudampfschifffahrtsgesellschaftskapitän", "pneumonoultramicroscopicsilicovolcanoconiosis", "a" * 60, "abc" * 40,
    "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch", "supercalifragilisticexpialidocious", "zzzzzzz",
    "xkcdq",
    "bcdfghjklmnpqrstvwxz", "hello" * 20, "antidisestablishmentarianism", "QWERTYUIOP" * 5, "ha" * 50, "1a2b3c4d5e6f",
    "zhqud", "i'pr", "a1" * 30,
]  # fmt: skip

SENTENCES = [
    "The birch canoe slid on the smooth planks.", "Glue the sheet to the dark blue background.",
    "It's easy to tell the depth of a well.", "These days a chicken leg is a rare dish.",
    "The quick brown fox jumps over the lazy dog.", "She sells sea shells by the sea shore.",
    "How much wood would a woodchuck chuck, if a woodchuck could chuck wood?",
    "Peter Piper picked a peck of pickled peppers.", "I read a book yesterday, and I will read another tomorrow.",
    "The wind can wind the flag around the pole.", "He wound a bandage around the wound.",
    "Please lead me to the lead pipe.", "They were too close to the door to close it.",
    "On 3 May 2021, at 9:30 a.m., Dr. Smith paid $1,234.56 (incl. VAT) for 2.5 kg of \"gold\" - wow!",
    "In 1969, Apollo 11 landed on the Moon; 600 million people watched.",
    "To whom it may concern: the meeting (scheduled for 10:00) is cancelled.",
    "Yes... no... maybe? I don't know!", "“I can’t,” she said — “not now.”",
    "First, open the file; second, read it: third, close it.", "A man, a plan, a canal: Panama!",
    "Well, you know, it's like, um, whatever.", "Stop! Who goes there? Friend or foe?",
    "The temperature fell to -12.5°C (9.5°F) on the 2nd night.", "Mr. and Mrs. O'Neil live at 221B Baker St.",
    "Version 1.2.3 was released on 2020-01-31; see https://example.com/notes.",
    "If x > 0 and y < 5, then x + y is at most 10% of z.", "Buffalo buffalo Buffalo buffalo buffalo buffalo.",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
    "it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of "
    "Darkness.",
    "the of and to in a is that for it as was with be by on not he I this are or his from at which but have an had",
    "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen.",
]  # fmt: skip

CORPUS = [
    *NUMBERS, *ORDINALS, *MONEY, *DATES_AND_TIMES, *PHONES, *ABBREVIATIONS, *QUOTES, *DASHES, *BRACKETS, *CONTRACTIONS,
    *PUNCTUATION, *SYMBOLS, *UNITS, *ADDRESSES, *CAPITALS, *WEAK_WORDS, *OTHER_SCRIPTS, *EMOJI, *SPACES, *LONG_WORDS,
    *SENTENCES,
]  # fmt: skip

#: Without a cleaner, by the language of the phonemizer.
LANGUAGES = {
    "fr-fr": ["Bonjour, le monde!", "le", "Il est 9 h 30.", "Un e-mail s'il vous plaît : le week?", "«Oui», dit-il."],
    "de": ["Guten Morgen, die Damen.", "der", "Das Meeting um 12:30 Uhr", "Straße, Übung und Äpfel", "3,5 kg [[x]]"],
    "cmn": ["你好。", "我很好，你呢？", "一二三四五", "好", "小姐买水果", "hello 世界"],
    "es": ["¿Qué tal?", "la", "El 3 de mayo de 2021.", "un software"],
    "it": ["Buongiorno a tutti.", "il", "Costa 3,50 euro."],
    "pt-br": ["Bom dia, São Paulo!", "o"],
    "ru": ["Привет, мир!", "и", "Это Windows 10."],
}
