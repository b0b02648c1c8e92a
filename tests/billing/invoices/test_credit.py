"""Credit notes give back what an invoice took, to the penny, once; and issued documents stay as they are."""

import asyncio
import datetime

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.conf import BillingConf
from billing.invoices.check import check_billing, sum_problems
from billing.invoices.credit import credit_invoice, credit_rates
from billing.invoices.document import Addressee, Document, DocumentKind, Form, Line
from billing.invoices.issue import find_document
from billing.invoices.monthly import net_amounts
from billing.invoices.run import run_month
from billing.open_items import free_micros, open_invoices
from billing.vat import Charge, VatRounding, reckon
from provisioning.ledger import MovementKind
from provisioning.problems import InvalidValue, Refused
from rating.money import VatMode
from tests.billing.books import (
    CONF,
    POUND,
    SELLER,
    add_account,
    add_call,
    add_customer,
    add_payment,
    balance,
    move,
)
from tests.billing.invoices.test_run import OCTOBER, TODAY
from tests.provisioning.databases import in_database


async def invoiced(db: asyncpg.Pool, vat: VatMode = VatMode.EX_VAT) -> int:
    """An account with INV000001 of three lines: 10.00, 2.50 and calls of 1.00."""
    account = await add_account(db, vat=vat)
    await add_customer(db, account)
    await move(db, account, MovementKind.SUBSCRIPTION, -10 * POUND, "Line rental")
    await move(db, account, MovementKind.FEE, -2_500_000, "Set-up")
    await add_call(db, account, 1_003_000)
    await run_month(db, CONF, OCTOBER, today=TODAY)
    return account


async def credit(db: asyncpg.Pool, *lines: int, conf: BillingConf = CONF) -> Document:
    return await credit_invoice(db, conf, "INV000001", reason="Charged twice", today=TODAY, lines=lines)


@pytest.mark.parametrize("vat", list(VatMode))
def test_a_whole_invoice_given_back_leaves_the_account_at_zero(vat: VatMode, dsn: str) -> None:
    @in_database
    async def check(db: asyncpg.Pool) -> None:
        account = await invoiced(db, vat)
        note = await credit(db)
        assert (note.number, note.corrects, note.kind) == ("CRN000001", "INV000001", DocumentKind.CREDIT_NOTE)
        assert note.total_micros == (await find_document(db, "INV000001")).total_micros
        assert (await balance(db, account), await open_invoices(db, account)) == (0, [])
        assert (await check_billing(db)).differences == []

    check(dsn)


@in_database
async def test_a_line_is_given_back_once(db: asyncpg.Pool) -> None:
    account = await invoiced(db)
    note = await credit(db, 2)
    assert (note.net_micros, note.vat_micros) == (2_500_000, 500_000)
    assert [item.open_micros for item in await open_invoices(db, account)] == [(10 + 1) * POUND * 12 // 10]
    with pytest.raises(Refused, match="line 2 of INV000001 has been credited before"):
        await credit(db, 2)
    rest = await credit(db)
    assert rest.places == (0, 2)
    with pytest.raises(Refused, match="all of INV000001"):
        await credit(db)
    assert await balance(db, account) == 0


@in_database
async def test_two_who_credit_at_once_give_back_once(db: asyncpg.Pool) -> None:
    account = await invoiced(db)
    done = await asyncio.gather(*[credit(db) for _ in range(4)], return_exceptions=True)
    assert sorted(type(found).__name__ for found in done) == ["Document", "Refused", "Refused", "Refused"]
    assert await balance(db, account) == 0


@in_database
async def test_a_note_for_an_invoice_that_was_paid_is_money_for_the_next(db: asyncpg.Pool) -> None:
    account = await invoiced(db)
    total = (await find_document(db, "INV000001")).total_micros
    await add_payment(db, account, total)
    note = await credit(db, 1)
    assert await free_micros(db, account) == note.total_micros == await balance(db, account)


@in_database
async def test_what_cannot_be_credited_is_refused(db: asyncpg.Pool) -> None:
    await invoiced(db)
    with pytest.raises(Refused, match="lines 1 to 3, no line 4"):
        await credit(db, 4)
    with pytest.raises(Refused, match="no invoice 'INV000009'"):
        await credit_invoice(db, CONF, "INV000009", reason="x", today=TODAY)
    with pytest.raises(InvalidValue, match="reason"):
        await credit_invoice(db, CONF, "INV000001", reason="", today=TODAY)
    note = await credit(db)
    with pytest.raises(Refused, match="credit note itself"):
        await credit_invoice(db, CONF, note.number, reason="x", today=TODAY)


@in_database
async def test_m17_an_issued_document_can_be_neither_altered_nor_deleted(db: asyncpg.Pool) -> None:
    """Kept for HMRC's six years and in the customer's reach for more than twelve months: nothing can take it away."""
    await invoiced(db)
    for statement in (
        "UPDATE invoices SET total_micros = total_micros",
        "DELETE FROM invoices",
        "TRUNCATE invoices CASCADE",
        "DELETE FROM invoiced",
        "UPDATE allocations SET amount_micros = 1",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await db.execute(statement)


amounts = st.lists(
    st.tuples(st.integers(1, 10**8), st.sampled_from([None, 500, 2000])), min_size=1, max_size=8
)


@given(amounts, st.sampled_from(list(VatMode)), st.sampled_from(list(VatRounding)), st.randoms())
def test_lines_given_back_one_by_one_come_to_the_invoice(
    lines: list[tuple[int, int | None]], mode: VatMode, policy: VatRounding, random: object
) -> None:
    charges = [Charge(*line) for line in lines]
    found = reckon(charges, mode, policy)
    nets = net_amounts(charges, found.shown_micros, mode)
    invoice = document(
        mode,
        policy,
        tuple(
            Line(f"line {place}", charge.rate, charge.micros, shown, net)
            for place, (charge, shown, net) in enumerate(zip(charges, found.shown_micros, nets, strict=True))
        ),
    )
    order = list(range(len(lines)))
    random.shuffle(order)  # type: ignore[attr-defined]
    notes: list[Document] = []
    for place in order:
        rates = credit_rates(invoice, notes, (place,))
        note = document(mode, policy, (invoice.lines[place],), places=(place,), rates=rates)
        assert all(total.net_micros >= 0 and total.vat_micros >= 0 for total in rates)
        notes.append(note)
    assert sum(note.net_micros for note in notes) == invoice.net_micros
    assert sum(note.vat_micros for note in notes) == invoice.vat_micros


def document(
    mode: VatMode,
    policy: VatRounding,
    lines: tuple[Line, ...],
    *,
    places: tuple[int, ...] = (),
    rates: object = None,
) -> Document:
    charges = [Charge(line.exact_micros, line.rate) for line in lines]
    totals = rates if rates is not None else reckon(charges, mode, policy).rates
    net = sum(total.net_micros for total in totals)  # type: ignore[attr-defined]
    vat = sum(total.vat_micros for total in totals)  # type: ignore[attr-defined]
    day = datetime.date(2026, 11, 2).isoformat()
    made = Document(
        DocumentKind.INVOICE, Form.FULL, "INV000001", day, day, SELLER, Addressee("A", "A"), mode, lines,
        totals, net, vat, net + vat, policy.value, places=places,  # type: ignore[arg-type]
    )  # fmt: skip
    assert rates is not None or sum_problems(made) == []
    return made
