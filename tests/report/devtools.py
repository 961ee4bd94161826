"""A Chromium that opens one page and is asked about it over DevTools' pipe.

What is run there is the browser's, not the page's: the page's own Content-Security-Policy stays as strict as it is.
"""

import base64
import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

QUIET = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--disable-default-apps", "--no-first-run", "--no-proxy-server", "--hide-scrollbars",
    "--remote-debugging-pipe", "--force-color-profile=srgb",
]  # fmt: skip

NOBODY = "--host-resolver-rules=MAP * ~NOTFOUND"
"""No name and no address leads anywhere."""

START = """
import os, sys
commands, answers = os.dup(int(sys.argv[1])), os.dup(int(sys.argv[2]))
if answers == 3:
    answers = os.dup(answers)
os.dup2(commands, 3)
os.dup2(answers, 4)
os.set_inheritable(3, True)
os.set_inheritable(4, True)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads commands from 3 and answers on 4."""

PATIENCE = 180.0
"""Seconds to wait for an answer: machines that run tests are busy."""


class Tab:
    """One open page. ``heard`` holds every event it has told of, in order: (method, parameters)."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from, self._left, self._asked = to_browser, from_browser, b"", 0
        self._session: str | None = None
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def attach(self) -> None:
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for what it gives."""
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._send(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._asked:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def open(
        self, page: Path | str, *, width: int = 1280, height: int = 900, scheme: str = "light", media: str = ""
    ) -> None:
        """Open a file or an address in a window of this size, as a reader with these preferences.

        ``media`` may be "print".
        """
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media=media, features=features)
        self.heard.clear()
        self.ask("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        while not any(method == "Page.loadEventFired" for method, _ in self.heard):
            self._next()

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression (awaited, if it is a promise) in the page."""
        found = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def picture(self, path: Path) -> None:
        """A PNG of the whole page."""
        found = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])

    def complaints(self) -> list[str]:
        """What the browser said to the console since the page was opened: errors, refusals, exceptions."""
        found = []
        for method, told in self.heard:
            if method == "Log.entryAdded":
                found.append(told["entry"]["text"])
            elif method == "Runtime.consoleAPICalled":
                found.append(" ".join(str(each.get("value")) for each in told["args"]))
            elif method == "Runtime.exceptionThrown":
                found.append(told["exceptionDetails"]["text"])
        return found

    def requested(self) -> list[str]:
        """Every address that was asked for since the page was opened, but the page and what it holds itself."""
        asked = [told["request"]["url"] for method, told in self.heard if method == "Network.requestWillBeSent"]
        return [url for url in asked[1:] if not url.startswith("data:")]

    def _send(self, message: bytes) -> None:
        while message:
            message = message[os.write(self._to, message) :]

    def _next(self) -> dict[str, Any]:
        """The next message; events are kept in ``heard``."""
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._from], [], [], PATIENCE)
            assert ready, f"the browser has said nothing for {PATIENCE:.0f} seconds"
            part = os.read(self._from, 1 << 20)
            assert part, "the browser has ended"
            self._left += part
        message, _, self._left = self._left.partition(b"\0")
        found = json.loads(message)
        if "method" in found:
            self.heard.append((found["method"], found.get("params", {})))
        return found


@contextlib.contextmanager
def opened(chromium: str, profile: Path, *, reached: str = "") -> Iterator[Tab]:
    """A browser with one empty tab, ended afterwards.

    ``profile`` is a new folder for what it writes; ``reached`` the one host that it can reach, if any.
    """
    hosts = f"{NOBODY}, EXCLUDE {reached}" if reached else NOBODY
    its_in, to_browser = os.pipe()
    from_browser, its_out = os.pipe()
    with (profile.parent / f"{profile.name}.log").open("wb") as log:
        browser = subprocess.Popen(
            [
                *(sys.executable, "-c", START, str(its_in), str(its_out), chromium, *QUIET, hosts),
                f"--user-data-dir={profile}",
            ],
            pass_fds=(its_in, its_out), stdout=log, stderr=log,
        )  # fmt: skip
        os.close(its_in)
        os.close(its_out)
        try:
            tab = Tab(to_browser, from_browser)
            tab.attach()
            yield tab
        finally:
            browser.terminate()
            try:
                browser.wait(timeout=10)
            except subprocess.TimeoutExpired:
                browser.kill()
                browser.wait()
            os.close(to_browser)
            os.close(from_browser)
