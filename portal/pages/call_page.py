"""/calls/ID: what a call was, what it came to and why, its money, its sound, its ladder with the messages,
registrations."""

import asyncio

from fastapi import FastAPI, Request, Response
from markupsafe import Markup

from care.story import CallStory
from portal.call_view import decisions_of, legs_of, messages_of, money_of, sound_of
from portal.desk import Desk, NotFound, Visit
from portal.exports import ExportedFile, bundle, exported, offered
from portal.requests import read_query
from portal.roles import Right
from provisioning.problems import InvalidValue

CALL_ID_CHARS_MAX = 128


def add_call_pages(app: FastAPI, desk: Desk) -> None:
    @app.get("/calls/{call_id}")
    async def call(request: Request, call_id: str) -> Response:
        visit = await desk.visit(request, Right.CALLS)
        read_query(request, frozenset())
        story = await story_for(visit, call_id, "call")
        # Of a long call the pictures take a while, and others are waiting for their pages.
        return await asyncio.to_thread(_page, visit, story)

    @app.get("/calls/{call_id}/export/{kind}")
    async def export(request: Request, call_id: str, kind: str) -> Response:
        visit = await desk.visit(request, Right.MESSAGES)
        return _file(await asyncio.to_thread(exported, await story_for(visit, call_id, "export"), kind))

    @app.get("/calls/{call_id}/export/bundle/{place}")
    async def carriers_bundle(request: Request, call_id: str, place: str) -> Response:
        visit = await desk.visit(request, Right.MESSAGES)
        return _file(await asyncio.to_thread(bundle, await story_for(visit, call_id, "export"), place))


async def story_for(visit: Visit, call_id: str, what: str) -> CallStory:
    """The look is on record before anything is shown. Raises NotFound."""
    if len(call_id) > CALL_ID_CHARS_MAX or not call_id.isprintable():
        raise NotFound("There is no such call.")
    try:
        story = await visit.desk.care.story(visit.db, call_id)
    except InvalidValue:
        story = None
    await visit.look(what, account_id=None if story is None else story.account_id, call_id=call_id)
    if story is None:
        raise NotFound("There is no such call, neither up nor on record.")
    return story


def _file(found: ExportedFile | None) -> Response:
    """Always a download: no browser shows what a caller has written."""
    if found is None:
        raise NotFound("There is no such kind of file.")
    headers = {"Content-Disposition": f'attachment; filename="{found.name}"'}
    return Response(found.data, media_type=found.media_type, headers=headers)


def _page(visit: Visit, story: CallStory) -> Response:
    care = visit.desk.care
    sees_messages = visit.may(Right.MESSAGES)
    trace = story.trace
    has_registrations = bool(story.registrations)
    return visit.page(
        "call.html",
        here="search",
        story=story,
        call=story.legs[0].cdr,
        account=story.legs[0].account,
        explained=care.explain(story),
        legs=legs_of(story),
        money=money_of(story, sees_buying=sees_messages),
        steps=decisions_of(story),
        sound=sound_of(story),
        wide_strip=Markup(care.media_strip(story, narrow=False)),  # noqa: S704
        narrow_strip=Markup(care.media_strip(story, narrow=True)),  # noqa: S704
        # Drawn by us, and escaped there (care/ladder/svg_shapes.py).
        wide=Markup(care.ladder(story, narrow=False)),  # noqa: S704
        narrow=Markup(care.ladder(story, narrow=True)),  # noqa: S704
        messages=messages_of(trace) if trace is not None and sees_messages else [],
        has_trace=trace is not None,
        registrations=list(reversed(story.registrations)) if has_registrations else [],
        lines=sorted(
            {event.line for event in story.registrations if event.line}
            | {v.cdr.line for v in story.legs if v.cdr.line}
        ),
        exports=offered(story) if sees_messages else [],
    )
