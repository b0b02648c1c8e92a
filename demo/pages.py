"""What the demo prints: the ladder, the tables and the sums that an operator would look at."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from demo.ladder import Rung, draw
from demo.records import CdrLine, Price, pounds
from demo.scenes import ALICE, BOB, CREDIT_MICROS, PRICE, Scene

NAMES = ("Alice", "Offhook", "Bob")
WIDTH = 100
WRAPPED = ("how it ended",)


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
        self.say(
            f"`offhook up` is ready after {ready_s:.1f} s: PostgreSQL, edge, switch, journal; SIP on {address}."
        )
        self.say(
            f"Account shop, prepaid, {pounds(CREDIT_MICROS)}; between phones it pays {_price_words(PRICE)}."
        )
        self.say(f"Alice has {ALICE[1]}, Bob {BOB[1]}: two pjsua2 softphones, each a process of its own.")

    def registrations(self, rows: list[dict[str, Any]]) -> None:
        table = _table("line", "contact", "from", ">expires in", "phone")
        for row in rows:
            expires = f"{row['expires_in_s']} s"
            table.add_row(row["user"], row["contact"], row["source"], expires, row["user_agent"])
        self._console.print("\n[bold]Registered[/], by `offhook registrations`")
        self._console.print(table)

    def ladder(self, steps: list[Rung], *, since: float) -> None:
        self.say("")
        for line in draw(steps, since=since, names=NAMES):
            self._console.print(Text(line))

    def records(self, rows: list[CdrLine]) -> None:
        table = _table("setup (UTC)", ">leg", "from", "to", ">talked", ">billed", ">cost", "how it ended")
        for row in rows:
            table.add_row(
                _clock(row.setup_at_ms),
                str(row.leg),
                row.network_number,
                row.destination,
                f"{row.duration_ms / 1000:.3f} s" if row.answered_at_ms is not None else "",
                f"{row.billed_s} s" if row.billed_s else "",
                pounds(row.cost_micros) if row.cost_micros else "",
                f"{row.sip_status} {row.reason}",
            )
        self._console.print("\n[bold]The records[/] in PostgreSQL, from `offhook cdr list`: one row a leg")
        self._console.print(table)

    def sums(self, scenes: list[Scene], total_micros: int) -> None:
        table = _table("", "", ">amount", ">balance")
        table.add_row("opening credit", "", pounds(CREDIT_MICROS), pounds(CREDIT_MICROS))
        for number, scene in enumerate(scenes, start=1):
            row = scene.paid
            cost = PRICE.cost_micros(row.billed_s)
            words = f"£0.02 + {row.billed_s} s x £0.59 / 60" if cost else f"refused with {row.sip_status}"
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
        table.add_column(
            head.removeprefix(">"), justify="right" if is_right else "left", no_wrap=head not in WRAPPED
        )
    return table


def _price_words(price: Price) -> str:
    return f"{pounds(price.connect_fee_micros)} a call and {pounds(price.per_minute_micros)} a minute"


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
