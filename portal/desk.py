"""What the pages need of the process: the books, the configuration, who may come in, the clock. And who asks, per
request."""

import datetime
from collections.abc import Callable
from typing import Any, Final, Protocol

import asyncpg
from fastapi import Request, Response

from portal.care_desk import CareDesk
from portal.conf import PortalConf
from portal.counts import PortalCounts
from portal.door import SOURCE_KEY
from portal.login import LoginDesk
from portal.rendering import Pages
from portal.requests import BadRequest, read_form
from portal.roles import Right
from portal.sessions import Session, find_session, form_token, is_form_token

FORM_FIELD: Final = "form"


class DatabaseAway(Exception):  # noqa: N818 - the page says so
    """PostgreSQL has not answered yet."""


class LoginNeeded(Exception):  # noqa: N818
    """Nobody is logged in, or no longer."""


class NotAllowed(Exception):  # noqa: N818
    """This role may not see it."""


class NotFound(Exception):  # noqa: N818
    """`what` is what there is none of, as a sentence."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Clock(Protocol):
    def now(self) -> datetime.datetime: ...
    def monotonic(self) -> float: ...


class Desk:
    """Built once by the process."""

    __slots__ = ("care", "clock", "conf", "counts", "db", "login", "pages")

    def __init__(
        self,
        *,
        db: Callable[[], asyncpg.Pool],
        conf: PortalConf,
        login: LoginDesk,
        care: CareDesk,
        clock: Clock,
        counts: PortalCounts,
    ) -> None:
        self.db = db
        self.conf = conf
        self.login = login
        self.care = care
        self.clock = clock
        self.counts = counts
        self.pages = Pages(conf.door.name)

    @property
    def cookie(self) -> str:
        """A browser takes a name with __Host- from this host alone, over https alone (RFC 6265bis 4.1.3.2)."""
        return "__Host-offhook" if self.conf.door.is_https else "offhook-portal"

    async def visit(self, request: Request, right: Right) -> "Visit":
        """Raises LoginNeeded, NotAllowed, DatabaseAway and what asyncpg raises."""
        token = request.cookies.get(self.cookie, "")
        now = self.clock.now()
        session = await find_session(self.db(), token, self.conf.sessions.times, now) if token else None
        if session is None:
            raise LoginNeeded
        if not session.may(right):
            raise NotAllowed
        return Visit(self, request, session, now)


class Visit:
    """One request of somebody who is logged in."""

    __slots__ = ("desk", "now", "request", "session")

    def __init__(self, desk: Desk, request: Request, session: Session, now: datetime.datetime) -> None:
        self.desk = desk
        self.request = request
        self.session = session
        self.now = now

    @property
    def db(self) -> asyncpg.Pool:
        return self.desk.db()

    def may(self, right: Right) -> bool:
        return self.session.may(right)

    async def form(self, known: frozenset[str], *, long_ones: frozenset[str] = frozenset()) -> dict[str, str]:
        """Of a form that this session was given. Raises BadRequest."""
        fields = await read_form(self.request, known | {FORM_FIELD}, long_ones=long_ones)
        if not is_form_token(self.session.token, fields.pop(FORM_FIELD)):
            raise BadRequest(
                "The form is not one of this session. Load the page again, and send it once more.", status=403
            )
        return fields

    async def look(
        self, what: str, *, account_id: int | None = None, call_id: str = "", why: str = ""
    ) -> None:
        """On record before anything is shown: whoever breaks off has still looked."""
        await self.desk.care.note_look(
            self.db, self.session.name, what, account_id=account_id, call_id=call_id, why=why
        )

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        body = self.desk.pages.render(
            template,
            staff=self.session.name,
            role=self.session.role.value,
            sees_messages=self.may(Right.MESSAGES),
            sees_looks=self.may(Right.LOOKS),
            form=form_token(self.session.token),
            **values,
        )
        return html(body, status)


def html(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="text/html")


def source_in(request: Request) -> str:
    """Where it came from, as one place (conf.source_of)."""
    source: str = request.scope[SOURCE_KEY]
    return source
