"""`offhook customer ...`: who an account is on paper and by law."""

from typing import Annotated

import typer

from billing.customers import CustomerKind, CustomerView, list_customers, set_customer, show_customer
from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir
from offhook.database import find_dsn, run_on_books
from offhook.output import columns, print_facts, print_json, print_table

app = typer.Typer(help="Who accounts are on paper: names, addresses, wishes.", no_args_is_help=True)

AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name.")]


@app.command("set")
def set_(
    account: AccountArgument,
    *,
    kind: Annotated[
        CustomerKind | None, typer.Option("--kind", help="By law; a small business has up to ten people.")
    ] = None,
    company: Annotated[str | None, typer.Option("--company", help="Its name; empty for a person.")] = None,
    contact: Annotated[str | None, typer.Option("--contact", help="The person.")] = None,
    address: Annotated[
        list[str] | None, typer.Option("--address", help="A line of the address; give it once for each line.")
    ] = None,
    email: Annotated[str | None, typer.Option("--email", help="Where invoices are mailed to.")] = None,
    vat_number: Annotated[str | None, typer.Option("--vat-number", help="Such as GB123456789.")] = None,
    wants_large_print: Annotated[
        bool | None, typer.Option("--large-print/--normal-print", help="Invoices and letters in 18 point.")
    ] = None,
    wants_itemised: Annotated[
        bool | None, typer.Option("--itemised/--not-itemised", help="Each call on the invoice, or totals.")
    ] = None,
    wants_payment_invoices: Annotated[
        bool | None,
        typer.Option(
            "--payment-invoices/--no-payment-invoices",
            help="A VAT invoice for each payment of a prepaid account.",
        ),
    ] = None,
    purchase_order: Annotated[
        str | None, typer.Option("--purchase-order", help="Printed on each invoice.")
    ] = None,
    has_priority_repair: Annotated[
        bool | None,
        typer.Option(
            "--priority-repair/--normal-repair", help="Faults are repaired first, for needs on record (GC C5)."
        ),
    ] = None,
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say who an account is. What is not named stays; "" empties a field."""
    view = run_on_books(
        find_dsn(data_dir(data), given=dsn),
        lambda db: set_customer(
            db,
            account,
            kind=kind,
            company=company,
            contact=contact,
            address=address or None,
            email=email,
            vat_number=vat_number,
            wants_large_print=wants_large_print,
            wants_itemised=wants_itemised,
            wants_payment_invoices=wants_payment_invoices,
            purchase_order=purchase_order,
            has_priority_repair=has_priority_repair,
        ),
    )
    _print(view, as_json=as_json)


@app.command()
def show(
    account: AccountArgument, data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Show who an account is."""
    view = run_on_books(find_dsn(data_dir(data), given=dsn), lambda db: show_customer(db, account))
    _print(view, as_json=as_json)


@app.command("list")
def list_(data: DataOption = None, dsn: DsnOption = "", as_json: JsonOption = False) -> None:
    """List all accounts that are described."""
    views = run_on_books(find_dsn(data_dir(data), given=dsn), list_customers)
    if as_json:
        print_json(views)
        return
    rows = [
        [
            view.account,
            view.customer.kind.value,
            view.customer.name,
            view.customer.email,
            "large" if view.customer.wants_large_print else "normal",
        ]
        for view in views
    ]
    empty = "Nobody is described yet: `offhook customer set ACCOUNT`."
    print_table(columns("account", "kind", "name", "e-mail", "print"), rows, empty=empty)


def _print(view: CustomerView, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    customer = view.customer
    print_facts(
        [
            ("account", view.account),
            ("kind", customer.kind.value.replace("_", " ")),
            ("company", customer.company),
            ("contact", customer.contact),
            ("address", ", ".join(customer.address)),
            ("e-mail", customer.email),
            ("VAT number", customer.vat_number),
            ("purchase order", customer.purchase_order),
            ("print", "large" if customer.wants_large_print else "normal"),
            ("faults", "repaired first" if customer.has_priority_repair else "repaired in turn"),
            ("itemised", "yes" if customer.wants_itemised else "no"),
            ("invoice for each payment", "yes" if customer.wants_payment_invoices else "no"),
        ]
    )
