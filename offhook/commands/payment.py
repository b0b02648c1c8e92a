"""`offhook payment ...`: money that came in, and money that goes back."""

import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import typer

from billing.payments.payment import DESK, Method, Payment, PaymentState, payment_from_row
from offhook.commands.billing_options import asking_provider, load_billing_or_fail, person
from offhook.commands.options import (
    ConfOption,
    DataOption,
    DsnOption,
    JsonOption,
    data_dir,
    pounds,
    whole_number,
)
from offhook.commands.payment_statements import import_statement, match, unmatched
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import columns, print_facts, print_json, print_line, print_table
from provisioning.account_names import account_named
from provisioning.problems import Refused
from rating.money import format_pounds

app = typer.Typer(help="Money that came in, and money that goes back.", no_args_is_help=True)

ZONE: Final = ZoneInfo("Europe/London")
LIST_MAX: Final = 10_000
PROVIDER_OF: Final = {"card": "stripe", "paypal": "paypal", "direct_debit": "gocardless"}
AT_THE_DESK: Final = (Method.CHEQUE, Method.CASH, Method.BANK_TRANSFER)

AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name.")]
AmountArgument = Annotated[str, typer.Argument(metavar="AMOUNT", help="In pounds, such as 12.00.")]
PaymentArgument = Annotated[
    int, typer.Argument(metavar="PAYMENT", parser=whole_number(least=1), help="The payment's number here.")
]


class PaymentView(msgspec.Struct, frozen=True):
    """A payment with its account's name."""

    account: str
    payment: Payment


@app.command("list")
def list_(
    account: Annotated[str, typer.Option("--account", help="Only this account's.")] = "",
    state: Annotated[str, typer.Option("--state", help="pending, received, failed or cancelled.")] = "",
    limit: Annotated[
        int, typer.Option("--limit", parser=whole_number(least=1, most=LIST_MAX), metavar="N")
    ] = 50,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """List payments, the latest first."""
    states = [each.value for each in PaymentState]
    if state and state not in states:
        raise CommandError(f"--state: expected one of {', '.join(states)}", ExitCode.INVALID)

    async def find(db: asyncpg.Pool) -> list[PaymentView]:
        if account:
            await account_named(db, account)
        rows = await db.fetch(
            "SELECT p.*, a.name AS account FROM payments p JOIN accounts a ON a.id = p.account_id"
            " WHERE ($1 = '' OR lower(a.name) = lower($1)) AND ($2 = '' OR p.state = $2)"
            " ORDER BY p.id DESC LIMIT $3",
            account,
            state,
            limit,
        )
        return [PaymentView(row["account"], payment_from_row(row)) for row in rows]

    views = run_on_books(find_dsn(data_dir(data), given=dsn), find)
    if as_json:
        print_json(views)
        return
    heads = columns(
        ">id", "made", "account", "method", ">amount", "state", ">went back", "quoted", "reference"
    )
    print_table(heads, [_row(view) for view in views], empty="There is no payment.")


@app.command()
def show(
    payment_id: PaymentArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Show a payment: what it paid, and what of it went back."""

    async def find(db: asyncpg.Pool) -> tuple[PaymentView, list[asyncpg.Record], list[asyncpg.Record]]:
        row = await db.fetchrow(
            "SELECT p.*, a.name AS account FROM payments p JOIN accounts a ON a.id = p.account_id WHERE p.id = $1",
            payment_id,
        )
        if row is None:
            raise Refused(f"there is no payment {payment_id}")
        returns = await db.fetch(
            "SELECT * FROM payment_returns WHERE payment_id = $1 ORDER BY id", payment_id
        )
        paid = await db.fetch(
            "SELECT i.number, sum(l.amount_micros)::bigint AS micros FROM allocations l JOIN invoices i"
            " ON i.id = l.invoice_id WHERE l.payment_id = $1 GROUP BY i.number ORDER BY i.number",
            payment_id,
        )
        return PaymentView(row["account"], payment_from_row(row)), returns, paid

    view, returns, paid = run_on_books(find_dsn(data_dir(data), given=dsn), find)
    if as_json:
        print_json({
            **msgspec.to_builtins(view),
            "returns": [dict(row) for row in returns],
            "paid": [dict(row) for row in paid],
        })  # fmt: skip
        return
    payment = view.payment
    print_facts([
        ("payment", str(payment.id)),
        ("account", view.account),
        ("method", payment.method.value),
        ("amount", format_pounds(payment.amount_micros)),
        ("state", payment.state.value),
        ("received", _moment(payment.received_at)),
        ("reference", f"{payment.provider}: {payment.reference}"),
        ("quoted", payment.quoted or "nothing"),
        ("paid", ", ".join(f"{row['number']} {format_pounds(row['micros'])}" for row in paid) or "no invoice"),
    ])  # fmt: skip
    for row in returns:
        print_line(
            f"{row['kind']} {row['id']}: {format_pounds(row['amount_micros'])} {row['state']}"
            + (f" ({row['reason']})" if row["reason"] else "")
            + (f": {row['problem']}" if row["problem"] else "")
        )


@app.command()
def request(
    account: AccountArgument,
    amount: Annotated[str, typer.Argument(metavar="[AMOUNT]", help="In pounds; none for a mandate.")] = "0",
    *,
    method: Annotated[str, typer.Option("--method", help="card, paypal or direct_debit.")] = "card",
    invoice: Annotated[str, typer.Option("--invoice", help="The invoice that it is for.")] = "",
    saves: Annotated[bool, typer.Option("--save", help="Keep the card for automatic top-ups.")] = False,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a page on which the customer pays, or gives a Direct Debit mandate (--method direct_debit)."""
    micros = pounds(amount, "AMOUNT")
    if method not in PROVIDER_OF:
        raise CommandError(f"--method: expected one of {', '.join(PROVIDER_OF)}", ExitCode.INVALID)
    if (micros == 0) != (method == "direct_debit"):
        text = "a mandate is without an amount: invoices are collected by it, each announced"
        raise CommandError(text if micros else "AMOUNT: how much is to be paid?", ExitCode.INVALID)
    place = data_dir(data)
    loaded = load_billing_or_fail(place, conf)

    async def ask(db: asyncpg.Pool) -> object:
        from billing.payments.providers import provider_named  # noqa: PLC0415
        from billing.payments.requests import ask_for_payment  # noqa: PLC0415

        provider = provider_named(loaded.providers, PROVIDER_OF[method])
        account_id = (await account_named(db, account)).id
        return await ask_for_payment(db, provider, account_id, micros, quoted=invoice, saves_method=saves)

    made = run_on_books(find_dsn(place, given=dsn), asking_provider(ask))
    if as_json:
        print_json(made)
    else:
        print_line(str(getattr(made, "url", "")))


@app.command()
def collect(
    account: AccountArgument,
    amount: AmountArgument,
    *,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Top an account up by its Direct Debit mandate: announced now, collected after the scheme's days."""
    micros = pounds(amount, "AMOUNT")
    place = data_dir(data)
    loaded = load_billing_or_fail(place, conf)

    async def announce(db: asyncpg.Pool) -> object:
        from billing.payments.direct_debit_notices import announce_top_up  # noqa: PLC0415

        today = datetime.datetime.now(ZONE).date()
        return await announce_top_up(db, loaded.conf, (await account_named(db, account)).id, micros, today)

    done = run_on_books(find_dsn(place, given=dsn), announce)
    if as_json:
        print_json(done)
    else:
        print_line(f"{done}.")


@app.command()
def record(
    account: AccountArgument,
    amount: AmountArgument,
    *,
    method: Annotated[str, typer.Option("--method", help="cheque, cash or bank_transfer.")],
    reference: Annotated[
        str,
        typer.Option(
            "--reference", help="The cheque's number, the receipt's: a repeat with it adds nothing."
        ),
    ],
    invoice: Annotated[str, typer.Option("--invoice", help="The invoice that it is for.")] = "",
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Record a cheque, cash, or a transfer that no statement shows."""
    micros = pounds(amount, "AMOUNT")
    if method not in [each.value for each in AT_THE_DESK]:
        raise CommandError("--method: expected cheque, cash or bank_transfer", ExitCode.INVALID)
    place = data_dir(data)
    loaded = load_billing_or_fail(place, conf)

    async def credit(db: asyncpg.Pool) -> object:
        from billing.payments.received import Money, received  # noqa: PLC0415
        from billing.payments.statement_lines import invoice_account  # noqa: PLC0415

        account_id = (await account_named(db, account)).id
        quoted = ""
        if invoice:
            owner, quoted = await invoice_account(db, invoice)
            if owner != account_id:
                raise Refused(f"invoice {quoted} is another account's")
        money = Money(
            account_id,
            Method(method),
            DESK,
            f"{method}:{reference}",
            micros,
            datetime.datetime.now(ZONE),
            quoted,
        )
        async with db.acquire() as connection, connection.transaction():
            return await received(connection, loaded.conf, money)

    done = run_on_books(find_dsn(place, given=dsn), credit)
    if as_json:
        print_json(done)
        return
    is_repeat, payment = getattr(done, "is_repeat"), getattr(done, "payment")  # noqa: B009
    said = "was recorded before under this reference" if is_repeat else "recorded"
    print_line(f"Payment {payment.id} of {format_pounds(payment.amount_micros)} {said}.")


@app.command()
def refund(
    payment_id: PaymentArgument,
    *,
    amount: Annotated[
        str, typer.Option("--amount", help="In pounds (default: all that is left of it).")
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the ledger.")],
    is_offline: Annotated[
        bool,
        typer.Option("--no-exchange", help="No exchange runs, and all that it has charged is in the books."),
    ] = False,
    data: DataOption = None,
    conf: ConfOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give money back by the way it came. Refused when it is spent, or held by calls that are up."""
    micros = pounds(amount, "--amount") if amount else None
    place = data_dir(data)
    loaded = load_billing_or_fail(place, conf)

    async def give_back(db: asyncpg.Pool) -> object:
        from billing.payments.refund import (  # noqa: PLC0415
            carry_on,
            cleared_by_exchange,
            cleared_without_exchange,
            reserve_refund,
        )

        clearance = cleared_without_exchange if is_offline else cleared_by_exchange(db, place.control_socket)
        made = await reserve_refund(db, payment_id, micros, reason=reason, by=person())
        return await carry_on(db, loaded.providers, clearance, made.id)

    done = run_on_books(find_dsn(place, given=dsn), give_back)
    if as_json:
        print_json(done)
    _say_refund(done, as_json=as_json)


def _say_refund(done: object, *, as_json: bool) -> None:
    state, problem = str(getattr(done, "state", "")), str(getattr(done, "problem", ""))
    amount = format_pounds(getattr(done, "amount_micros", 0))
    match state:
        case "done" if not as_json:
            print_line(f"{amount} goes back to the customer.")
        case "given_back":
            raise CommandError(f"nothing goes back: {problem}")
        case "cleared" if not as_json:
            print_line(f"{amount} is reserved; the provider is asked again until it answers ({problem}).")


app.command("import-statement")(import_statement)
app.command()(unmatched)
app.command()(match)


@app.command()
def methods(
    account: AccountArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """List the cards and mandates that an account has given."""

    async def find(db: asyncpg.Pool) -> list[object]:
        from billing.payments.methods import methods_of  # noqa: PLC0415

        return list(await methods_of(db, (await account_named(db, account)).id))

    found = run_on_books(find_dsn(data_dir(data), given=dsn), find)
    if as_json:
        print_json(found)
        return
    rows = [
        [str(getattr(each, name)) for name in ("id", "provider", "label", "state", "reference")]
        for each in found
    ]
    print_table(columns(">id", "provider", "label", "state", "reference"), rows, empty="There is none.")


@app.command()
def events(data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False) -> None:
    """List the news of providers that could not be worked through yet."""

    async def find(db: asyncpg.Pool) -> list[dict[str, object]]:
        rows = await db.fetch(
            "SELECT id, provider, event, kind, reference, heard_at, tries, problem,"
            " set_aside_at IS NOT NULL AS set_aside"
            " FROM payment_events WHERE applied_at IS NULL ORDER BY id LIMIT $1",
            LIST_MAX,
        )
        return [dict(row) for row in rows]

    found = run_on_books(find_dsn(data_dir(data), given=dsn), find)
    if as_json:
        print_json(found)
        return
    rows = [
        [str(row["id"]), str(row["provider"]), str(row["kind"]), str(row["reference"]), str(row["tries"]),
         "set aside" if row["set_aside"] else "waits", str(row["problem"])]
        for row in found
    ]  # fmt: skip
    heads = columns(">id", "provider", "kind", "reference", ">tries", "state", "problem")
    print_table(heads, rows, empty="All news has been worked through.")


@app.command("retry-event")
def retry_event(
    event: Annotated[int, typer.Argument(metavar="EVENT", parser=whole_number(least=1))],
    data: DataOption = None,
    dsn: DsnOption = "",
) -> None:
    """Have news that was set aside worked through again."""

    async def again(db: asyncpg.Pool) -> None:
        done = await db.fetchval(
            "UPDATE payment_events SET set_aside_at = NULL, tries = 0, next_try_at = now()"
            " WHERE id = $1 AND applied_at IS NULL RETURNING id",
            event,
        )
        if done is None:
            raise Refused(f"there is no event {event} that waits")

    run_on_books(find_dsn(data_dir(data), given=dsn), again)
    print_line(f"Event {event} is worked through again within seconds.")


def _row(view: PaymentView) -> list[str]:
    payment = view.payment
    return [
        str(payment.id),
        _moment(payment.made_at),
        view.account,
        payment.method.value,
        format_pounds(payment.amount_micros),
        payment.state.value,
        format_pounds(payment.returned_micros) if payment.returned_micros else "",
        payment.quoted,
        payment.reference,
    ]


def _moment(at: datetime.datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}"
