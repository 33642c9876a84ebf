"""The page's tab of the server in a real Chromium: what it shows, when it asks, and what it says where it may not."""

import http.server
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("selenium", reason="selenium drives Chromium")

from selenium.webdriver.common.keys import Keys  # noqa: E402

from tests.serving.test_page import (  # noqa: E402, F401  fixtures
    LONG,
    SHORT,
    browser,
    opened,
    page,
    photographed,
    spoken,
)
from tests.support import browser as chromium  # noqa: E402
from tests.support.browser import DESKTOP, PHONE, SMALL_PHONE, Browser  # noqa: E402
from tests.support.harness import Server  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (chromium.CHROMIUM and chromium.DRIVER), reason="Debian's chromium and chromium-driver are not installed"
)

ROWS = "return [...document.querySelectorAll('#workers tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"
FACTS = """
const facts = [...document.querySelectorAll("#server-facts div")];
return Object.fromEntries(facts.map((fact) => [...fact.children].map((each) => each.textContent)));
"""


@pytest.fixture
def tab(page: Browser, server: Server) -> Browser:  # noqa: F811
    """The tab of the server, showing it."""
    page.press("server-tab")
    server.eventually(lambda: page.script(ROWS))
    return page


def asked(page: Browser) -> int:  # noqa: F811
    """Return how often /status was asked for since the last call of this or of `requested`."""
    return sum(url.endswith("/status") for url in page.requested())


def test_every_worker_is_shown(tab, server):
    rows = tab.script(ROWS)

    assert sorted(str(worker.pid) for worker in server.workers()) == sorted(row[1] for row in rows)
    assert {"ready"} == {row[2] for row in rows}
    assert str(server.process.pid) == tab.script(FACTS)["Master"]
    assert tab.script(FACTS)["Workers"].startswith("4 × ")


def test_numbers_change_while_speech_is_made(tab, server):
    with ThreadPoolExecutor(1) as pool:
        speech = pool.submit(server.speak, LONG * 4)
        server.eventually(lambda: any(row[7] == "1" and " of " in row[8] for row in tab.script(ROWS)))
        assert 200 == speech.result().status
    server.eventually(lambda: tab.script(FACTS)["Audio"] not in ("–", "0.0 s per second"))
    server.eventually(lambda: "last minute" in tab.script(FACTS)["A request takes"])

    points = tab.script("return document.querySelector('#audio-line polyline').getAttribute('points').split(' ').length")
    assert points > 1
    photographed(tab, "server-after-speech")


def test_nothing_is_asked_before_somebody_looks_nor_when_nobody_does_any_more(page, server):  # noqa: F811
    urls = page.requested()
    assert [] == [url for url in urls if "status" in url or url.endswith("pace.js")]
    page.press("server-tab")
    count = 0

    def often() -> bool:
        nonlocal count
        count += asked(page)
        return count > 2

    server.eventually(often)
    page.press("speech-tab")
    asked(page)
    page.write(LONG * 2)
    spoken(page, server)  # which takes longer than from one question to the next

    assert 0 == asked(page)


def test_a_page_that_is_not_seen_asks_nothing(tab, server):
    hide = "Object.defineProperty(document, 'visibilityState', {value: arguments[0], configurable: true});"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    tab.script(hide + tell, "hidden")
    asked(tab)
    server.speak(LONG * 2)  # which takes longer than from one question to the next
    assert 0 == asked(tab)
    tab.script(hide + tell, "visible")

    server.eventually(lambda: asked(tab))


def test_a_keyboard_goes_from_tab_to_tab(page, server):  # noqa: F811
    page.script("document.activeElement.blur()")
    page.keys(Keys.TAB)
    assert "speech-tab" == page.focused
    page.keys(Keys.ARROW_RIGHT)
    server.eventually(lambda: page.script(ROWS))
    assert ("server-tab", "true") == (page.focused, page.attribute("server-tab", "aria-selected"))
    page.keys(Keys.TAB)
    assert "server" == page.focused
    page.keys(Keys.TAB)
    assert "workers" == page.focused
    page.chord(Keys.CONTROL, Keys.ENTER)
    page.press("server-tab")
    page.keys(Keys.ARROW_RIGHT)

    assert ("speech-tab", "text") == (page.focused, page.script("return document.querySelector('#speech textarea').id"))
    assert "Ready." == page.text("status")


def test_a_screen_reader_is_told_of_tabs_and_of_columns(tab, server):
    outline = tab.outline()

    for part in [("tablist", "What is shown"), ("tab", "Speech"), ("tab", "Server"), ("tabpanel", "Server"),
                 ("region", "Workers"), ("columnheader", "Generation"), ("heading", "Last errors")]:  # fmt: skip
        assert part in outline
    assert ("button", "Speak") not in outline


def test_the_address_names_the_tab(browser, server):  # noqa: F811
    browser.open(f"http://127.0.0.1:{server.port}/#server")
    server.eventually(lambda: browser.script(ROWS))
    browser.press("speech-tab")

    assert browser.script("return location.href").endswith("/")
    assert browser.element("text").is_displayed()


def test_what_is_written_and_heard_stays_while_the_other_tab_is_looked_at(page, server):  # noqa: F811
    page.write(SHORT)
    spoken(page, server)
    page.press("server-tab")
    server.eventually(lambda: page.script(ROWS))
    page.press("speech-tab")
    drawn = "const c = document.querySelector('#waveform canvas'); return c.width > 0 &&" \
            "c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((each) => each > 0)"  # fmt: skip

    server.eventually(lambda: page.script(drawn))
    assert SHORT == page.attribute("text", "value")


@pytest.mark.parametrize(
    ("status", "says"),
    [(403, "A proxy between here and the server does not show /status (it answers 403)."),
     (502, "cannot be reached behind its proxy"), (200, "is no server of this version")],
)  # fmt: skip
def test_a_proxy_that_does_not_show_it_is_said_in_words(browser, server, status, says):  # noqa: F811
    with proxy(server, status) as port:
        browser.open(f"http://127.0.0.1:{port}/#server")

        assert says in server.eventually(lambda: browser.text("server-alert"))
        assert not browser.element("server-seen").is_displayed()
        # What was asked of the proxy is asked by its address.
        browser.requested()


def test_a_server_that_ends_is_said_and_what_was_seen_stays(browser, start):  # noqa: F811
    server = start("--workers", "1").ready()
    opened(browser, server)
    browser.press("server-tab")
    server.eventually(lambda: browser.script(ROWS))
    server.stop()

    assert "The server does not answer." in server.eventually(lambda: browser.text("server-alert"))
    assert browser.script(ROWS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE, SMALL_PHONE], ids=["desktop", "phone", "small-phone"])
def test_it_fits_in_either_light(tab, server, size, scheme, request):
    tab.emulate(size, prefers_color_scheme=scheme)
    server.eventually(lambda: "per second" in tab.script(FACTS)["Requests"])
    photographed(tab, f"server-{request.node.callspec.id}")

    assert tab.script("return document.documentElement.scrollWidth") <= size[0]


class proxy:
    """Passes on what it is asked, but answers /status itself."""

    def __init__(self, server: Server, status: int) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/status":
                    return self.answered(status, {"Content-Type": "text/html"}, b"<p>no</p>")
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{self.path}") as answer:
                        self.answered(answer.status, answer.headers, answer.read())
                except urllib.error.HTTPError as error:
                    with error:
                        self.answered(error.code, error.headers, error.read())

            def answered(self, code, headers, body) -> None:
                self.send_response(code)
                for name in ("Content-Type", "Content-Security-Policy"):
                    if name in headers:
                        self.send_header(name, headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words) -> None:
                """Nobody reads it."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> int:
        self._thread.start()
        return self._server.server_address[1]

    def __exit__(self, *error) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
