"""/lines/NAME: a line's registrations over the last days, with its gaps and refused logins, and its latest calls."""

from typing import Final

import msgspec
from fastapi import FastAPI, Request, Response
from markupsafe import Markup

from care.lines import explain_line
from care.search import CallQuestion, understand
from portal.desk import Desk, NotFound, Visit
from portal.registration_bars import bars
from portal.rendering import london
from portal.requests import read_query
from portal.roles import Right
from provisioning.registration_search import DAY_MS, line_history
from provisioning.utc import ms_from_time

DAYS: Final = (3, 7, 14, 30)
DAYS_DEFAULT: Final = 7
CALLS_SHOWN: Final = 20
# A phone that flaps has hundreds; who wants all has `offhook line registrations`.
EVENTS_SHOWN: Final = 200
NAME_CHARS_MAX: Final = 128


class _Line(msgspec.Struct, frozen=True):
    name: str
    account: str
    account_id: int
    numbers: list[str]


def add_line_pages(app: FastAPI, desk: Desk) -> None:
    @app.get("/lines/{name}")
    async def line(request: Request, name: str) -> Response:
        visit = await desk.visit(request, Right.CALLS)
        query = read_query(request, {"days"})
        days = next((each for each in DAYS if str(each) == query["days"]), DAYS_DEFAULT)
        return await _page(visit, await _line(visit, name), days)


async def _line(visit: Visit, name: str) -> _Line:
    """Raises NotFound."""
    row = None
    if name.isprintable() and len(name) <= NAME_CHARS_MAX:
        row = await visit.db.fetchrow(
            "SELECT l.user_part, a.name, a.id FROM lines l JOIN accounts a ON a.id = l.account_id"
            " WHERE l.user_part = $1",
            name,
        )
    if row is None:
        raise NotFound("There is no such line.")
    numbers = await visit.db.fetch("SELECT e164 FROM numbers WHERE line = $1 ORDER BY e164 LIMIT 20", name)
    return _Line(name, row["name"], row["id"], [each["e164"] for each in numbers])


async def _page(visit: Visit, line: _Line, days: int) -> Response:
    await visit.look("line", account_id=line.account_id, why=line.name)
    now_ms = ms_from_time(visit.now)
    midnight = london(now_ms).replace(hour=0, minute=0, second=0, microsecond=0)
    since_ms = round(midnight.timestamp() * 1000) - (days - 1) * DAY_MS
    history = await line_history(visit.db, line.name, since_ms=since_ms, until_ms=now_ms)
    asked = understand(CallQuestion(line=line.name, limit=CALLS_SHOWN), visit.now)
    up, _silent = await visit.desk.care.find_live(visit.db, asked)
    calls = await visit.desk.care.find(visit.db, asked)
    known = {call.call_id for call in calls}
    story = await visit.desk.care.line_story(visit.db, line.name, now_ms)
    return visit.page(
        "line.html",
        explained=explain_line(story),
        is_silent=bool(story.silent),
        here="search",
        line=line,
        days=days,
        choices=DAYS,
        history=history,
        # Ours, and escaped where they are drawn.
        wide=Markup(bars(history, is_narrow=False)),  # noqa: S704
        narrow=Markup(bars(history, is_narrow=True)),  # noqa: S704
        events=history.events[: -EVENTS_SHOWN - 1 : -1],
        more_events=max(0, len(history.events) - EVENTS_SHOWN),
        alg=visit.desk.care.alg_words(history.events),
        calls=[*(call for call in up if call.call_id not in known), *calls],
    )
