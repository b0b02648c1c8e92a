"""A portal without sockets: the application on a fresh database, browsers that keep cookies and read forms, a clock."""

import asyncio
import datetime
import re
from collections.abc import Awaitable, Callable
from html import unescape
from pathlib import Path

import argon2
import asyncpg
import httpx

from care.explanation import load_patterns
from care.faults import PLAIN_TERMS
from care.gathering import StoredTraces
from care.lines.story import LiveBan, LivePhone
from care.switch_asking import SwitchSilentError
from portal.app import make_app
from portal.care_desk import CareDesk
from portal.conf import PortalConf
from portal.counts import PortalCounts
from portal.desk import DatabaseAway, Desk
from portal.fault_files import FaultTables
from portal.login import LoginDesk
from portal.passwords import Passwords
from portal.process import shipped_conf
from portal.roles import Role
from portal.staff import add_staff
from provisioning import service
from rating.records import Cdr, MediaFigures
from tests.portal.examples import NOW, Town

PASSWORD = "a lighthouse under 7 stars"
# The cheapest that argon2 allows: what it costs is not tested here.
CHEAP = Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
HASH = CHEAP.hash(PASSWORD)
PATTERNS = load_patterns(shipped_conf())
_FORM = re.compile(r'name="form" value="([0-9a-f]{64})"')


class HandClock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime.datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def advance(self, **by: float) -> None:
        self.at += datetime.timedelta(**by)


class Switch:
    """Calls that are up; `is_away`: it does not answer."""

    def __init__(self) -> None:
        self.calls: list[list[Cdr]] = []
        self.registered: list[LivePhone] = []
        self.banned: list[LiveBan] = []
        self.is_away = False

    async def records(self, *, call_id: str = "", **_rest: object) -> list[list[Cdr]]:
        if self.is_away:
            raise SwitchSilentError("the switch does not answer (FileNotFoundError)")
        return [rows for rows in self.calls if call_id in ("", rows[0].call_id)]

    async def phones(self, line: str) -> list[LivePhone]:
        if self.is_away:
            raise SwitchSilentError("the switch does not answer (FileNotFoundError)")
        return [phone for phone in self.registered if phone.user == line]

    async def bans(self) -> list[LiveBan]:
        return self.banned

    async def media(self, call_id: str) -> list[MediaFigures]:
        return []


class House:
    """The portal, its books, and who comes."""

    def __init__(self, db: asyncpg.Pool, conf: PortalConf, folder: Path) -> None:
        self.db = db
        self.town = Town(db, folder)
        self.clock = HandClock()
        self.counts = PortalCounts()
        self.is_away = False
        self.switch = Switch()
        self.desk = Desk(
            db=self._db,
            conf=conf,
            login=LoginDesk(CHEAP, self.counts),
            care=CareDesk(
                traces=StoredTraces(folder),
                tables=lambda: FaultTables(PATTERNS, PLAIN_TERMS),
                live=self.switch,
                lines=self.switch,
            ),
            clock=self.clock,
            counts=self.counts,
        )
        self.app = make_app(self.desk)

    def _db(self) -> asyncpg.Pool:
        if self.is_away:
            raise DatabaseAway
        return self.db

    def browser(self, address: str = "192.0.2.10") -> "Browser":
        return Browser(self.app, address, is_https=self.desk.conf.door.is_https)

    async def add(self, name: str, role: Role = Role.SUPPORT) -> None:
        await add_staff(self.db, name, password_hash=HASH, role=role)

    async def logged_in(self, name: str, role: Role = Role.SUPPORT) -> "Browser":
        await self.add(name, role)
        browser = self.browser()
        assert (await browser.log_in(name)).status_code == 303
        return browser


class Browser:
    """One person's: it keeps cookies, follows nothing by itself."""

    def __init__(self, app: object, address: str, *, is_https: bool) -> None:
        transport = httpx.ASGITransport(app=app, client=(address, 40000), raise_app_exceptions=True)  # type: ignore[arg-type]
        scheme = "https" if is_https else "http"
        self.http = httpx.AsyncClient(transport=transport, base_url=f"{scheme}://portal.example.co.uk")

    async def get(self, path: str, **options: object) -> httpx.Response:
        return await self.http.get(path, **options)  # type: ignore[arg-type]

    async def post(self, path: str, **fields: str) -> httpx.Response:
        return await self.http.post(path, data=fields)

    async def send(self, page: str, path: str, **fields: str) -> httpx.Response:
        """The first form of a page, with these fields."""
        shown = await self.get(page)
        return await self.post(path, form=form_of(shown), **fields)

    async def log_in(self, name: str, password: str = PASSWORD, after: str = "/") -> httpx.Response:
        shown = await self.get("/login", params={"next": after})
        fields = {"name": name, "password": password, "next": after, "form": form_of(shown)}
        return await self.http.post("/login", data=fields)


def form_of(page: httpx.Response) -> str:
    found = _FORM.search(page.text)
    assert found, f"a page with a form, not {page.status_code}"
    return found[1]


def words_of(page: httpx.Response) -> str:
    """What a page says, without its markup."""
    body = page.text.partition("<main")[2].partition(">")[2]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def in_house(
    body: Callable[[House], Awaitable[None]], conf: PortalConf | None = None
) -> Callable[[str], None]:
    """Turns `async def test_x(house)` into the `def test_x(dsn, tmp_path)` that pytest runs."""

    def test(dsn: str, tmp_path: Path) -> None:
        async def run() -> None:
            async with service.connect(dsn) as db:
                await body(House(db, conf if conf is not None else PortalConf(), tmp_path / "traces"))

        asyncio.run(run())

    test.__name__ = body.__name__
    test.__doc__ = body.__doc__
    test.__module__ = body.__module__
    return test
