"""The portal as a web application: the pages put together, and how each kind of trouble is told."""

from typing import Any, Final
from urllib.parse import quote

import asyncpg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from portal.desk import DatabaseAway, Desk, LoginNeeded, NotAllowed, NotFound, html
from portal.door import Door
from portal.pages.call_page import add_call_pages
from portal.pages.complaint_pages import add_complaint_pages
from portal.pages.fault_pages import add_fault_pages
from portal.pages.line_page import add_line_pages
from portal.pages.login_page import add_login_pages
from portal.pages.looks_page import add_looks_page
from portal.pages.search_page import add_search_pages
from portal.requests import BadRequest
from provisioning.problems import InvalidValue, Refused
from provisioning.service import UNREACHABLE

# What a browser may keep: an address with a mark of its content.
STYLES_KEPT_S: Final = 30 * 86_400
_TITLES: Final = {
    400: "That cannot be answered",
    403: "This is not for you to see",
    404: "There is no such page",
    405: "There is no such page",
    408: "That took too long",
    413: "That is too long",
    414: "That is too long",
    415: "That cannot be answered",
    500: "Something is wrong here",
    503: "The books do not answer",
}

# Trouble that has a page of its own. Anything else is a bug, which the door tells.
TOLD: Final[tuple[Any, ...]] = (
    LoginNeeded,
    NotAllowed,
    NotFound,
    BadRequest,
    InvalidValue,
    Refused,
    HTTPException,
    asyncpg.UndefinedTableError,
    DatabaseAway,
    *UNREACHABLE,
)

log = structlog.get_logger("portal")


def make_app(desk: Desk) -> FastAPI:
    """No documentation of itself: it is pages for people."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(Door, door=desk.conf.door, counts=desk.counts)
    _add_answers_to_trouble(app, desk)
    _add_plain(app, desk)
    add_login_pages(app, desk)
    add_search_pages(app, desk)
    add_call_pages(app, desk)
    add_line_pages(app, desk)
    add_fault_pages(app, desk)
    add_complaint_pages(app, desk)
    add_looks_page(app, desk)
    return app


def _add_plain(app: FastAPI, desk: Desk) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        """That the process serves, with or without the books."""
        return Response("ok\n", media_type="text/plain")

    kept = {"Cache-Control": f"public, max-age={STYLES_KEPT_S}, immutable"}

    @app.get("/static/portal.css")
    async def styles() -> Response:
        return Response(desk.pages.stylesheet, media_type="text/css", headers=kept)

    @app.get("/static/icon.svg")
    async def icon() -> Response:
        return Response(desk.pages.icon, media_type="image/svg+xml", headers=kept)


def _add_answers_to_trouble(app: FastAPI, desk: Desk) -> None:
    async def tell(request: Request, problem: Exception) -> Response:
        if isinstance(problem, LoginNeeded) and request.method == "GET":
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"/login?next={quote(request.url.path + query, safe='/')}", 303)
        status, words = _status_and_words(problem)
        title = _TITLES.get(status, _TITLES[400])
        answer = html(desk.pages.render("trouble.html", title=title, words=words, status=status), status)
        if status == 503:
            log.warning("portal_database_unreachable", problem=type(problem).__name__)
            answer.headers["Retry-After"] = "5"
        return answer

    for kind in TOLD:
        app.add_exception_handler(kind, tell)


def _status_and_words(problem: Exception) -> tuple[int, str]:
    match problem:
        case LoginNeeded():
            return 403, "Your session has ended. Log in, and send the form again."
        case NotAllowed():
            return 403, "Your role does not include this page. `offhook staff role` changes that."
        case NotFound(what=what):
            return 404, what
        case BadRequest(status=status, words=words):
            return status, words
        case InvalidValue() | Refused():
            return 400, str(problem)
        case HTTPException(status_code=status):
            return status, "Look at the address, or start from the search."
        case asyncpg.UndefinedTableError():
            return (
                503,
                "The database has another schema than this release: `offhook up` brings it up to date.",
            )
    return 503, "The database is out of reach at this moment. Calls go on without it. Please try again soon."
