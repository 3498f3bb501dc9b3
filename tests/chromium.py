"""A real headless Chromium, driven by the devtools protocol through a pipe: pages as readers see them."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 60.0  # seconds
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome-headless-shell")


def chromium() -> str | None:
    """The browser of this machine: $CHROMIUM, else by its usual names; None where there is none."""
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page of a browser. `requests` are the addresses that it asked for since it was opened."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._rest = to, back, b""
        self._number, self._session = 0, ""
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the browser for something and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._take(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._back], [], [], PATIENCE)[0], "the browser says nothing"
            read = os.read(self._back, 2**20)
            assert read, "the browser has ended"
            self._rest += read
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def _take(self, event: dict[str, Any]) -> str:
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])
        return str(event.get("method"))

    def look(self, file: Path, width: int, height: int = 900, *, scheme: str = "light") -> None:
        """Open a file in a window of that size, in light or dark, and wait until it is drawn."""
        phone = width < 600
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.requests.clear()
        self.send("Page.navigate", url=file.absolute().as_uri())
        while self._take(self._next()) != "Page.loadEventFired":
            pass

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives in the page."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self, file: Path, *, whole: bool = False, scale: float = 1) -> None:
        """A PNG of the window, or of the whole page."""
        more: dict[str, Any] = {"captureBeyondViewport": True} if whole else {}
        if whole or scale != 1:
            size = self.send("Page.getLayoutMetrics")["cssContentSize" if whole else "cssLayoutViewport"]
            width = size.get("width") or size["clientWidth"]
            height = size.get("height") or size["clientHeight"]
            more["clip"] = {"x": 0, "y": 0, "width": width, "height": height, "scale": scale}
        file.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", **more)["data"]))

    def paper(self, file: Path) -> None:
        """A PDF as it would be printed, on A4."""
        sheet = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": True, "preferCSSPageSize": True}
        file.write_bytes(base64.b64decode(self.send("Page.printToPDF", **sheet)["data"]))


@contextmanager
def browser(program: str) -> Iterator[Page]:
    """A browser with one page, which ends with the block."""
    (there, to), (back, here) = os.pipe(), os.pipe()
    # Its helpers may write into the profile after it has ended.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The protocol's pipe is file descriptors 3 and 4 of the browser.
        shell = f'exec "$0" "$@" 3<&{there} 4>&{here}'
        argv = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        argv += ["--remote-debugging-pipe", f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            ["bash", "-c", shell, *argv], pass_fds=(there, here), stderr=subprocess.DEVNULL
        )
        os.close(there)
        os.close(here)
        try:
            yield Page(to, back)
        finally:
            os.close(to)
            process.terminate()
            process.wait(timeout=30)
            os.close(back)
