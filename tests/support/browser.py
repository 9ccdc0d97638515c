"""A headless Chromium that is told what to look at a page with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")


class Browser:
    """Starts Chromium, and ends it."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or ""
        for argument in (
            "--headless",
            "--no-sandbox",  # root has none
            "--disable-background-networking",
            "--disable-dev-shm-usage",  # containers have little of it
            "--hide-scrollbars",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.driver.set_page_load_timeout(120)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.driver.quit()

    def show(self, file: Path, *, width: int, height: int = 900, scheme: str = "light") -> None:
        """Loads a page anew, on a screen of this many CSS pixels; a narrow one is a phone's."""
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(file.as_uri())

    def ask(self, script: str) -> Any:
        """What a script of ours says of the page; the page's own rules bind only its own."""
        return self.driver.execute_script(script)

    def picture(self) -> str:
        """A PNG of what is on the screen, in base64."""
        return str(self.driver.get_screenshot_as_base64())

    def requests(self) -> list[str]:
        """What was fetched since this was asked last."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """What was written to its console since this was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]
