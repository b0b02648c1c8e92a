"""Whether somebody who gives a name and a password comes in. The same answer, and the same time, for every no."""

import asyncio
import datetime
from typing import Final

import asyncpg
import msgspec
import structlog

from portal.common_passwords import PASSWORD_CHARS_MAX
from portal.counts import PortalCounts
from portal.login_throttle import LoginThrottle
from portal.passwords import Passwords
from portal.sessions import Claim, SessionTimes, find_claim, open_session, replace_hash
from portal.staff import NAME
from provisioning.printable import shorten

# Each hash takes a core for 50 ms and 64 MiB; more at once would take them from the calls beside.
HASHES_AT_ONCE_MAX: Final = 2
WAITING_MAX: Final = 20

log = structlog.get_logger("portal")


class LoggedIn(msgspec.Struct, frozen=True):
    token: str


class Wrong(msgspec.Struct, frozen=True):
    """Name or password; which one is nobody's business."""


class Throttled(msgspec.Struct, frozen=True):
    wait_s: float


class Busy(msgspec.Struct, frozen=True):
    """Too many log in at once."""


Outcome = LoggedIn | Wrong | Throttled | Busy


class LoginDesk:
    """Takes logins, two at a time."""

    __slots__ = ("_counts", "_hashing", "_passwords", "_throttle", "_waiting")

    def __init__(self, passwords: Passwords, counts: PortalCounts) -> None:
        self._passwords = passwords
        self._counts = counts
        self._throttle = LoginThrottle()
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE_MAX)
        self._waiting = 0

    async def take(
        self,
        db: asyncpg.Pool,
        name: str,
        password: str,
        *,
        source: str,
        times: SessionTimes,
        now: datetime.datetime,
        monotonic: float,
    ) -> Outcome:
        """Raises what asyncpg raises."""
        if self._waiting >= WAITING_MAX:
            self._counts.logins["busy"] += 1
            return Busy()
        self._waiting += 1
        try:
            return await self._take(db, name.lower(), password, source, times, now, monotonic)
        finally:
            self._waiting -= 1
            self._counts.throttle_keys = self._throttle.remembered

    async def _take(
        self,
        db: asyncpg.Pool,
        name: str,
        password: str,
        source: str,
        times: SessionTimes,
        now: datetime.datetime,
        monotonic: float,
    ) -> Outcome:
        claim = await find_claim(db, name, source, now) if NAME.fullmatch(name) else None
        is_known_there = claim is not None and claim.is_known_there
        wait_s = self._throttle.begin(name, source, is_known_there=is_known_there, now=monotonic)
        if wait_s > 0.0:
            self._counts.logins["throttled"] += 1
            log.warning("portal_login_throttled", staff=shorten(name), source=source, wait_s=round(wait_s))
            return Throttled(wait_s)
        if not await self._fits(claim, password) or claim is None:
            return self._refuse(name, source)
        token = await open_session(db, claim, source, times, now)
        if token is None:
            return self._refuse(name, source)
        self._throttle.succeeded(name, source, is_known_there=is_known_there)
        self._counts.logins["in"] += 1
        log.info("portal_login", staff=name, source=source)
        if self._passwords.is_outdated(claim.password_hash):
            await replace_hash(db, claim, await asyncio.to_thread(self._passwords.hash, password))
        return LoggedIn(token)

    async def _fits(self, claim: Claim | None, password: str) -> bool:
        is_typed = len(password) <= PASSWORD_CHARS_MAX
        password_hash = claim.password_hash if claim is not None and is_typed else None
        async with self._hashing:
            return await asyncio.to_thread(self._passwords.fits, password_hash, password[:PASSWORD_CHARS_MAX])

    def _refuse(self, name: str, source: str) -> Wrong:
        self._counts.logins["refused"] += 1
        log.warning("portal_login_refused", staff=shorten(name), source=source)
        return Wrong()
