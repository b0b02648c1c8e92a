"""/login and /logout.

The form of a login has a token, too: without one, somebody else's page could log a browser in as another.
"""

import math
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from portal.desk import FORM_FIELD, Desk, html, source_in
from portal.login import Busy, LoggedIn, Throttled, Wrong
from portal.requests import read_form, read_own_path, read_query
from portal.roles import Right
from portal.sessions import end_session, form_token, is_form_token, new_token

# How long the page may stand open before somebody types into it.
LOGIN_FORM_S: Final = 8 * 3600
_BEFORE: Final = "-login"


def add_login_pages(app: FastAPI, desk: Desk) -> None:
    @app.get("/login")
    async def ask(request: Request) -> Response:
        query = read_query(request, {"next"})
        return _form(desk, request, after=read_own_path(query["next"]))

    @app.post("/login")
    async def login(request: Request) -> Response:
        return await _login(desk, request)

    @app.post("/logout")
    async def logout(request: Request) -> Response:
        visit = await desk.visit(request, Right.CALLS)
        await visit.form(frozenset())
        await end_session(visit.db, visit.session.token)
        answer = RedirectResponse("/login", 303)
        _forget(desk, answer, desk.cookie)
        return answer


async def _login(desk: Desk, request: Request) -> Response:
    form = await read_form(request, {"name", "password", "next", FORM_FIELD})
    after = read_own_path(form["next"])
    before = request.cookies.get(desk.cookie + _BEFORE, "")
    if not before or not is_form_token(before, form[FORM_FIELD]):
        words = "The form was open too long, or this browser takes no cookies. Please try again."
        return _form(desk, request, after=after, name=form["name"], problem=words, status=403)
    outcome = await desk.login.take(
        desk.db(),
        form["name"],
        form["password"],
        source=source_in(request),
        times=desk.conf.sessions.times,
        now=desk.clock.now(),
        monotonic=desk.clock.monotonic(),
    )
    match outcome:
        case LoggedIn(token):
            answer = RedirectResponse(after, 303)
            # Until the browser is closed; the books know when it ends.
            _remember(desk, answer, desk.cookie, token, lives_s=None)
            _forget(desk, answer, desk.cookie + _BEFORE)
            return answer
        case Wrong():
            words = "The name or the password is not right."
            return _form(desk, request, after=after, name=form["name"], problem=words, status=401)
        case Throttled(wait_s):
            words = _wait_words(wait_s)
            again = _form(desk, request, after=after, name=form["name"], problem=words, status=429)
            again.headers["Retry-After"] = str(math.ceil(wait_s))
            return again
        case Busy():
            words = "Too many log in at this moment. Please try again."
            return _form(desk, request, after=after, name=form["name"], problem=words, status=503)


def _wait_words(wait_s: float) -> str:
    whole = math.ceil(wait_s)
    text = f"{whole} second{'' if whole == 1 else 's'}" if whole < 90 else f"{math.ceil(wait_s / 60)} minutes"
    return f"Too many attempts. Please try again in {text}."


def _form(
    desk: Desk, request: Request, *, after: str, name: str = "", problem: str = "", status: int = 200
) -> Response:
    before = request.cookies.get(desk.cookie + _BEFORE, "")
    if len(before) != len(new_token()):
        before = new_token()
    body = desk.pages.render("login.html", form=form_token(before), after=after, name=name, problem=problem)
    answer = html(body, status)
    _remember(desk, answer, desk.cookie + _BEFORE, before, lives_s=LOGIN_FORM_S)
    return answer


def _remember(desk: Desk, answer: Response, name: str, value: str, *, lives_s: int | None) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=lives_s,
        path="/",
        secure=desk.conf.door.is_https,
        httponly=True,
        samesite="strict",
    )


def _forget(desk: Desk, answer: Response, name: str) -> None:
    answer.delete_cookie(name, path="/", secure=desk.conf.door.is_https, httponly=True, samesite="strict")
