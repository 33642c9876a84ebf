"""The page's Explain tab in Chromium: the rows of a text, the shared text, messages, keys, narrow screens and other scripts."""

import pytest

pytest.importorskip("selenium", reason="selenium drives Chromium")

from selenium.webdriver.common.keys import Keys  # noqa: E402

from app.api.auth import generate_key, hash_key  # noqa: E402
from tests.serving.test_page import (  # noqa: E402, F401  fixtures
    CONTRASTS,
    SCREENS,
    SHORT,
    browser,
    opened,
    page,
    screenshot,
)
from tests.support.browser import CHROMIUM, DRIVER, PHONE, Browser  # noqa: E402
from tests.support.harness import Server  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="Debian's chromium and chromium-driver are not installed"
)

TEXT = "The dose is 0.05 mg — ♪ now. It costs $1.50 (or so)."
ROWS = """
const rows = [...document.querySelectorAll("#explain-result tbody tr:not(.sentence)")];
return rows.map((row) => [...row.cells].map((cell) => cell.textContent));
"""
SENTENCES = "return [...document.querySelectorAll('#explain-result .sentence')].map((row) => row.innerText.split('\\n'))"
#: The cells whose text reaches out of them, and the rows that reach out of the screen.
OVERFLOWS = """
const cells = [...document.querySelectorAll("#explain-result :is(th, td)")].filter((each) => each.offsetWidth > 1);
return cells.filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.textContent);
"""


def explain(page: Browser, text: str) -> None:  # noqa: F811
    """Write a text on the Explain tab, like a paste, and have it explained."""
    page.script("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))",
                page.element("explain-text"), text)  # fmt: skip
    page.press("explain-run")


def rows(page: Browser, server: Server, first: str) -> list[list[str]]:  # noqa: F811
    """Return the rows, once the first written word is that one."""
    return list(server.eventually(lambda: (found := page.script(ROWS)) and found[0][0] == first and found))


@pytest.fixture
def tab(page: Browser, server: Server) -> Browser:  # noqa: F811
    """The Explain tab, with the rows of TEXT."""
    page.write(TEXT)
    page.press("explain-tab")
    rows(page, server, "The")
    return page


def test_the_text_of_the_speech_tab_is_explained_word_by_word(tab, server):
    answer = server.ask("POST", "/v1/audio/explain", {"input": TEXT, "voice": "joe"}).json()
    words = [word for sentence in answer["sentences"] for word in sentence["words"]]

    expected = [
        [word["written"], word["spoken"], word["source"], word["phonemes"], " ".join(map(str, word["ids"]))] for word in words
    ]
    assert expected == tab.script(ROWS)
    assert ["0.05 mg —", "zero point zero five milligrams,", "normalization"] == expected[3][:3]
    assert [each["written"] for each in answer["sentences"]] == [lines[0] for lines in tab.script(SENTENCES)]
    assert "The dose is zero point zero five milligrams, ♪ now." == tab.script(SENTENCES)[0][1]
    assert "11 rows read by joe, 4 changed." == tab.text("explain-status")


def test_both_tabs_have_one_text(tab, server):
    explain(tab, "Two words.")
    assert "Two" == rows(tab, server, "Two")[0][0]
    tab.press("speech-tab")
    assert "Two words." == tab.attribute("text", "value")
    tab.write("Three other words.")
    tab.press("explain-tab")

    assert 3 == len(rows(tab, server, "Three"))
    assert "Three other words." == tab.attribute("explain-text", "value")


def test_a_text_that_changed_is_not_explained_before_it_is_asked_for(tab, server):
    tab.element("explain-text").send_keys(" More.")

    assert "The text has changed." == tab.text("explain-status")
    assert 11 == len(tab.script(ROWS))


def test_the_keyboard_operates_the_tab(page, server):  # noqa: F811
    page.write("One.")
    page.script("document.activeElement.blur()")
    page.keys(Keys.TAB, Keys.ARROW_RIGHT)
    rows(page, server, "One.")
    page.keys(Keys.TAB)
    assert "explain-text" == page.focused
    page.chord(Keys.CONTROL, "a")
    page.keys("Two 2s.")
    page.chord(Keys.CONTROL, Keys.ENTER)
    rows(page, server, "Two")
    page.keys(Keys.TAB)
    assert "explain-run" == page.focused
    page.chord(Keys.SHIFT, Keys.TAB)
    page.chord(Keys.CONTROL, "a")
    page.keys("Three.", Keys.TAB, Keys.SPACE)

    assert [["Three.", "Three.", "voice"]] == [row[:3] for row in rows(page, server, "Three.")]
    assert "Ready." == page.script("return document.getElementById('status').textContent")


def test_the_table_has_roles_and_names_on_every_screen(tab):
    for size in SCREENS.values():
        tab.emulate(size)
        outline = tab.outline()

        for part in [("tab", "Explain"), ("tabpanel", "Explain"), ("textbox", "Text to explain"), ("button", "Explain"),
                     ("table", "What is read for each word"), ("columnheader", "Phonemes"), ("cell", "0.05 mg —")]:  # fmt: skip
            assert part in outline
        assert ("button", "Speak") not in outline


@pytest.mark.parametrize(
    ("text", "says", "start"),
    [("  ", "There is no text to explain.", 0), (SHORT * 500, "The text is too long: ", 0)],
    ids=["blank", "long"],
)
def test_a_refused_text_is_reported_and_the_message_goes_with_the_next_edit(tab, server, text, says, start):
    explain(tab, text)
    assert server.eventually(lambda: tab.text("explain-alert")).startswith(says)
    screenshot(tab, f"explain-{'blank' if not text.strip() else 'long'}")
    tab.element("explain-text").send_keys("x")

    assert "" == tab.text("explain-alert")


def test_a_text_without_sound_has_rows(tab, server):
    explain(tab, "---")

    assert [["---", "", "normalization", "", ""]] == rows(tab, server, "---")


def test_a_key_is_asked_for(browser, start, write_config):  # noqa: F811
    key = generate_key()
    server = start(keys={"api_keys": {"sha256": [hash_key(key)]}}).ready()
    opened(browser, server)
    browser.press("explain-tab")
    server.eventually(lambda: browser.text("explain-alert"))
    assert "This server requires an API key. Enter one on the Speech tab." == browser.text("explain-alert")
    browser.press("speech-tab")
    browser.element("key").send_keys(key)
    browser.script("document.activeElement.blur()")
    browser.press("explain-tab")

    assert server.eventually(lambda: browser.script(ROWS))
    assert "" == browser.text("explain-alert")


def test_the_url_fragment_selects_the_tab(browser, server):  # noqa: F811
    browser.open(f"http://127.0.0.1:{server.port}/#explain")
    server.eventually(lambda: browser.script(ROWS))
    browser.press("server-tab")
    assert browser.script("return location.href").endswith("/#server")
    browser.press("speech-tab")

    assert browser.script("return location.href").endswith("/")


LONG_WORDS = f"Ein {'Donaudampfschifffahrtsgesellschaft' * 4} — {'9' * 84}, שלום עולם (مرحبا) 我有2只猫。 <b>&amp;</b>"


def test_it_fits_every_screen_with_enough_contrast(tab, server):
    explain(tab, f"{TEXT} {LONG_WORDS}")
    server.eventually(lambda: len(tab.script(ROWS)) > 15)

    for name, size in SCREENS.items():
        for scheme in ("light", "dark"):
            tab.emulate(size, prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
            screenshot(tab, f"explain-{name}-{scheme}")
            assert tab.script("return document.documentElement.scrollWidth") <= size[0]
            assert [] == tab.script(OVERFLOWS)
            assert [] == tab.script(CONTRASTS)


def test_words_of_other_directions_have_their_own_and_stay_below_their_title(tab, server):
    explain(tab, "שלום (עולם) hello")
    rows(tab, server, "שלום")
    cell = "document.querySelectorAll('#explain-result td')[0]"

    assert "rtl" == tab.script(f"return getComputedStyle({cell}).direction")
    assert "left" == tab.script(f"return getComputedStyle({cell}).textAlign")


def test_the_server_tab_leaves_the_table_as_it_is(tab, server):
    look = "const style = getComputedStyle(document.querySelector('#explain-result td')); return [style.textAlign, style.padding]"
    before = tab.script(look)
    tab.press("server-tab")
    server.eventually(lambda: tab.script("return document.querySelectorAll('#workers tbody tr').length"))
    tab.press("explain-tab")

    assert before == tab.script(look)


def test_a_tap_selects_the_tab_on_a_phone(page, server):  # noqa: F811
    page.emulate(PHONE)
    page.write("One.")
    page.press("explain-tab")

    assert rows(page, server, "One.")
    boxes = "return [...document.querySelectorAll('#tabs button')].map((each) => each.getBoundingClientRect().toJSON())"
    tabs = page.script(boxes)
    assert all(each["right"] <= PHONE[0] and each["height"] >= 44 for each in tabs)
    assert len({each["top"] for each in tabs}) == 1
