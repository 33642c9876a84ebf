"""Headless Chromium, driven by selenium: what a user of the page sees, hears and presses."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
DESKTOP, PHONE, SMALL_PHONE = (1100, 850), (360, 740), (320, 568)

# Otherwise Chromium's own requests count as the page's, and its files in /dev/shm as the server's.
_SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
#: Records audio buffers and highlighted words with their times; runs before the page's scripts.
_WITNESS = """(() => {
  const seen = { sounds: [], words: [] };
  Object.defineProperty(window, "witness", { value: seen });
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (due_s) {
    seen.sounds.push({ at_ms: performance.now(), due_s, rate_hz: this.context.sampleRate, samples: this.buffer.length });
    return start.call(this, due_s);
  };
  let last = "";
  const look = () => {
    const [range] = CSS.highlights.get("word") ?? [];
    const word = range ? `${range.startOffset}:${range}` : "0:";
    if (word !== last && !word.endsWith(":")) {
      seen.words.push({ at_ms: performance.now(), offset: range.startOffset, text: `${range}` });
    }
    last = word;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""


@dataclass(frozen=True)
class Browser:
    """One tab of a Chromium, without stored data."""

    driver: webdriver.Chrome
    downloads: Path

    def open(self, url: str) -> None:
        self.driver.get(url)

    def emulate(self, size: tuple[int, int] = DESKTOP, **features: str) -> None:
        """Emulate a viewport in CSS pixels and media features such as `prefers_color_scheme="dark"`."""
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 2, "mobile": size[0] < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": bool(screen["mobile"])})
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": named})

    def element(self, name: str) -> WebElement:
        return self.driver.find_element(By.ID, name)

    def text(self, name: str) -> str:
        return self.element(name).text

    def write(self, text: str) -> None:
        """Enter `text` like a paste: at once, with any character."""
        self.script("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))",
                    self.element("text"), text)  # fmt: skip

    def press(self, name: str) -> None:
        self.element(name).click()

    def keys(self, *keys: str) -> None:
        """Press keys one after the other, sent to the focused element."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def chord(self, modifier: str, key: str) -> None:
        ActionChains(self.driver).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def click_at(self, x: float, y: float) -> None:
        """Click at a point of the window."""
        action = ActionBuilder(self.driver)
        action.pointer_action.move_to_location(round(x), round(y)).click()
        action.perform()

    def script(self, source: str, *arguments: Any) -> Any:
        return self.driver.execute_script(source, *arguments)

    def set(self, name: str, value: str) -> None:
        """Set the value of a list or slider, with its events."""
        self.script("arguments[0].value = arguments[1]; for (const sign of ['input', 'change'])"
                    "arguments[0].dispatchEvent(new Event(sign, {bubbles: true}))", self.element(name), value)  # fmt: skip

    def attribute(self, name: str, attribute: str) -> str:
        return self.element(name).get_attribute(attribute) or ""

    @property
    def focused(self) -> str:
        return str(self.script("return document.activeElement.id"))

    @property
    def position_s(self) -> float:
        return float(self.attribute("waveform", "aria-valuenow"))

    @property
    def sounds(self) -> list[dict[str, Any]]:
        """Every chunk that was scheduled on the audio clock, in order."""
        return list(self.script("return witness.sounds"))

    @property
    def words(self) -> list[dict[str, Any]]:
        """Every word that was highlighted, in order."""
        return list(self.script("return witness.words"))

    def console_messages(self) -> list[str]:
        """Console messages, except those of the browser about HTTP responses."""
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["source"] != "network"]

    def requested(self) -> list[str]:
        """Every URL that was requested since the last call, including the page's."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in sent]

    def outline(self) -> list[tuple[str, str]]:
        """The roles and names in the accessibility tree, in order."""
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        seen = [node for node in nodes if not node["ignored"]]
        return [(str(node["role"]["value"]), str(node.get("name", {}).get("value", ""))) for node in seen]


def launch(profile: Path) -> webdriver.Chrome:
    """Start Chromium with that profile. Its first tab stays open for `close_tab`."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in (*_SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # If the driver's path is given, selenium does not search for one or download one.
    driver = webdriver.Chrome(options, Service(str(DRIVER)))
    driver.get("chrome://net-internals/#sockets")
    return driver


def open_tab(driver: webdriver.Chrome, downloads: Path) -> Browser:
    """Open a tab that records what the page plays; a tab has a session storage of its own."""
    driver.switch_to.new_window("tab")
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WITNESS})
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)})
    browser = Browser(driver, downloads)
    browser.emulate()
    browser.console_messages()
    browser.requested()
    return browser


def close_tab(driver: webdriver.Chrome) -> None:
    """Close the tab, delete what its server stored, and close the idle connections to it."""
    data = {"origin": driver.execute_script("return origin"), "storageTypes": "all"}
    driver.execute_cdp_cmd("Storage.clearDataForOrigin", data)
    driver.close()
    driver.switch_to.window(driver.window_handles[0])
    driver.execute_script("chrome.send('flushSocketPools')")


def downloaded(browser: Browser, name: str, eventually: Callable[[Callable[[], Any]], Any]) -> bytes:
    """Return a downloaded file once it is complete."""
    path = browser.downloads / name
    eventually(lambda: path.exists() and path.stat().st_size and not list(browser.downloads.glob("*.crdownload")))
    return path.read_bytes()
