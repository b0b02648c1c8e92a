"""Chromium without a window, told what to do over its DevTools protocol; and JsSIP in a page of it as a phone.

The page and its bundle are made from page.js and the packages of package-lock.json, in a directory of the test. The
microphone is Chromium's fake one. Nothing outside this machine is asked for: no STUN server, no background requests.
"""

import functools
import http.server
import itertools
import json
import shutil
import subprocess
import threading
import time
import urllib.request
import wave
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from tests.media.spectrum import sine

HERE = Path(__file__).parent
HOST = "127.0.0.1"
BUILD_TIMEOUT_S = 180.0
START_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.05
# Ten seconds are a whole number of its periods: Chromium plays the file over and over.
TONE_HZ, TONE_RATE, TONE_S = 700, 48_000, 10
HEARD_WITHIN_HZ = 10.0
AUDIBLE_DB = -50.0
SILENT_DB = -90.0
PAGE = "<!doctype html><title>phones</title><script src=bundle.js></script>\n"
PROGRAMS = ("chromium", "npm", "node")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # All of it is on this machine.
    "--allow-loopback-in-peer-connection",
    "--remote-debugging-port=0",
)


def missing_programs() -> list[str]:
    return [program for program in PROGRAMS if shutil.which(program) is None]


def build_page(directory: Path) -> None:
    """The page with JsSIP in it, as a server would have it."""
    for name in ("package.json", "package-lock.json", "page.js"):
        shutil.copy(HERE / name, directory / name)
    for words in (
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        ["node_modules/.bin/esbuild", "page.js", "--bundle", "--outfile=bundle.js", "--log-level=warning"],
    ):
        done = subprocess.run(
            words, cwd=directory, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    (directory / "index.html").write_text(PAGE, encoding="utf-8")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


class PageServer:
    """The directory over HTTP on loopback; `origin` is what the browser says it comes from."""

    def __init__(self, directory: Path) -> None:
        handler = functools.partial(_Quiet, directory=str(directory))
        self._server = http.server.ThreadingHTTPServer((HOST, 0), handler)
        self.origin = f"http://{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Browser:
    """One Chromium with one page. `trusted_key`: the base64 SHA-256 of a public key whose certificates it takes.

    Its microphone hears a steady tone of `TONE_HZ`.
    """

    def __init__(self, directory: Path, url: str, *, trusted_key: str) -> None:
        profile = directory / "profile"
        tone = directory / "tone.wav"
        with wave.open(str(tone), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(TONE_RATE)
            file.writeframes(sine(TONE_HZ, TONE_RATE, TONE_S))
        with (directory / "chromium.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "chromium",
                    *FLAGS,
                    f"--user-data-dir={profile}",
                    f"--use-file-for-fake-audio-capture={tone}",
                    f"--ignore-certificate-errors-spki-list={trusted_key}",
                    url,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._ids = itertools.count(1)
        self._devtools = connect(self._page_address(profile, url), max_size=None)
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.evaluate("typeof offhook") != "object":
            assert time.monotonic() < deadline, "the page did not load: see chromium.log"
            time.sleep(POLL_S)

    def evaluate(self, expression: str) -> Any:
        """What the expression, or the promise that it is, comes to. Fails with what the page threw."""
        number = next(self._ids)
        parameters = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        self._devtools.send(json.dumps({"id": number, "method": "Runtime.evaluate", "params": parameters}))
        while True:
            message = json.loads(self._devtools.recv(timeout=ANSWER_TIMEOUT_S))
            if message.get("id") == number:
                break
        thrown = message["result"].get("exceptionDetails")
        assert thrown is None, f"{expression}: {thrown['exception'].get('description', thrown['text'])}"
        return message["result"]["result"].get("value")

    def stop(self) -> None:
        self._devtools.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _page_address(self, profile: Path, url: str) -> str:
        deadline = time.monotonic() + START_TIMEOUT_S
        port_file = profile / "DevToolsActivePort"
        while True:
            assert self._process.poll() is None, "chromium ended: see chromium.log"
            assert time.monotonic() < deadline, "chromium opened no page"
            if port_file.exists() and (lines := port_file.read_text(encoding="ascii").split("\n"))[0]:
                with urllib.request.urlopen(f"http://{HOST}:{lines[0]}/json/list") as answer:
                    for page in json.load(answer):
                        if page["type"] == "page" and page["url"].startswith(url):
                            return str(page["webSocketDebuggerUrl"])
            time.sleep(POLL_S)


class BrowserPhone:
    """One JsSIP user agent in the page."""

    def __init__(
        self, browser: Browser, name: str, *, url: str, uri: str, password: str, session_timers: bool = False
    ) -> None:
        self._browser = browser
        self._name = name
        settings = {"url": url, "uri": uri, "password": password, "sessionTimers": session_timers}
        browser.evaluate(f"offhook.open({json.dumps(name)}, {json.dumps(settings)})")

    def register(self) -> None:
        self.wait_for("connected")
        mark = self.mark()
        self._do("agent.register()")
        self.wait_for("registered", after=mark)

    def unregister(self) -> None:
        mark = self.mark()
        self._do("agent.unregister()")
        self.wait_for("unregistered", after=mark)

    def dial(self, target: str) -> None:
        self._do(f"call({json.dumps(target)})")

    def answer(self) -> None:
        self._do("answer()")

    def hold(self) -> None:
        """Returns when the other side has agreed."""
        assert self._do("hold()")

    def resume(self) -> None:
        assert self._do("unhold()")

    def hang_up(self) -> None:
        """BYE, CANCEL or 480, as it stands."""
        self._do("session.terminate()")

    def hear(self) -> tuple[float, float]:
        """The strongest frequency of what it hears, Hz, and its level, dB below full scale."""
        heard = self._do("hear()")
        return heard["hertz"], heard["level"]

    def wait_to_hear(self, hertz: float) -> None:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while True:
            found, level = self.hear()
            if abs(found - hertz) < HEARD_WITHIN_HZ and level > AUDIBLE_DB:
                return
            assert time.monotonic() < deadline, (
                f"heard {found:.0f} Hz at {level:.0f} dB, expected {hertz:.0f} Hz"
            )
            time.sleep(POLL_S)

    def wait_to_hear_anything(self) -> None:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while self.hear()[1] < AUDIBLE_DB:
            assert time.monotonic() < deadline, "hears nothing"
            time.sleep(POLL_S)

    def wait_for_silence(self) -> None:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while self.hear()[1] > SILENT_DB:
            assert time.monotonic() < deadline, f"still hears {self.hear()}"
            time.sleep(POLL_S)

    def codec(self) -> str:
        """Of what it hears, as "audio/opus"."""
        return str(self._do("codec()")["mimeType"])

    def press(self, digit: str) -> None:
        self._do(f"press({json.dumps(digit)})")

    def leave(self) -> None:
        """Closes its media, as a page does that is left."""
        self._do("session.connection.close()")

    def mark(self) -> int:
        return int(self._do("events.length"))

    def wait_for(self, kind: str, *, after: int = 0) -> dict[str, Any]:
        """The first thing of that kind (registered, arrived, ringing, accepted, confirmed, hold, ended, failed ...)."""
        found: dict[str, Any] = self._do(f"waitFor({json.dumps(kind)}, {after})")
        return found

    def stop(self) -> None:
        self._do("agent.stop()")

    def _do(self, expression: str) -> Any:
        return self._browser.evaluate(f"offhook.phones[{json.dumps(self._name)}].{expression}")
