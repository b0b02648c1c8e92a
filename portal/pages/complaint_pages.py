"""/complaints: what customers complain of, what is due first at the top, and one with all that was said and done.

They are only read here; `offhook complaint` writes them.
"""

from typing import Final

from fastapi import FastAPI, Request, Response

from portal.desk import Desk, NotFound, Visit
from portal.requests import BadRequest, read_query
from portal.roles import Right
from provisioning import complaints
from provisioning.complaints import ComplaintDetails, ComplaintState
from provisioning.problems import InvalidValue, Refused

LIST_SHOWN: Final = 200
LISTS: Final = {
    "": ("Open", frozenset(ComplaintState) - {ComplaintState.CLOSED}),
    "closed": ("Closed", frozenset({ComplaintState.CLOSED})),
}


def add_complaint_pages(app: FastAPI, desk: Desk) -> None:
    @app.get("/complaints")
    async def list_(request: Request) -> Response:
        return await _list(await desk.visit(request, Right.CALLS))

    @app.get("/complaints/{reference}")
    async def show(request: Request, reference: str) -> Response:
        visit = await desk.visit(request, Right.CALLS)
        return _show(visit, await _found(visit, reference))


async def _list(visit: Visit) -> Response:
    query = read_query(visit.request, {"list", "account"})
    if query["list"] not in LISTS:
        raise BadRequest("There is no such list.")
    _, states = LISTS[query["list"]]
    await visit.look(
        "complaints",
        why=f"list {query['list'] or 'open'}" + (f" of {query['account']}" if query["account"] else ""),
    )
    found = await complaints.list_complaints(visit.db, states=states, account=query["account"])
    clocked = complaints.most_pressing_first(found, visit.desk.care.complaint_terms(), visit.now)
    return visit.page(
        "complaints.html",
        here="complaints",
        query=query,
        lists=LISTS,
        rows=[(each.complaint, clock) for each, clock in clocked[:LIST_SHOWN]],
        is_cut=len(clocked) > LIST_SHOWN,
    )


async def _found(visit: Visit, reference: str) -> ComplaintDetails:
    """The look is on record first. Raises NotFound."""
    try:
        details = await complaints.find_complaint(visit.db, reference)
    except (InvalidValue, Refused):
        raise NotFound("There is no such complaint.") from None
    await visit.look("complaint", account_id=details.complaint.account_id, why=details.complaint.reference)
    return details


def _show(visit: Visit, details: ComplaintDetails) -> Response:
    read_query(visit.request, frozenset())
    clock = complaints.clock_of(details.complaint, visit.desk.care.complaint_terms(), visit.now)
    return visit.page(
        "complaint.html", here="complaints", complaint=details.complaint, details=details, clock=clock
    )
