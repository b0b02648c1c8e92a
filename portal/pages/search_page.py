"""/: from a time, a CLI and a DDI to the calls. One line for what is always asked, the rest folded away."""

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from fastapi import FastAPI, Request, Response

from care.search import CallFound, CallKind, CallQuestion, Order, page_after, understand
from portal.desk import Desk, Visit
from portal.requests import BadRequest, read_query
from portal.roles import Right
from provisioning.problems import InvalidValue, Refused

PAGE_CALLS: Final = 50
_SECONDS: Final = re.compile(r"[0-9]{1,6}")
# What is always shown, then what is folded away; the names are those of CallQuestion.
PLAIN: Final = ("at", "cli", "ddi", "line")
MORE: Final = ("account", "trunk", "cause", "number", "since", "until", "call_id", "sip_call_id", "outcome")
KINDS: Final = {
    CallKind.SHORT: "short calls",
    CallKind.FAILED: "failed",
    CallKind.ONE_WAY: "one-way audio",
    CallKind.BAD_SOUND: "bad sound",
}
MINUTES: Final = ("within",)
SECONDS: Final = ("longer_than", "shorter_than")
KNOWN: Final = frozenset(
    {*PLAIN, *MORE, *MINUTES, *SECONDS, *(kind.value for kind in KINDS), "order", "after"}
)


def add_search_pages(app: FastAPI, desk: Desk) -> None:
    @app.get("/")
    async def search(request: Request) -> Response:
        visit = await desk.visit(request, Right.CALLS)
        query = read_query(request, KNOWN)
        if not any(query.values()):
            return _page(visit, query)
        try:
            return await _answer(visit, query)
        except (InvalidValue, Refused) as problem:
            return _page(visit, query, problem=str(problem), status=400)


async def _answer(visit: Visit, query: dict[str, str]) -> Response:
    """Raises InvalidValue and Refused."""
    asked = understand(question_of(query), visit.now)
    await visit.look("search", why=asked.words)
    up, silent = await visit.desk.care.find_live(visit.db, asked)
    calls = await visit.desk.care.find(visit.db, asked)
    known = {call.call_id for call in calls}
    up = [call for call in up if call.call_id not in known]
    following = page_after(asked.question, calls)
    after = "" if following is None else _address({**query, "after": following.after})
    first = _address({**query, "after": ""}) if query["after"] else ""
    return _page(
        visit, query, words=asked.words, calls=calls, up=up, silent=silent, after=after, first=first
    )


def question_of(query: dict[str, str]) -> CallQuestion:
    """Raises InvalidValue and BadRequest."""
    try:
        order = Order(query["order"]) if query["order"] else Order.LATEST
    except ValueError:
        raise BadRequest("There is no such order.") from None
    texts: dict[str, Any] = {name: query[name] for name in (*PLAIN, *MORE)}
    question = CallQuestion(
        **texts,
        kinds=frozenset(kind for kind in KINDS if query[kind.value]),
        order=order,
        limit=PAGE_CALLS,
        after=query["after"],
    )
    within = _number("within", query["within"])
    return msgspec.structs.replace(
        question,
        tolerance_s=None if within is None else within * 60,
        longer_than_s=_number("longer than", query["longer_than"]),
        shorter_than_s=_number("shorter than", query["shorter_than"]),
    )


def _number(what: str, text: str) -> int | None:
    if not text:
        return None
    if _SECONDS.fullmatch(text) is None:
        raise InvalidValue(what, text, "a whole number")
    return int(text)


def _address(query: dict[str, str]) -> str:
    return f"/?{urlencode({name: query[name] for name in sorted(query) if query[name]})}"


def _page(
    visit: Visit,
    query: dict[str, str],
    *,
    problem: str = "",
    words: str = "",
    calls: list[CallFound] | None = None,
    up: Sequence[CallFound] = (),
    silent: str = "",
    after: str = "",
    first: str = "",
    status: int = 200,
) -> Response:
    has_more = any(query[name] for name in KNOWN - {*PLAIN, "after"})
    return visit.page(
        "search.html",
        here="search",
        query=query,
        kinds=[(kind.value, text) for kind, text in KINDS.items()],
        has_more=has_more,
        problem=problem,
        words=words,
        calls=calls,
        up=up,
        silent=silent,
        after=after,
        first=first,
        status=status,
    )
