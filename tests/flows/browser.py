"""A headless Chromium that remembers which hosts its pages asked."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


@dataclass(frozen=True, slots=True)
class Browser:
    """One window."""

    driver: Any

    def visit(self, address: str) -> None:
        self.driver.get(address)

    def wait_for(self, *words: str, seconds: float = 90) -> str:
        """The page's text as soon as it has all `words`."""
        deadline = time.monotonic() + seconds
        while True:
            text = str(self.driver.execute_script("return document.body ? document.body.innerText : ''"))
            missing = [word for word in words if word.lower() not in text.lower()]
            if not missing:
                return text
            assert time.monotonic() < deadline, f"the page does not show {missing}:\n{text}"
            time.sleep(0.3)

    def click(self, words: str, seconds: float = 60, which: int = -1) -> None:
        """Click the last element that says just these words, or another of them."""
        found = self._elements("*", words, seconds)
        self.driver.execute_script("arguments[0].click()", found[which])

    def choose(self, words: str, seconds: float = 60) -> None:
        """Choose what says these words from the list that has it."""
        option = self._elements("option", words, seconds)[0]
        change = "const list = arguments[0].closest('select'); list.value = arguments[0].value; "
        self.driver.execute_script(f"{change} list.dispatchEvent(new Event('change', {{bubbles: true}}))", option)

    def _elements(self, kind: str, words: str, seconds: float) -> list[Any]:
        """All elements of a kind that say just these words, as soon as there is one."""
        deadline = time.monotonic() + seconds
        while True:
            found: list[Any] = self.driver.find_elements("xpath", f"//{kind}[normalize-space()='{words}']")
            if found:
                return found
            assert time.monotonic() < deadline, f"nothing says {words!r}"
            time.sleep(0.3)

    def scroll_to(self, words: str) -> None:
        element = self.driver.find_elements("xpath", f"//*[normalize-space()='{words}']")[-1]
        self.driver.execute_script("arguments[0].scrollIntoView()", element)

    def photograph(self, file: Path) -> None:
        self.driver.save_screenshot(str(file))

    def asked(self) -> set[str]:
        """The hosts that were asked for anything since the last call; what a page carries itself counts for none."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        urls += [m["params"]["url"] for m in messages if m["method"] == "Network.webSocketCreated"]
        return {urlsplit(url).hostname or "" for url in urls if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A browser with a profile folder of its own; skips the test where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is missing: pip install -e '.[browser]'")
    found, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (found and driver):
        pytest.skip("Chromium is missing: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = found
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield Browser(window)
    finally:
        window.quit()
