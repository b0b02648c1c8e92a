"""Calls that are up: their records so far, as the running switch tells them (switch/live_records.py).

A call has its records in the books when it has ended, and a customer does not wait for that.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import asyncpg

from care.switch_asking import ask_switch_for
from provisioning.cdr_search import without_withheld
from provisioning.views import CdrView
from rating.records import Cdr, MediaFigures


class LiveSource(Protocol):
    """Who knows the calls that are up."""

    async def records(
        self, *, call_id: str = "", since_ms: int = 0, until_ms: int | None = None, texts: Sequence[str] = ()
    ) -> list[list[Cdr]]:
        """One list a call, leg 0 first; withheld numbers stand in them. Raises SwitchSilentError."""

    async def media(self, call_id: str) -> list[MediaFigures]:
        """What the relay has counted so far. Raises SwitchSilentError."""


class SwitchCalls:
    """Those of the switch that serves this control socket."""

    def __init__(self, control_socket: Path) -> None:
        self._control = control_socket

    async def records(
        self, *, call_id: str = "", since_ms: int = 0, until_ms: int | None = None, texts: Sequence[str] = ()
    ) -> list[list[Cdr]]:
        question: dict[str, object] = {"call_id": call_id, "since_ms": max(0, since_ms), "texts": list(texts)}
        if until_ms is not None:
            question["until_ms"] = until_ms
        return await ask_switch_for(list[list[Cdr]], self._control, "live_records", live=question)

    async def media(self, call_id: str) -> list[MediaFigures]:
        return await ask_switch_for(list[MediaFigures], self._control, "live_media", call_id=call_id)


async def account_names(
    db: asyncpg.Connection | asyncpg.Pool, records: Iterable[Sequence[Cdr]]
) -> dict[int, str]:
    """Of all accounts that these calls concern."""
    ids = {
        account
        for rows in records
        for row in rows
        for account in (row.account_id, row.payer_account_id)
        if account is not None
    }
    if not ids:
        return {}
    rows = await db.fetch("SELECT id, name FROM accounts WHERE id = ANY($1)", sorted(ids))
    return {row["id"]: row["name"] for row in rows}


def views_of(
    records: Sequence[Cdr], names: dict[int, str], media: Sequence[MediaFigures] = ()
) -> list[CdrView]:
    """As the books would show them; withheld numbers are withheld."""
    return [
        CdrView(
            without_withheld(row),
            names.get(row.account_id or 0, ""),
            names.get(row.payer_account_id or 0, ""),
            [figures for figures in media if figures.leg == row.leg],
        )
        for row in records
    ]
