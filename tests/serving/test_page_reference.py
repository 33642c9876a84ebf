"""The page of the HTTP API in a real browser: it shows every operation and field, at any width."""

import pytest

from app.api.fields import CaptionsBody
from app.api.openapi import OPERATIONS
from loader.config.validation import keys_of
from tests.serving.test_page import address, browser, screenshot  # noqa: F401  fixtures
from tests.support.browser import CHROMIUM, DESKTOP, DRIVER, PHONE, SMALL_PHONE, Browser
from tests.support.harness import Server

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Debian's chromium and chromium-driver are not installed")


@pytest.fixture
def reference(browser: Browser, server: Server) -> Browser:  # noqa: F811
    browser.open(f"{address(server)}reference")
    server.eventually(lambda: not browser.attribute("reference", "aria-busy"))
    return browser


def test_it_shows_every_operation_and_field(reference: Browser) -> None:
    titles = reference.script("return [...document.querySelectorAll('h2')].map((each) => each.textContent)")
    names = reference.script("return [...document.querySelectorAll('th')].map((each) => each.textContent.split(' ')[0])")

    assert [f"{method} {path}" for path, methods in OPERATIONS.items() for method in methods] == titles
    assert set(keys_of(CaptionsBody)) <= set(names)
    assert "" == reference.text("problem")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE, SMALL_PHONE])
def test_nothing_is_wider_than_the_window(reference: Browser, size: tuple[int, int], theme: str) -> None:
    reference.emulate(size, prefers_color_scheme=theme)
    screenshot(reference, f"reference-{size[0]}-{theme}")

    assert reference.script("return document.documentElement.scrollWidth <= innerWidth")


def test_a_server_that_is_gone_is_said_in_words(browser: Browser, server: Server) -> None:  # noqa: F811
    browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*openapi.json"]})
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.open(f"{address(server)}reference")
    server.eventually(lambda: browser.text("problem"))

    assert "openapi.json cannot be read" in browser.text("problem")
    browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    browser.console_messages()
