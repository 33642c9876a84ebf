"""The page's Server tab in Chromium: what it shows, when it polls /status, and its messages if /status fails."""

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
    SCREENS,
    SHORT,
    browser,
    opened,
    page,
    screenshot,
    spoken,
)
from tests.support.browser import CHROMIUM, DRIVER, Browser  # noqa: E402
from tests.support.harness import Server  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="Debian's chromium and chromium-driver are not installed"
)

ROWS = "return [...document.querySelectorAll('#workers tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"
FACTS = """
const facts = [...document.querySelectorAll("#server-facts div")];
return Object.fromEntries(facts.map((fact) => [...fact.children].map((each) => each.textContent)));
"""

#: Changes the next answers of /status, and resolves `shown` when one was drawn.
CHANGED_STATUS = """
const ask = window.fetch;
let drawn;
window.shown = new Promise((resolve) => (drawn = resolve));
window.fetch = async (url, options) => {
  const status = await (await ask(url, options)).json();
  status.totals.reader_ends = 3;
  for (const worker of status.workers) worker.parked = 7;
  requestAnimationFrame(() => requestAnimationFrame(drawn));
  return Response.json(status);
};
"""


@pytest.fixture
def tab(page: Browser, server: Server) -> Browser:  # noqa: F811
    """The Server tab, with its first values."""
    page.press("server-tab")
    server.eventually(lambda: page.script(ROWS))
    return page


def status_requests(page: Browser) -> int:  # noqa: F811
    """Return the number of requests for /status since the last call of this function or of `requested`."""
    return sum(url.endswith("/status") for url in page.requested())


def test_every_worker_has_a_row(tab, server):
    rows = tab.script(ROWS)

    assert sorted(str(worker.pid) for worker in server.workers()) == sorted(row[1] for row in rows)
    assert {"ready"} == {row[2] for row in rows}
    assert str(server.process.pid) == tab.script(FACTS)["Master"]
    assert tab.script(FACTS)["Workers"].startswith("4 × ")


def test_parked_answers_and_ended_readers_are_shown(tab):
    """A healthy server has neither, so the values are set here."""
    tab.script(CHANGED_STATUS)
    tab.driver.execute_async_script("shown.then(arguments[0])")

    assert {"7"} == {row[8] for row in tab.script(ROWS)}
    assert "3" == tab.script(FACTS)["Readers ended"]


def test_figures_change_during_synthesis(tab, server):
    with ThreadPoolExecutor(1) as pool:
        speech = pool.submit(server.speak, LONG * 2)
        server.eventually(lambda: any(row[7] == "1" and " of " in row[9] for row in tab.script(ROWS)))
        assert 200 == speech.result().status
    server.eventually(lambda: tab.script(FACTS)["Audio"] not in ("–", "0.0 s per second"))
    server.eventually(lambda: "last minute" in tab.script(FACTS)["Request time"])

    points = tab.script("return document.querySelector('#audio-chart polyline').getAttribute('points').split(' ').length")
    assert points > 1
    screenshot(tab, "server-after-speech")


def test_status_is_polled_only_while_the_tab_is_selected(page, server):  # noqa: F811
    urls = page.requested()
    assert [] == [url for url in urls if "status" in url or url.endswith("status.js")]
    page.press("server-tab")
    count = 0

    def often() -> bool:
        nonlocal count
        count += status_requests(page)
        return count > 2

    server.eventually(often)
    page.press("speech-tab")
    status_requests(page)
    page.write(LONG)
    spoken(page, server)  # takes longer than the polling interval

    assert 0 == status_requests(page)


def test_a_hidden_page_does_not_poll(tab, server):
    hide = "Object.defineProperty(document, 'visibilityState', {value: arguments[0], configurable: true});"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    tab.script(hide + tell, "hidden")
    status_requests(tab)
    server.speak(LONG)  # takes longer than the polling interval
    assert 0 == status_requests(tab)
    tab.script(hide + tell, "visible")

    server.eventually(lambda: status_requests(tab))


def test_arrow_keys_switch_tabs(page, server):  # noqa: F811
    page.script("document.activeElement.blur()")
    page.keys(Keys.TAB)
    assert "speech-tab" == page.focused
    page.keys(Keys.ARROW_RIGHT)
    assert ("explain-tab", "true") == (page.focused, page.attribute("explain-tab", "aria-selected"))
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


def test_tabs_and_columns_have_roles_and_names(tab, server):
    outline = tab.outline()

    for part in [("tablist", "Views"), ("tab", "Speech"), ("tab", "Explain"), ("tab", "Server"), ("tabpanel", "Server"),
                 ("region", "Workers"), ("columnheader", "Generation"), ("heading", "Recent errors")]:  # fmt: skip
        assert part in outline
    assert ("button", "Speak") not in outline


def test_the_url_fragment_selects_the_tab(browser, server):  # noqa: F811
    browser.open(f"http://127.0.0.1:{server.port}/#server")
    server.eventually(lambda: browser.script(ROWS))
    browser.press("speech-tab")

    assert browser.script("return location.href").endswith("/")
    assert browser.element("text").is_displayed()


def test_text_and_audio_survive_a_change_of_tabs(page, server):  # noqa: F811
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
    [(403, "A proxy does not forward /status (it answers 403)."),
     (502, "The proxy cannot reach the server"), (200, "is not from a server of this version")],
)  # fmt: skip
def test_a_proxy_that_hides_status_is_reported(browser, server, status, says):  # noqa: F811
    with proxy(server, status) as port:
        browser.open(f"http://127.0.0.1:{port}/#server")

        assert says in server.eventually(lambda: browser.text("server-alert"))
        assert not browser.element("server-content").is_displayed()
        # These requests have the proxy's origin.
        browser.requested()


def test_a_server_that_ends_is_reported_and_its_last_values_stay(browser, start):  # noqa: F811
    server = start("--workers", "1").ready()
    opened(browser, server)
    browser.press("server-tab")
    server.eventually(lambda: browser.script(ROWS))
    server.stop()

    assert "The server does not answer." in server.eventually(lambda: browser.text("server-alert"))
    assert browser.script(ROWS)


def test_the_tab_fits_every_screen(tab, server):
    server.eventually(lambda: "per second" in tab.script(FACTS)["Requests"])
    for name, size in SCREENS.items():
        for scheme in ("light", "dark"):
            tab.emulate(size, prefers_color_scheme=scheme)
            screenshot(tab, f"server-{name}-{scheme}")
            assert tab.script("return document.documentElement.scrollWidth") <= size[0]


class proxy:
    """A proxy that answers /status itself and forwards the rest."""

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
                """Print nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> int:
        self._thread.start()
        return self._server.server_address[1]

    def __exit__(self, *error) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
