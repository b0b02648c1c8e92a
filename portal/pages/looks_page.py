"""/looks: who has looked at whose calls, for admins. Reading it is a look, too."""

from typing import Final

from fastapi import FastAPI, Request, Response

from care.looks import list_looks
from portal.desk import Desk
from portal.requests import read_query
from portal.roles import Right

SHOWN: Final = 200
FIELDS: Final = ("staff", "account", "call_id")


def add_looks_page(app: FastAPI, desk: Desk) -> None:
    @app.get("/looks")
    async def looks(request: Request) -> Response:
        visit = await desk.visit(request, Right.LOOKS)
        query = read_query(request, frozenset(FIELDS))
        asked = " ".join(f"{name} {query[name]}" for name in FIELDS if query[name])
        await visit.look("looks", why=asked)
        found = await list_looks(visit.db, **query, limit=SHOWN)
        return visit.page("looks.html", here="looks", query=query, looks=found, is_cut=len(found) == SHOWN)
