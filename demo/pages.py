"""What the demo prints: the ladder, the tables and the sums that an operator would look at."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from demo.ladder import Rung, draw
from demo.records import CdrLine, pounds
from demo.scenes import ALICE, BOB, CREDIT_MICROS, PRICE, Scene

NAMES = ("Alice", "Offhook", "Bob")
WIDTH = 100


class Pages:
    """Prints one part after the other."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console = Console(highlight=False, width=WIDTH)

    def title(self, text: str) -> None:
        self._console.print(f"\n[bold cyan]{text}[/]")

    def say(self, text: str) -> None:
        self._console.print(text)

    def failure(self, sentence: str, logs: str) -> None:
        self._console.print("\n[bold red]The demo failed:[/] ", Text(sentence), sep="", soft_wrap=True)
        self._console.print(
            "The logs of the exchange and the phones are in ", Text(logs), sep="", soft_wrap=True
        )

    def set_up(self, address: str, ready_s: float) -> None:
        self.say(f"`offhook up` was ready after {ready_s:.1f} s. SIP on {address}, UDP and TCP.")
        self.say(
            f"Account shop, prepaid, {pounds(CREDIT_MICROS)}. Between phones: {pounds(PRICE.connect_fee_micros)} "
            f"a call + {pounds(PRICE.per_minute_micros)} a minute."
        )
        self.say(f"Alice ({ALICE[1]}) and Bob ({BOB[1]}): two pjsua2 softphones.")

    def registrations(self, rows: list[dict[str, Any]]) -> None:
        table = _table("line", "contact", "from", ">expires in")
        for row in rows:
            table.add_row(row["user"], row["contact"], row["source"], f"{row['expires_in_s']} s")
        self._console.print("\n[bold]Registered[/], by `offhook registrations`")
        self._console.print(table)

    def ladder(self, steps: list[Rung], *, since: float) -> None:
        self.say("")
        for line in draw(steps, since=since, names=NAMES):
            self._console.print(Text(line))

    def records(self, rows: list[CdrLine]) -> None:
        table = _table("setup", ">leg", "from", "to", ">talked", ">cost", "ended")
        for row in rows:
            table.add_row(
                _clock(row.setup_at_ms),
                str(row.leg),
                row.network_number,
                row.destination,
                f"{row.duration_ms / 1000:.3f} s" if row.answered_at_ms is not None else "",
                pounds(row.cost_micros) if row.cost_micros else "",
                f"{row.sip_status} {row.ended_by if row.answered_at_ms is not None else row.outcome}",
            )
        self._console.print(
            "\n[bold]The records[/] in PostgreSQL, from `offhook cdr list`: one row a leg, times in UTC"
        )
        self._console.print(table)

    def sums(self, scenes: list[Scene], total_micros: int) -> None:
        table = _table("", "", ">amount", ">balance")
        table.add_row("opening credit", "", pounds(CREDIT_MICROS), pounds(CREDIT_MICROS))
        for number, scene in enumerate(scenes, start=1):
            row = scene.paid
            cost = PRICE.cost_micros(row.billed_s)
            refused = "free" if row.sip_status == 200 else f"refused with {row.sip_status}"
            words = f"£0.02 + {row.billed_s} s x £0.59 / 60" if cost else refused
            table.add_row(f"call {number}", words, pounds(-cost), pounds(scene.balance_after_micros))
        self._console.print("\n[bold]The balance[/], as `offhook account show shop` has it")
        self._console.print(table)
        self.say(
            f"The ledger in PostgreSQL has the same sum: {pounds(total_micros)} ({total_micros:,} micros)."
        )


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in heads:
        is_right = head.startswith(">")
        table.add_column(head.removeprefix(">"), justify="right" if is_right else "left", overflow="fold")
    return table


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M:%S")
