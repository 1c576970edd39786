"""Chromium without a window, driven over its own protocol: real mouse and keys, and every request is seen."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_ANSWER = 60  # seconds to wait for an answer
_KEYS = {
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "PageUp": 33,
    "PageDown": 34,
    "End": 35,
    "Home": 36,
    "Escape": 27,
    "Tab": 9,
    " ": 32,
    "Enter": 13,
}

_SETTLE = """(async () => {
  const end = performance.now() + 30000;
  do await new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)));
  while (document.querySelector('[aria-busy=true]') && performance.now() < end);
})()"""


class Browser:
    """A browser with one tab. It ends with the block that it is used in."""

    def __init__(self) -> None:
        self._profile = Path(tempfile.mkdtemp(prefix="tfadvpath-browser-"))
        to_browser, self._in = os.pipe()
        self._out, from_browser = os.pipe()
        options = [
            "--headless=new",
            "--no-sandbox",  # which needs more rights than a container has
            "--disable-gpu",
            "--no-first-run",
            "--hide-scrollbars",  # which would be cut out of pictures
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--force-device-scale-factor=1",
            "--remote-debugging-pipe",
            f"--user-data-dir={self._profile}",
        ]
        # bash: the protocol wants the file descriptors 3 and 4.
        line = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(
            ["bash", "-c", line, str(CHROMIUM), *options, "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.Queue] = {}
        self._session: str | None = None
        self._frames: list[str] = []  # sessions of frames that are strangers to the page, the newest last
        self.requests: list[str] = []
        self.complaints: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        target = self._send("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self._send("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.send("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
        shutil.rmtree(self._profile, ignore_errors=True)

    def _read(self) -> None:
        rest = b""
        while chunk := os.read(self._out, 1 << 20):
            *messages, rest = (rest + chunk).split(b"\0")
            for text in messages:
                message = json.loads(text)
                if "id" in message:
                    self._answers[message["id"]].put(message)
                else:
                    self._note(message["method"], message["params"])

    def _note(self, method: str, values: dict[str, Any]) -> None:
        if method == "Target.attachedToTarget" and self._session is not None:
            # A frame waits until it is listened to. This thread reads the answers: it does not wait for them.
            session = values["sessionId"]
            for name in ("Runtime.enable", "Network.enable", "Log.enable", "Runtime.runIfWaitingForDebugger"):
                self._write(name, {}, session)
            self._frames.append(session)
        elif method == "Target.detachedFromTarget":
            self._frames = [one for one in self._frames if one != values["sessionId"]]
        elif method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif method == "Log.entryAdded":
            if "willReadFrequently" not in values["entry"]["text"]:  # it is the tests that read often
                self.complaints.append(values["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            details = values["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))

    def _write(self, method: str, values: dict[str, Any], session: str | None) -> queue.Queue:
        number = next(self._numbers)
        answer = self._answers[number] = queue.Queue()
        message = {"id": number, "method": method, "params": values}
        os.write(self._in, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        return answer

    def _send(self, method: str, values: dict[str, Any] | None = None, session: str | None = None) -> dict:
        got = self._write(method, values or {}, session).get(timeout=_ANSWER)
        if "error" in got:
            raise RuntimeError(f"{method}: {got['error']['message']}")
        return got["result"]

    def send(self, method: str, **values: Any) -> dict[str, Any]:
        """Asks the tab something of the protocol."""
        return self._send(method, values, self._session)

    def seconds(self) -> float:
        """Returns the processor time, in seconds, that all processes of the browser have taken."""
        return sum(each["cpuTime"] for each in self._send("SystemInfo.getProcessInfo")["processInfo"])

    def screen(self, width: int, height: int, dark: bool = False) -> None:
        """Sets the size of the window in pixels, and the person's choice of colours."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address: Path | str) -> None:
        """Opens a file or an address, and forgets what was requested before."""
        self.requests.clear()
        self.complaints.clear()
        self.send("Page.navigate", url=address if isinstance(address, str) else address.resolve().as_uri())
        self.until("document.readyState === 'complete'")

    def frame(self, selector: str = "iframe") -> Frame:
        """Returns a frame of the page that is a stranger to it, such as one in a sandbox, in the window."""
        address = self.evaluate(
            f"(it => {{ it.scrollIntoView({{behavior: 'instant'}}); return it.src; }})"
            f"(document.querySelector({selector!r}))"
        )
        end = time.monotonic() + _ANSWER
        while True:
            for session in reversed(self._frames):
                frame = Frame(self, session, selector)
                with contextlib.suppress(RuntimeError):  # it is gone
                    if frame.evaluate("location.href") == address:
                        return frame
            assert time.monotonic() < end, f"there is no frame of {address}"
            time.sleep(0.05)

    def evaluate(self, expression: str) -> Any:
        """Returns the value of a JavaScript expression, also of a promise."""
        got = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in got:
            raise RuntimeError(got["exceptionDetails"].get("exception", {}).get("description", str(got)))
        return got["result"].get("value")

    def until(self, expression: str, seconds: float = 30) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({expression})"):
            assert time.monotonic() < end, f"not in {seconds} s: {expression}"
            time.sleep(0.02)

    def settle(self) -> None:
        """Waits until the page has drawn what was asked for, once it is decoded."""
        self.evaluate(_SETTLE)

    def text(self, selector: str) -> str:
        return self.evaluate(f"document.querySelector({selector!r}).textContent")

    def box(self, selector: str) -> dict[str, float]:
        """Scrolls to an element, and returns its left, top, width and height in the window."""
        return self.evaluate(
            f"(() => {{ const it = document.querySelector({selector!r});"
            "it.scrollIntoView({block: 'center', behavior: 'instant'}); const b = it.getBoundingClientRect();"
            "return {left: b.left, top: b.top, width: b.width, height: b.height}; })()"
        )

    def mouse(self, kind: str, x: float, y: float, **values: Any) -> None:
        """Sends an event of the mouse: mouseMoved, mousePressed, mouseReleased or mouseWheel."""
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **values)

    def click(self, selector: str, across: float = 0.5, down: float = 0.5) -> None:
        """Presses and releases the mouse on an element, at a share of its width and height."""
        box = self.box(selector)
        x, y = box["left"] + across * box["width"], box["top"] + down * box["height"]
        self.mouse("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)
        self.settle()

    def focus(self, selector: str) -> None:
        self.evaluate(f"document.querySelector({selector!r}).focus()")

    def press(self, key: str, times: int = 1, shift: bool = False) -> None:
        """Presses a key, such as "ArrowLeft" or "m", on what has the focus."""
        code = _KEYS.get(key) or ord(key.upper())
        values = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        for _ in range(times):
            self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **values)
            self.send("Input.dispatchKeyEvent", type="keyUp", **values)
        self.settle()

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """Writes a PNG of the page, or of the part in the window."""
        got = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(got["data"]))


class Frame(Browser):
    """A frame of a browser's page: what is in it is asked there, mouse and keys reach it through the page."""

    def __init__(self, page: Browser, session: str, selector: str):
        self._page, self._own, self._selector = page, session, selector

    def __getattr__(self, name: str) -> Any:
        return getattr(self._page, name)

    def __exit__(self, *raised: object) -> None:
        raise TypeError("a frame ends with its page")

    def send(self, method: str, **values: Any) -> dict[str, Any]:
        session = self._page._session if method.startswith("Input.") else self._own
        return self._page._send(method, values, session)

    def mouse(self, kind: str, x: float, y: float, **values: Any) -> None:
        left, top = self._corner()
        self._page.mouse(kind, left + x, top + y, **values)

    def box(self, selector: str) -> dict[str, float]:
        """As that of a page, once the page stands still: it scrolls after its frame did, some time later."""
        before = None
        while (now := (super().box(selector), self._corner())) != before:
            before = now
            time.sleep(0.1)
        return now[0]

    def _corner(self) -> list[float]:
        return self._page.evaluate(
            f"(b => [b.left, b.top])(document.querySelector({self._selector!r}).getBoundingClientRect())"
        )
