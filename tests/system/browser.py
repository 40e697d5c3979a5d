"""A real Chromium without a window (test_page.py): pages opened, sizes and themes put on, what it
asked for and what it complained of kept."""

import functools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from harness import PATIENCE, wait_until

CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"
AXE = "4.10.3"
# Pages wait an eighth of what they mean to; those that mean to wait long have much to do.
HURRY = (
    "const slowly = setTimeout;"
    "window.setTimeout = (call, ms) => slowly(call, ms < 3000 ? ms / 8 : ms);"
)


def missing():
    """Why there can be no browser here, or None."""
    for program in (CHROMIUM, DRIVER):
        if not shutil.which(program):
            return "no %s here (Debian: chromium, chromium-driver)" % program
    try:
        import selenium.webdriver  # noqa: F401
    except ImportError:
        return "no selenium here (Debian: python3-selenium)"
    return None


@functools.cache
def axe_script():
    """axe-core from npm; the test is skipped, with npm's words, where it cannot be had."""
    with tempfile.TemporaryDirectory(prefix="trawld-axe-") as folder:
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, "axe-core@" + AXE]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise unittest.SkipTest("axe-core cannot be fetched: %s" % error) from None
        if done.returncode:
            raise unittest.SkipTest("axe-core cannot be fetched: " + done.stderr.strip()[-300:])
        return (pathlib.Path(folder) / "node_modules/axe-core/axe.min.js").read_text()


class Browser:
    def __init__(self, folder):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in (
            "--headless=new",
            "--no-sandbox",  # of no use to root, and it loads our own page only
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--user-data-dir=%s" % (folder / "chromium"),
            "--lang=en",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        options.add_experimental_option("perfLoggingPrefs", {"enablePage": False})
        # the client of the driver speaks to loopback only, whatever the environment says
        os.environ["no_proxy"] = "*"
        self.driver = webdriver.Chrome(service=Service(DRIVER), options=options)
        self.driver.set_page_load_timeout(60 * PATIENCE)
        self.driver.set_script_timeout(60 * PATIENCE)
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": HURRY})
        self.sent = []

    def close(self):
        self.driver.quit()

    def screen(self, width, height, theme="light"):
        self.width = width
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
             "screenWidth": width, "screenHeight": height},
        )
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": theme}]},
        )

    def forget(self):
        """What was asked for and complained of until now."""
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.sent = []

    def open(self, url):
        self.driver.get(url)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, what, *arguments, seconds=30):
        """Until the script answers something true; that."""
        return wait_until(lambda: self.run(script, *arguments), what, seconds)

    def console(self):
        """What the page wrote or was told since the last call."""
        return ["%(level)s %(message)s" % entry for entry in self.driver.get_log("browser")]

    def requests(self):
        """The addresses asked for since then, in order; what is data: comes from nowhere."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.sent.append(message["params"]["request"]["url"])
        return [url for url in self.sent if not url.startswith("data:")]

    def spoken(self):
        """What a screen reader is told of: (role, name)."""
        tree = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})
        return {
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in tree["nodes"]
            if not node["ignored"]
        }

    def axe(self):
        """What axe-core finds wrong with the page as it is: (rule, elements)."""
        self.driver.execute_script(axe_script())
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, { resultTypes: ['violations'] })"
            ".then((found) => done(found.violations.map((one) => [one.id, one.help,"
            " one.nodes.map((node) => node.html.slice(0, 200)).slice(0, 3)])))"
        )
        return found

    def picture(self, name):
        """Into the folder of TRAWLD_SCREENSHOTS, where that is set."""
        folder = os.environ.get("TRAWLD_SCREENSHOTS")
        if not folder:
            return
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(pathlib.Path(folder) / (name + ".png")))
