"""An exchange with WebSocket listeners, a page with JsSIP, and one Chromium for all tests of this folder."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from demo.exchange import HOST
from demo.free_ports import free_port
from tests.wire.browser.browser import Browser, BrowserPhone, PageServer, build_page, missing_programs
from tests.wire.phones.town import PASSWORD, Town

LISTEN = """
wss = ["{host}:{wss}"]
ws = ["{host}:{ws}"]
"""
SECTIONS = """
[tls]
certificates = [["server.pem", "server.key"]]

[websocket]
origins = ["{origin}"]
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = missing_programs()
    for item in items:
        if not item.path.is_relative_to(Path(__file__).parent):
            continue
        item.add_marker(pytest.mark.wire)
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)}"))


class WebTown(Town):
    """The town with doors for browsers: `wss_url` takes pages of the origin it was made with."""

    def __init__(self, directory: Path, origin: str) -> None:
        wss, ws = free_port(), free_port()
        super().__init__(
            directory,
            listen=LISTEN.format(host=HOST, wss=wss, ws=ws),
            main=SECTIONS.format(origin=origin),
            voicemail="",  # refusals in words
        )
        self.wss_url = f"wss://{HOST}:{wss}/"
        self.ws_url = f"ws://{HOST}:{ws}/"
        self.certificate = trustme.CA().issue_cert(HOST)
        self.certificate.cert_chain_pems[0].write_to_path(self.conf / "server.pem")
        self.certificate.private_key_pem.write_to_path(self.conf / "server.key")
        (self.conf / "server.key").chmod(0o600)

    def key_digest(self) -> str:
        """Base64 of the SHA-256 of the public key, as Chromium wants to be told of it."""
        certificate = x509.load_pem_x509_certificate(self.certificate.cert_chain_pems[0].bytes())
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(key).digest()).decode()


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    directory = tmp_path_factory.mktemp("page")
    build_page(directory)
    server = PageServer(directory)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def web_town(tmp_path_factory: pytest.TempPathFactory, page: PageServer) -> Iterator[WebTown]:
    town = WebTown(tmp_path_factory.mktemp("web"), page.origin)
    try:
        town.start()
        town.populate()
        yield town
    finally:
        town.stop()


@pytest.fixture
def town(web_town: WebTown) -> Iterator[WebTown]:
    web_town.check_calls_over()
    yield web_town
    web_town.check_calls_over()


@pytest.fixture(scope="session")
def browser(
    tmp_path_factory: pytest.TempPathFactory, page: PageServer, web_town: WebTown
) -> Iterator[Browser]:
    chromium = Browser(tmp_path_factory.mktemp("chromium"), page.origin, trusted_key=web_town.key_digest())
    yield chromium
    chromium.stop()


class Phones:
    """Makes registered phones, and unregisters them at the end of a test."""

    def __init__(self, browser: Browser, town: WebTown) -> None:
        self._browser = browser
        self._town = town
        self._phones: list[BrowserPhone] = []

    def start(self, user: str, *, url: str = "", session_timers: bool = False) -> BrowserPhone:
        phone = BrowserPhone(
            self._browser,
            user,
            url=url or self._town.wss_url,
            uri=f"sip:{user}@{HOST}",
            password=PASSWORD,
            session_timers=session_timers,
        )
        self._phones.append(phone)
        phone.register()
        return phone

    def stop(self) -> None:
        for phone in self._phones:
            phone.stop()


@pytest.fixture
def phones(browser: Browser, town: WebTown) -> Iterator[Phones]:
    made = Phones(browser, town)
    yield made
    made.stop()
    town.wait_for_status(5.0, registrations=0)
