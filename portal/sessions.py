"""Sessions of staff: opened by a login, found by the token of a cookie, ended by logout or time.

A session ends when nothing was asked for an idle time, and after an absolute time whatever is asked. `now` comes
in. The books have the token's SHA-256: who reads them cannot log in with it.
"""

import datetime
import hashlib
import hmac
import re
import secrets
from typing import Final

import asyncpg
import msgspec

from portal.roles import RIGHTS, Right, Role

TOKEN_BYTES: Final = 32
# Each browser of a person is one; the oldest goes when there are more.
SESSIONS_OF_ONE_MAX: Final = 20
# A page more or less within this is not worth a write.
SEEN_EVERY: Final = datetime.timedelta(seconds=60)
# How long a place is known from which somebody has logged in.
KNOWN_FOR: Final = datetime.timedelta(days=60)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class Session(msgspec.Struct, frozen=True):
    """Who asks."""

    staff_id: int
    name: str
    role: Role
    token: str

    def may(self, right: Right) -> bool:
        return right in RIGHTS[self.role]


class SessionTimes(msgspec.Struct, frozen=True):
    """How long sessions last: without being used, and at all."""

    idle: datetime.timedelta
    absolute: datetime.timedelta


class Claim(msgspec.Struct, frozen=True):
    """What the books know of a name that somebody gives at the login."""

    staff_id: int
    password_hash: str
    is_known_there: bool


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def form_token(token: str) -> str:
    """What a form of this session must bring along (against forged requests): nobody else can make it."""
    return hmac.new(token.encode(), b"form", hashlib.sha256).hexdigest()


def is_form_token(token: str, given: str) -> bool:
    return given.isascii() and hmac.compare_digest(form_token(token), given)


async def find_claim(db: asyncpg.Pool, name: str, source: str, now: datetime.datetime) -> Claim | None:
    """None: nobody who may log in has this name."""
    row = await db.fetchrow(
        "SELECT s.id, s.password_hash, a.last_at FROM staff s"
        " LEFT JOIN staff_addresses a ON a.staff_id = s.id AND a.source = $2 WHERE s.name = $1 AND NOT s.is_disabled",
        name,
        source,
    )
    if row is None:
        return None
    return Claim(
        row["id"], row["password_hash"], row["last_at"] is not None and row["last_at"] > now - KNOWN_FOR
    )


async def open_session(
    db: asyncpg.Pool, claim: Claim, source: str, times: SessionTimes, now: datetime.datetime
) -> str | None:
    """The token for the cookie. None when he was changed or removed since the claim was found."""
    token = new_token()
    async with db.acquire() as connection, connection.transaction():
        is_same = await connection.fetchval(
            "SELECT true FROM staff WHERE id = $1 AND password_hash = $2 AND NOT is_disabled FOR UPDATE",
            claim.staff_id,
            claim.password_hash,
        )
        if not is_same:
            return None
        await connection.execute(
            "INSERT INTO staff_sessions (token_sha256, staff_id, created_at, last_seen_at, expires_at, address)"
            " VALUES ($1, $2, $3, $3, $4, $5)",
            _digest(token),
            claim.staff_id,
            now,
            now + times.absolute,
            source,
        )
        await connection.execute(
            "DELETE FROM staff_sessions WHERE staff_id = $1 AND token_sha256 IN (SELECT token_sha256 FROM"
            " staff_sessions WHERE staff_id = $1 ORDER BY created_at DESC, token_sha256 OFFSET $2)",
            claim.staff_id,
            SESSIONS_OF_ONE_MAX,
        )
        await connection.execute(
            "INSERT INTO staff_addresses (staff_id, source, last_at) VALUES ($1, $2, $3)"
            " ON CONFLICT (staff_id, source) DO UPDATE SET last_at = $3",
            claim.staff_id,
            source,
            now,
        )
    return token


async def find_session(
    db: asyncpg.Pool, token: str, times: SessionTimes, now: datetime.datetime
) -> Session | None:
    """None where there is none any more. It has been seen now."""
    if _TOKEN.fullmatch(token) is None:
        return None
    row = await db.fetchrow(
        "SELECT s.id, s.name, s.role, x.last_seen_at FROM staff_sessions x JOIN staff s ON s.id = x.staff_id"
        " WHERE x.token_sha256 = $1 AND x.expires_at > $2 AND x.last_seen_at > $3 AND NOT s.is_disabled",
        _digest(token),
        now,
        now - times.idle,
    )
    if row is None:
        return None
    if now - row["last_seen_at"] >= SEEN_EVERY:
        await db.execute(
            "UPDATE staff_sessions SET last_seen_at = $2 WHERE token_sha256 = $1 AND last_seen_at < $2",
            _digest(token),
            now,
        )
    return Session(row["id"], row["name"], Role(row["role"]), token)


async def end_session(db: asyncpg.Pool, token: str) -> None:
    if _TOKEN.fullmatch(token) is not None:
        await db.execute("DELETE FROM staff_sessions WHERE token_sha256 = $1", _digest(token))


async def replace_hash(db: asyncpg.Pool, claim: Claim, password_hash: str) -> None:
    """The same password with the costs of today. Sessions stay."""
    await db.execute(
        "UPDATE staff SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
        claim.staff_id,
        claim.password_hash,
        password_hash,
    )


async def remove_ended(db: asyncpg.Pool, times: SessionTimes, now: datetime.datetime) -> None:
    """What time has ended, and places that are known no longer."""
    await db.execute(
        "DELETE FROM staff_sessions WHERE expires_at <= $1 OR last_seen_at <= $2", now, now - times.idle
    )
    await db.execute("DELETE FROM staff_addresses WHERE last_at <= $1", now - KNOWN_FOR)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
