"""The page in Chromium: playback, highlights, messages, downloads."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium", reason="selenium drives Chromium")

from selenium.webdriver.common.keys import Keys  # noqa: E402

from app.api.auth import generate_key, hash_key  # noqa: E402
from tests.serving.test_devices import start_on, torch_artifact  # noqa: E402, F401  fixtures
from tests.support.browser import (  # noqa: E402
    CHROMIUM,
    DESKTOP,
    DRIVER,
    PHONE,
    SMALL_PHONE,
    Browser,
    close_tab,
    downloaded,
    open_tab,
)
from tests.support.family_checkpoints import family_artifacts  # noqa: E402
from tests.support.harness import ROOT, Server  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="Debian's chromium and chromium-driver are not installed"
)

SHORT = "The quick brown fox jumps over the lazy dog."
#: Repeated words, punctuation between them, and characters that JSON and a shell must escape.
TRICKY = "“Don’t,” said the old man — the old, old man!\n\nIt's $5 for a dozen \\ or two? The old man said so."
LONG = " ".join([SHORT] * 15)
LAPTOP = (1280, 800)
SCREENS = {"desktop": DESKTOP, "phone": PHONE, "small-phone": SMALL_PHONE}
#: Delays the next response of the voice list until `listed()`, which resolves when the page has drawn it.
HELD_LISTING = """
  const ask = window.fetch;
  const next = (frame) => new Promise((resolve) => requestAnimationFrame(resolve));
  let release;
  window.fetch = (url, options) => {
    if (!String(url).includes("voices")) return ask(url, options);
    return new Promise((resolve) => (release = () => resolve(ask(url, options).then(read))));
  };
  let shown;
  const isShown = new Promise((resolve) => (shown = resolve));
  const read = (response) => {
    response.clone().text().then(next).then(next).then(shown);
    return response;
  };
  window.listed = () => {
    release();
    return isShown;
  };
"""
SCREENSHOTS = ROOT / "test-output" / "page"


@pytest.fixture
def browser(chromium: Any, tmp_path: Path) -> Iterator[Browser]:
    """A new tab. After the test its console is empty, and no other host was asked."""
    tab = open_tab(chromium, tmp_path / "downloads")
    yield tab
    console_messages, origin, requested = tab.console_messages(), tab.script("return origin"), tab.requested()
    close_tab(chromium)
    assert not console_messages
    assert [] == [url for url in requested if not url.startswith((origin, f"blob:{origin}", "data:,"))]


@pytest.fixture
def page(browser: Browser, server: Server) -> Browser:
    """The page of the shared server, with its voices listed."""
    return opened(browser, server)


def opened(browser: Browser, server: Server) -> Browser:
    browser.open(address(server))
    server.eventually(lambda: browser.attribute("voice", "value") == "joe")
    return browser


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}/"


def screenshot(page: Browser, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))


def spoken(page: Browser, server: Server) -> None:
    """Speak the text, and wait for the end of the stream."""
    page.press("speak")
    wait_until_received(page, server)


def wait_until_received(page: Browser, server: Server) -> None:
    """Wait for the figure that is shown after the stream; on a small screen it may be out of view."""
    server.eventually(lambda: page.script("return pace.textContent"))


def captions(page: Browser, server: Server, text: str) -> list[dict[str, Any]]:
    """Return the word times of the speech that was just played, from the captions endpoint."""
    asked = {"input": text, "voice": "joe", "seed": int(page.attribute("seed", "value")), "timestamp_granularities": ["word"]}
    answer = server.ask("POST", "/v1/audio/captions", {**asked, "response_format": "pcm", "stream": True})
    return [word for sentence in answer.json()["sentences"] for word in sentence["words"]]


def downloaded_file(page: Browser, server: Server, form: str) -> bytes:
    """Return the file that the Download button saves."""
    page.press("download")
    return downloaded(page, f"speech.{form}", server.eventually)


def file_of_curl(page: Browser, folder: Path, form: str) -> bytes:
    """Return the file that the curl command of the page writes."""
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    subprocess.run(["sh", "-c", page.text("curl")], cwd=folder, check=True, capture_output=True)
    return (folder / f"speech.{form}").read_bytes()


def alert_text(page: Browser, server: Server) -> str:
    """Return the text of the alert, once it is shown."""
    return server.eventually(lambda: page.text("alert"))


def test_audio_and_highlights_start_before_the_response_ends(page, server):
    page.write(LONG)
    page.press("speak")
    server.eventually(lambda: page.words)
    screenshot(page, "desktop-light-speaking")
    wait_until_received(page, server)

    ended_ms = page.script(
        "return performance.getEntriesByType('resource').find(({name}) => name.endsWith('/speech')).responseEnd"
    )
    assert page.sounds[0]["at_ms"] < ended_ms
    assert page.words[0]["at_ms"] < ended_ms
    assert page.words[0]["text"] == "The"
    assert "Playing." == page.text("status")


def test_chunks_play_at_the_voice_rate_and_join_on_the_sample(page, server):
    page.write(LONG)
    spoken(page, server)
    page.press("stop")
    streamed = len(page.sounds)
    page.press("play")

    sounds = page.sounds[streamed:]
    assert len(sounds) > 5
    assert {22050} == {sound["rate_hz"] for sound in sounds}
    gaps = [b["due_s"] - a["due_s"] - a["samples"] / 22050 for a, b in zip(sounds, sounds[1:], strict=False)]
    assert max(map(abs, gaps)) < 1e-6
    assert all(abs(sound["due_s"] * 22050 - round(sound["due_s"] * 22050)) < 1e-4 for sound in sounds)


def test_words_are_highlighted_once_and_in_order(page, server):
    page.write(TRICKY)
    page.press("speak")
    server.eventually(lambda: page.text("status") == "Finished.")

    lit = page.words
    offsets = [word["offset"] for word in lit]
    assert offsets == sorted(set(offsets))
    assert all(TRICKY[word["offset"] :].startswith(word["text"]) for word in lit)
    # A busy machine may draw no frame during a short word, but it does for most words.
    heard = iter(word["text"] for word in captions(page, server, TRICKY))
    assert all(word["text"] in heard for word in lit)
    assert len(lit) > 10


def test_arrow_keys_visit_every_word_that_has_a_time(page, server):
    page.write(TRICKY)
    spoken(page, server)
    page.press("stop")
    page.script("waveform.focus()")
    visited = []
    for _ in captions(page, server, TRICKY):
        page.keys(Keys.ARROW_RIGHT)
        visited.append((page.attribute("waveform", "aria-valuetext").rpartition(", ")[2], page.position_s))

    expected = [(word["text"], word["start_s"]) for word in captions(page, server, TRICKY)]
    assert [word for word, _ in expected] == [word for word, _ in visited]
    assert all(0 <= there_s - start_s < 0.002 for (_, start_s), (_, there_s) in zip(expected, visited, strict=True))


def test_a_click_on_a_word_seeks_to_it(page, server):
    page.write(LONG)
    spoken(page, server)
    page.press("play")
    offset = LONG.index("lazy", 60)
    box = page.script(
        "const range = new Range(), node = document.getElementById('highlights').firstChild;"
        "range.setStart(node, arguments[0]); range.setEnd(node, arguments[0] + 4);"
        "return range.getBoundingClientRect().toJSON()", offset,
    )  # fmt: skip
    page.click_at(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    server.eventually(lambda: page.attribute("waveform", "aria-valuetext").endswith("lazy"))
    words = captions(page, server, LONG)
    second_lazy = [word for word in words if word["text"] == "lazy"][1]
    assert second_lazy["start_s"] <= page.position_s < second_lazy["end_s"]


def test_a_click_on_the_waveform_seeks(page, server):
    page.write(LONG)
    spoken(page, server)
    page.press("play")
    box = page.element("waveform").rect
    page.click_at(box["x"] + box["width"] * 0.75, page.script("return waveform.getBoundingClientRect().y") + 5)

    whole_s = float(page.attribute("waveform", "aria-valuemax"))
    assert 0.7 < page.position_s / whole_s < 0.8
    assert "Paused." == page.text("status")


def test_stop_cancels_the_request_on_the_server(page, server):
    abandoned = server.log().count("event=speech.abandoned")
    page.write(LONG * 20)
    page.press("speak")
    server.eventually(lambda: page.words)
    page.press("stop")

    server.eventually(lambda: server.log().count("event=speech.abandoned") == abandoned + 1)
    assert "Stopped." == page.text("status")
    assert "" == page.text("alert")
    assert "true" == page.attribute("stop", "aria-disabled")


def test_a_new_request_cancels_the_previous_one(page, server):
    abandoned = server.log().count("event=speech.abandoned")
    page.write(LONG * 20)
    page.press("speak")
    server.eventually(lambda: page.words)
    page.write("Something else.")
    spoken(page, server)

    server.eventually(lambda: server.log().count("event=speech.abandoned") == abandoned + 1)
    server.eventually(lambda: page.text("status") == "Finished.")
    assert "Something" in [word["text"] for word in page.words]


def test_the_status_line_explains_silence(page, server):
    page.write(LONG)
    spoken(page, server)
    page.press("play")
    page.script("waveform.focus()")
    page.keys(Keys.HOME)
    assert ("0.000", "Paused.") == (page.attribute("waveform", "aria-valuenow"), page.text("status"))
    page.press("play")
    assert "Playing." == page.text("status")
    page.press("stop")
    assert "Stopped." == page.text("status")
    page.keys(Keys.ESCAPE)
    assert "Stopped." == page.text("status")

    page.write("Yes.")
    page.press("speak")
    server.eventually(lambda: page.text("status") == "Finished.")
    page.keys(Keys.ESCAPE)
    assert "Finished." == page.text("status")


def test_the_pace_of_synthesis_is_shown(page, server):
    page.write(SHORT)
    spoken(page, server)

    assert re.fullmatch(r"in real time|[\d.]+× (faster|slower) than real time", page.script("return pace.textContent"))


def test_a_long_text_scrolls_with_the_highlighted_word(page, server):
    page.emulate(DESKTOP, prefers_reduced_motion="reduce")
    page.write(LONG * 2)
    assert page.script("return writing.offsetHeight / innerHeight") < 0.56
    assert page.script("return form.offsetHeight") < 1.5 * DESKTOP[1]
    spoken(page, server)
    page.press("play")
    page.script("waveform.focus()")
    page.script(RECORD_HIGHLIGHTS)
    page.keys(*[Keys.ARROW_RIGHT] * 9 * 20)

    seen = server.eventually(lambda: page.script("return lit.length > 20 && lit"))
    assert page.script("return writing.scrollTop") > 0
    assert 0 == page.script("return scrollY")
    assert all(word["top"] >= word["frame"][0] and word["bottom"] <= word["frame"][1] for word in seen)


#: Records in every frame the place of the highlighted word and of the visible text, in CSS pixels.
RECORD_HIGHLIGHTS = """
window.lit = [];
const look = () => {
  const [range] = CSS.highlights.get("word") ?? [];
  const [word, frame] = [range.getBoundingClientRect(), writing.getBoundingClientRect()];
  const end = Math.min(frame.bottom, player.getBoundingClientRect().top);
  lit.push({ top: word.top, bottom: word.bottom, frame: [frame.top, end] });
  requestAnimationFrame(look);
};
requestAnimationFrame(() => requestAnimationFrame(look));
"""


def test_a_touch_screen_gets_no_keyboard_help(page, server):
    assert page.element("keys").is_displayed()
    assert "click one" in page.attribute("text", "value")
    page.emulate(PHONE)
    page.script("sessionStorage.clear()")
    page.driver.refresh()

    server.eventually(lambda: "tap one" in page.attribute("text", "value"))
    assert "click" not in page.attribute("text", "value")
    assert not page.element("keys").is_displayed()


@pytest.mark.parametrize("size", [LAPTOP, DESKTOP], ids=["laptop", "desktop"])
def test_the_player_covers_nothing_when_the_page_opens(page, size):
    page.emulate(size)
    assert page.script("return curl.textContent")
    screenshot(page, f"opened-{size[0]}x{size[1]}")

    assert [] == page.script(UNDER_THE_PLAYER)


@pytest.mark.parametrize("size", [LAPTOP, DESKTOP, PHONE, (640, 480)], ids=["laptop", "desktop", "phone", "low"])
def test_focused_fields_scroll_above_the_player(page, size):
    page.emulate(size)
    page.write(f"{LONG}\n" * 4)
    for _ in range(3):
        page.script("scrollTo(0, 0); document.getElementById('alert').textContent += 'It grows. '.repeat(20)")
        hidden = page.driver.execute_async_script(SCROLLED_UNDER_THE_PLAYER)
        assert [] == hidden
    page.script("scrollTo(0, document.documentElement.scrollHeight)")

    assert [] == page.script(UNDER_THE_PLAYER)


#: Returns the elements whose lower edge is below the player's upper edge, except inside the text's frame.
UNDER_THE_PLAYER = """
const top = player.getBoundingClientRect().top;
return [...document.querySelectorAll("header *, main *")]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }))
  .filter((element) => !element.closest("#highlights, #text, .unseen, option"))
  .filter((element) => element.getBoundingClientRect().bottom > top + 0.5)
  .map((element) => element.id || element.tagName);
"""
#: Calls back with the focusable elements below the text that the player covers once they have the focus.
SCROLLED_UNDER_THE_PLAYER = """
const drawn = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
const can = [...document.querySelectorAll("#settings *, #save *")].filter(({ tabIndex }) => tabIndex >= 0);
const seen = can.filter((element) => element.checkVisibility());
const under = async () => {
  const found = [];
  await drawn();
  for (const element of seen) {
    scrollTo(0, 0);
    element.focus();
    await drawn();
    if (element.getBoundingClientRect().bottom > player.getBoundingClientRect().top) found.push(element.id);
  }
  return found;
};
under().then(arguments[0]);
"""


def test_editing_clears_the_highlights(page, server):
    page.write(SHORT)
    page.press("speak")
    server.eventually(lambda: page.words)
    page.element("text").send_keys("!")

    assert 0 == page.script("return CSS.highlights.size")
    assert "highlighted" not in page.attribute("writing", "class")


def test_the_seed_is_shown_and_can_be_reused(page, server):
    page.write(SHORT)
    spoken(page, server)
    first = page.attribute("seed", "value")
    spoken(page, server)
    second = page.attribute("seed", "value")
    page.press("fixed")
    spoken(page, server)

    assert first and second and first != second
    assert second == page.attribute("seed", "value")


def test_files_and_commands_give_the_speech_that_was_played(page, server, tmp_path):
    page.write(TRICKY)
    page.set("speed", "0.5")
    spoken(page, server)
    seed = int(page.attribute("seed", "value"))
    asked = {"input": TRICKY, "voice": "joe", "speed": 1.41, "seed": seed}

    for audio_format in ("mp3", "opus", "aac", "flac", "wav", "pcm"):
        page.set("format", audio_format)
        expected = server.ask("POST", "/v1/audio/speech", {**asked, "response_format": audio_format})
        assert 200 == expected.status
        assert expected.body == downloaded_file(page, server, audio_format)
        assert f'"seed":{seed}' in page.text("curl")
        assert expected.body == file_of_curl(page, tmp_path, audio_format)
    for caption_format in ("srt", "vtt"):
        page.set("format", caption_format)
        heard = {**asked, "response_format": "pcm", "stream": True, "caption_format": caption_format}
        expected = server.ask("POST", "/v1/audio/captions", heard)
        assert 200 == expected.status
        assert b" --> " in expected.body
        assert expected.body == downloaded_file(page, server, caption_format)
        assert expected.body == file_of_curl(page, tmp_path, caption_format)


def test_the_command_can_be_copied(page, server):
    page.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    page.press("copy")
    server.eventually(lambda: page.text("save-status") == "Copied the command.")

    copied = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == page.script("return curl.textContent")


def test_a_voice_without_word_times_highlights_sentences_and_offers_speakers(browser, start, tmp_path):
    artifact = family_artifacts(tmp_path)["glow_tts"]
    voices = [{"name": "joe", "model_path": "embedded/joe"}, {"name": "choir", "model_path": str(artifact), "preload": True}]
    server = start(keys={"voices": voices}).ready()
    opened(browser, server).write("A first sentence. And a second one.")
    assert not browser.element("speaker").is_displayed()
    browser.set("voice", "choir")
    assert browser.element("speaker").is_displayed()
    browser.set("speaker", "cleo")
    browser.press("speak")
    server.eventually(lambda: browser.text("status") == "Finished.")

    assert ["A first sentence.", "And a second one."] == [word["text"] for word in browser.words]
    assert '"voice":"choir","speaker":"cleo"' in browser.text("curl")
    assert "speaker=cleo" in server.log()


def test_settings_survive_a_reload(page, server):
    page.write("Kept for later.")
    page.set("speed", "1")
    page.set("format", "flac")
    page.element("seed").send_keys("17")
    page.driver.refresh()
    server.eventually(lambda: page.attribute("voice", "value") == "joe")

    assert "Kept for later." == page.attribute("text", "value")
    assert ("2×", "flac", "17") == (page.text("speed-value"), page.attribute("format", "value"), page.attribute("seed", "value"))
    assert page.element("fixed").is_selected()


def test_the_keyboard_operates_everything(page, server):
    page.write("")
    page.script("document.activeElement.blur()")
    page.keys(Keys.TAB)
    assert "speech-tab" == page.focused
    page.keys(Keys.TAB)
    assert "text" == page.focused
    page.keys(SHORT)
    page.chord(Keys.CONTROL, Keys.ENTER)
    wait_until_received(page, server)
    order = []
    while "waveform" not in order:
        page.keys(Keys.TAB)
        order.append(page.focused)
    page.keys(Keys.ESCAPE, Keys.HOME, *[Keys.ARROW_RIGHT] * 4)

    assert ["voice", "speed", "seed", "fixed", "format", "download", "copy", "curl", "speak", "play", "stop", "waveform"] == order
    server.eventually(lambda: page.attribute("waveform", "aria-valuetext").endswith("fox"))
    page.keys(Keys.ARROW_LEFT)
    server.eventually(lambda: page.attribute("waveform", "aria-valuetext").endswith("brown"))
    page.keys(Keys.SPACE)
    server.eventually(lambda: page.attribute("play", "aria-label") == "Pause")
    page.keys(Keys.ESCAPE)
    assert "Play" == page.attribute("play", "aria-label")


def test_every_control_has_a_role_and_a_name(page, server):
    outline = page.outline()

    for role, name in [
        ("heading", "Chorus"), ("textbox", "Text to speak"), ("group", "Voice settings"), ("combobox", "Voice"),
        ("slider", "Speed"), ("textbox", "Seed"), ("checkbox", "reuse"), ("combobox", "Format"), ("button", "Download"),
        ("button", "Copy command"), ("region", "Player"), ("button", "Speak"), ("button", "Play"), ("button", "Stop"),
        ("slider", "Position"),
    ]:  # fmt: skip
        assert (role, name) in outline
    roles = [role for role, _ in outline]
    assert "alert" in roles and roles.count("status") == 3
    unnamed = {"textbox", "combobox", "slider", "checkbox", "button", "region"}
    assert [] == [role for role, name in outline if role in unnamed and not name]


def test_the_page_fits_every_screen_with_enough_contrast(page, server):
    page.write(f"{SHORT} {'Donaudampfschifffahrtsgesellschaft' * 3} {SHORT}")
    spoken(page, server)

    for name, size in SCREENS.items():
        for scheme in ("light", "dark"):
            page.emulate(size, prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
            screenshot(page, f"{name}-{scheme}-spoken")
            assert page.script("return document.documentElement.scrollWidth") <= size[0]
            assert page.script("return player.offsetHeight / innerHeight") < 0.25
            paper = page.script("return getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, paper[4:-1].split(","))) < 200) is (scheme == "dark")
            assert [] == page.script(CONTRASTS)


#: Returns the elements whose own text has a contrast below 4.5 to 1.
CONTRASTS = """
const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const light = (colour) => {
  const [red, green, blue] = channels(colour).map((c) => linear(c / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const ground = (element) => {
  const colour = getComputedStyle(element).backgroundColor;
  return channels(colour)[3] === 0 && element.parentElement ? ground(element.parentElement) : colour;
};
const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
const isSeen = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.matches("#text, option");
return [...document.body.querySelectorAll("*")]
  .filter((element) => hasText(element) && isSeen(element))
  .map((element) => [element.id || element.textContent, light(getComputedStyle(element).color), light(ground(element))])
  .map(([name, ...pair]) => [name, (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)])
  .filter(([, ratio]) => ratio < 4.5);
"""


def test_invalid_requests_are_explained(page, server):
    page.write("   ")
    page.press("speak")
    assert "There is no text to speak. Enter some text first." == alert_text(page, server)
    assert "text" == page.focused

    page.write("<speak>Hi")
    page.press("speak")
    server.eventually(lambda: "not well formed" in page.text("alert"))
    assert page.text("alert").startswith("The server cannot speak this: ")
    screenshot(page, "desktop-light-error")
    page.element("text").send_keys("?")
    assert "" == page.text("alert")

    page.write(SHORT * 500)
    page.press("speak")
    server.eventually(lambda: page.text("alert").startswith("The text is too long: "))
    assert "20000" in page.text("alert")

    page.write(SHORT)
    page.element("seed").send_keys("seven")
    page.press("speak")
    assert "A seed is a whole number, such as 42." == page.text("alert")

    page.element("seed").clear()
    spoken(page, server)
    assert "" == page.text("alert")


def test_a_voice_that_fails_midway_is_reported(browser, start):
    server = start("tests.support.failing_voice:create()", environment={"CHORUS_FAIL_AT": "3"}, expects_errors=True).ready()
    opened(browser, server).write(LONG)
    browser.press("speak")

    words = alert_text(browser, server)
    assert re.search(r"You can play the [\d.]+ seconds of audio that arrived\.", words)
    assert "voice could not speak" in words


def test_a_worker_that_dies_midway_is_reported(browser, start):
    server = start(expected_deaths=1, expects_errors=True).ready()
    opened(browser, server).write(LONG * 20)
    browser.press("speak")
    server.eventually(lambda: browser.words)
    speaking = max(server.workers(), key=lambda worker: sum(worker.cpu_times()[:2]))
    speaking.kill()

    assert alert_text(browser, server).startswith("The connection was lost. ")
    assert "You can play the " in browser.text("alert")
    assert "false" == browser.attribute("play", "aria-disabled")


def test_an_unreachable_server_is_reported(browser, start):
    server = start().ready()
    opened(browser, server)
    server.stop()
    browser.press("speak")

    words = server.eventually(lambda: browser.text("alert"))
    assert "The server cannot be reached. Check that it is running and that you are online." == words


def test_a_starting_server_says_when_to_retry(browser, start_on):  # noqa: F811
    server = start_on({"open": ["always", "broken"]}, "--workers", "1", environment={"CHORUS_FIRST_PAUSE_S": "3600"})
    server.eventually(lambda: "event=worker.warm_up_failed" in server.log())
    server.remember_descriptors()
    browser.open(address(server))

    assert "The server is busy or still starting. Try again in 2 hours." == alert_text(browser, server)


def test_the_key_field_appears_if_the_server_requires_a_key(browser, start):
    key = generate_key()
    server = start(keys={"api_keys": {"sha256": [hash_key(key)]}}).ready()
    opened(browser, server).write(SHORT)
    assert not browser.element("key").is_displayed()

    browser.press("speak")
    assert "This server requires an API key." == alert_text(browser, server)
    assert "key" == browser.focused
    assert "stored for this tab until you close it" == browser.text("key-note")
    screenshot(browser, "desktop-light-key")
    browser.keys("wrong", Keys.ENTER)
    server.eventually(lambda: browser.text("alert") == "The server does not accept this API key.")
    browser.element("key").clear()
    browser.element("key").send_keys(key)
    spoken(browser, server)

    assert "" == browser.text("alert")
    assert "$CHORUS_API_KEY" in browser.text("curl") and key not in browser.text("curl")
    assert key in json.dumps(browser.script("return {...sessionStorage}"))
    assert key not in json.dumps(browser.script("return {...localStorage}"))


def test_a_late_voice_list_keeps_the_alert_of_a_refused_request(browser, start):
    server = start(keys={"api_keys": {"sha256": [hash_key(generate_key())]}}).ready()
    opened(browser, server).write(SHORT)
    browser.press("speak")
    assert "This server requires an API key." == alert_text(browser, server)

    browser.script(HELD_LISTING)
    browser.keys("wrong", Keys.ENTER)
    server.eventually(lambda: browser.text("alert") == "The server does not accept this API key.")
    browser.driver.execute_async_script("listed().then(arguments[0])")

    assert "The server does not accept this API key." == browser.text("alert")
