"""/faults: what customers have reported, a new one, and one with all that was said and done."""

from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from care import faults
from care.faults import FaultDetails, FaultKind, FaultState, NewFault, Place, Priority, entry
from care.faults.entry import Entry
from portal.desk import Desk, NotFound, Visit
from portal.pages.call_page import CALL_ID_CHARS_MAX, story_for
from portal.rendering import london, number
from portal.requests import BadRequest, read_query
from portal.roles import Right
from provisioning.problems import InvalidValue, Refused
from provisioning.utc import ms_from_time

LIST_SHOWN: Final = 200
LISTS: Final = {
    "": ("Open", frozenset(FaultState) - {FaultState.CLOSED, FaultState.FIXED}),
    "fixed": ("Fixed", frozenset({FaultState.FIXED})),
    "closed": ("Closed", frozenset({FaultState.CLOSED})),
}
TEXTS: Final = ("reporter", "contact", "account", "line", "time_code", "cli", "ddi")
NEW: Final = frozenset({*TEXTS, "kind", "words", "is_urgent", "call"})
DOING: Final = frozenset({"do", "words", "value"})
LONG: Final = frozenset({"words"})
# A paragraph is a fifth of it; a fault keeps 4,000 characters of an entry.
WORDS_KEPT_MAX: Final = 3_000


def add_fault_pages(app: FastAPI, desk: Desk) -> None:
    @app.get("/faults")
    async def list_(request: Request) -> Response:
        return await _list(await desk.visit(request, Right.CALLS))

    @app.get("/faults/new")
    async def ask(request: Request) -> Response:
        visit = await desk.visit(request, Right.CALLS)
        call_id = read_query(request, {"call"})["call"]
        return _form(visit, await _filled_in(visit, call_id) if call_id else {})

    @app.post("/faults/new")
    async def open_(request: Request) -> Response:
        visit = await desk.visit(request, Right.CALLS)
        return await _open(visit, await visit.form(NEW, long_ones=LONG))

    @app.get("/faults/{reference}")
    async def show(request: Request, reference: str) -> Response:
        visit = await desk.visit(request, Right.CALLS)
        return await _show(visit, await _found(visit, reference))

    @app.post("/faults/{reference}")
    async def change(request: Request, reference: str) -> Response:
        visit = await desk.visit(request, Right.CALLS)
        form = await visit.form(DOING, long_ones=LONG)
        details = await _found(visit, reference)
        await _do(visit, details, form["do"], form["words"], form["value"])
        return RedirectResponse(f"/faults/{details.fault.reference}", 303)


async def _list(visit: Visit) -> Response:
    query = read_query(visit.request, {"list", "account"})
    if query["list"] not in LISTS:
        raise BadRequest("There is no such list.")
    _, states = LISTS[query["list"]]
    await visit.look(
        "faults",
        why=f"list {query['list'] or 'open'}" + (f" of {query['account']}" if query["account"] else ""),
    )
    found = await faults.list_faults(visit.db, states=states, account=query["account"], limit=LIST_SHOWN)
    now_ms = ms_from_time(visit.now)
    rows = [(each.fault, visit.desk.care.fault_clock(each, now_ms)) for each in found]
    return visit.page(
        "faults.html",
        here="faults",
        query=query,
        lists=LISTS,
        rows=rows,
        now_ms=now_ms,
        is_cut=len(rows) == LIST_SHOWN,
    )


async def _filled_in(visit: Visit, call_id: str) -> dict[str, str]:
    """What a call says of the fault that it is reported with."""
    story = await story_for(visit, call_id, "fault")
    cdr = story.legs[0].cdr
    return {
        "call": call_id,
        "account": story.legs[0].account or story.legs[0].payer,
        "line": cdr.line,
        "time_code": f"{london(cdr.setup_at_ms):%Y-%m-%d %H:%M:%S}",
        "cli": number(cdr.network_number),
        "ddi": number(cdr.ddi or cdr.destination or cdr.dialled),
    }


def _form(visit: Visit, values: dict[str, str], *, problem: str = "") -> Response:
    return visit.page(
        "fault_new.html",
        here="faults",
        values={name: values.get(name, "") for name in NEW},
        kinds=list(FaultKind),
        problem=problem,
        status=400 if problem else 200,
    )


async def _open(visit: Visit, form: dict[str, str]) -> Response:
    call_id = form["call"]
    try:
        kind = FaultKind(form["kind"]) if form["kind"] else FaultKind.OTHER
    except ValueError:
        raise BadRequest("There is no such kind of fault.") from None
    new = NewFault(
        reporter=form["reporter"],
        contact=form["contact"],
        account=form["account"],
        line=form["line"],
        time_code=form["time_code"],
        cli=form["cli"],
        ddi=form["ddi"],
        kind=kind,
        words=form["words"],
        is_urgent=bool(form["is_urgent"]),
    )
    words = await _explanation(visit, call_id) if call_id else ""
    try:
        if call_id:
            details = await faults.open_fault(visit.db, new, staff=visit.session.name, now=visit.now)
            await _add(visit, details.fault.reference, entry.call(call_id, words))
        else:
            opened = await faults.open_with_calls(
                visit.db,
                new,
                staff=visit.session.name,
                explaining=lambda found: _explanation(visit, found),
                now=visit.now,
            )
            details = opened.details
    except (InvalidValue, Refused) as problem:
        return _form(visit, form, problem=str(problem))
    return RedirectResponse(f"/faults/{details.fault.reference}", 303)


async def _explanation(visit: Visit, call_id: str) -> str:
    """What is on record with the fault: the explanation as it is today."""
    story = await story_for(visit, call_id, "fault")
    return visit.desk.care.explain(story).paragraph[:WORDS_KEPT_MAX]


async def _found(visit: Visit, reference: str) -> FaultDetails:
    """The look is on record first. Raises NotFound."""
    try:
        details = await faults.find_fault(visit.db, reference)
    except (InvalidValue, Refused):
        raise NotFound("There is no such fault.") from None
    await visit.look("fault", account_id=details.fault.account_id, why=details.fault.reference)
    return details


async def _show(visit: Visit, details: FaultDetails) -> Response:
    read_query(visit.request, frozenset())
    now_ms = ms_from_time(visit.now)
    fault = details.fault
    question = {"at": fault.time_code, "cli": fault.cli, "ddi": fault.ddi, "line": fault.line}
    return visit.page(
        "fault.html",
        here="faults",
        fault=fault,
        details=details,
        clock=visit.desk.care.fault_clock(details, now_ms),
        now_ms=now_ms,
        search="&".join(f"{name}={quote(text)}" for name, text in question.items() if text),
        states=[state for state in FaultState if state not in (FaultState.CLOSED, fault.state)],
        places=[place for place in Place if place is not Place.UNKNOWN],
        priorities=[each for each in Priority if each is not fault.priority],
    )


async def _do(visit: Visit, details: FaultDetails, verb: str, words: str, value: str) -> None:
    """Raises BadRequest, InvalidValue, Refused."""
    if verb == "attach":
        await _attach(visit, details.fault.reference, value)
        return
    deeds: dict[str, Callable[[], Sequence[Entry]]] = {
        "note": lambda: [entry.note(words)],
        "answer": lambda: [entry.note(words, to_customer=True)],
        "check": lambda: [entry.check(words)],
        "checked": lambda: [entry.checked(_check_id(details, value), words)],
        "state": lambda: [entry.state(FaultState(value), words)],
        "place": lambda: [entry.place(Place(value), words)],
        "priority": lambda: [entry.priority(Priority(value), words)],
        "close": lambda: entry.closing(Place(value), words),
    }
    if verb not in deeds:
        raise BadRequest("There is nothing of that name to be done.")
    try:
        entries = deeds[verb]()
    except ValueError:  # no such state, place or priority
        raise BadRequest("There is no such choice.") from None
    await _add(visit, details.fault.reference, *entries)


async def _add(visit: Visit, reference: str, *entries: Entry) -> None:
    await faults.add(visit.db, reference, *entries, staff=visit.session.name, now=visit.now)


def _check_id(details: FaultDetails, value: str) -> int:
    found = next((check.id for check in details.checks if str(check.id) == value), None)
    if found is None:
        raise BadRequest("There is no such check.")
    return found


async def _attach(visit: Visit, reference: str, call_id: str) -> None:
    if not 0 < len(call_id) <= CALL_ID_CHARS_MAX:
        raise BadRequest("There is no such call.")
    words = await _explanation(visit, call_id)
    await _add(visit, reference, entry.call(call_id, words))
