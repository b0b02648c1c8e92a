"""What the commands of `offhook subscription` have in common: their options, the way to the books, how one is shown."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import asyncpg
import typer

from billing.subscriptions.subscription import Subscription
from offhook.commands.billing_days import london_today
from offhook.commands.billing_options import connected
from offhook.commands.options import data_dir, whole_number
from offhook.commands.subscription_facts import facts_of
from offhook.database import find_dsn, run_on_books
from offhook.output import print_facts, print_json

Result = TypeVar("Result")

ID_MAX = (1 << 31) - 1
QUANTITY_MAX = 100_000

IdArgument = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=ID_MAX, help="As `offhook subscription list` shows it.")
]
ByOption = Annotated[
    str,
    typer.Option(
        "--by", help="How they said it, and the username they quoted: phone, email, letter, portal."
    ),
]
QuantityOption = Annotated[
    int | None,
    typer.Option(
        "--quantity", parser=whole_number(least=1, most=QUANTITY_MAX), metavar="NUMBER", help="How many."
    ),
]


def run(data: Path | None, dsn: str, work: Callable[[asyncpg.Connection], Awaitable[Result]]) -> Result:
    return run_on_books(find_dsn(data_dir(data), given=dsn), connected(work))


def print_subscription(subscription: Subscription, *, as_json: bool) -> None:
    if as_json:
        print_json(subscription)
    else:
        print_facts(facts_of(subscription, None, london_today()))
