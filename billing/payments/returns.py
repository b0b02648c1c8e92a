"""Money that goes back: refunds, chargebacks, Direct Debits that failed after they were confirmed.

`take_out` puts the row and the ledger's together, so that what goes back cannot be spent, and `put_back` undoes both.
Neither asks anybody: refund.py and settling.py do. A payment's row and its account are locked in that order of all.
"""

import asyncpg
import msgspec

from billing.open_items import allocate, take_back
from billing.payments.hooks import on_received
from billing.payments.payment import Payment, PaymentState, check_amount, payment_from_row
from billing.payments.provider import ReturnKind
from billing.payments.vat_of_payment import vat_posted, vat_share
from provisioning.ledger import MovementKind, lock_account, post
from provisioning.problems import Refused
from rating.money import format_pounds

_MOVEMENTS = {
    ReturnKind.REFUND: MovementKind.REFUND,
    ReturnKind.CHARGEBACK: MovementKind.CHARGEBACK,
    ReturnKind.FAILURE: MovementKind.CHARGEBACK,
}


class Return(msgspec.Struct, frozen=True):
    """One row of `payment_returns`."""

    id: int
    payment_id: int
    kind: ReturnKind
    amount_micros: int
    vat_micros: int
    state: str
    provider: str
    reference: str | None
    ledger_seq: int
    reason: str
    by: str
    problem: str

    @property
    def is_undone(self) -> bool:
        return self.state == "given_back"


def return_from_row(row: asyncpg.Record) -> Return:
    return Return(
        id=row["id"],
        payment_id=row["payment_id"],
        kind=ReturnKind(row["kind"]),
        amount_micros=row["amount_micros"],
        vat_micros=row["vat_micros"],
        state=row["state"],
        provider=row["provider"],
        reference=row["reference"],
        ledger_seq=row["ledger_seq"],
        reason=row["reason"],
        by=row["by"],
        problem=row["problem"],
    )


async def lock_payment(connection: asyncpg.Connection, payment_id: int) -> Payment:
    """The account first, as everybody does. Raises Refused."""
    account_id = await connection.fetchval("SELECT account_id FROM payments WHERE id = $1", payment_id)
    if account_id is None:
        raise Refused(f"there is no payment {payment_id}")
    await lock_account(connection, account_id)
    return payment_from_row(
        await connection.fetchrow("SELECT * FROM payments WHERE id = $1 FOR UPDATE", payment_id)
    )


async def returns_of(connection: asyncpg.Connection, payment_id: int) -> list[Return]:
    rows = await connection.fetch(
        "SELECT * FROM payment_returns WHERE payment_id = $1 ORDER BY id", payment_id
    )
    return [return_from_row(row) for row in rows]


async def take_out(
    connection: asyncpg.Connection,
    payment: Payment,
    kind: ReturnKind,
    amount_micros: int,
    *,
    state: str,
    reference: str | None = None,
    reason: str = "",
    by: str = "",
) -> Return:
    """Off the account, in the caller's transaction, which has locked the payment. Invoices it had paid are open again.

    Raises Refused when the payment was not received or has not so much left.
    """
    check_amount(amount_micros)
    if payment.state is not PaymentState.RECEIVED:
        raise Refused(f"payment {payment.id} is {payment.state.value}: nothing of it can go back")
    if amount_micros > payment.left_micros:
        raise Refused(
            f"of payment {payment.id} {format_pounds(payment.left_micros)} could still go back,"
            f" not {format_pounds(amount_micros)}"
        )
    vat_micros = await _vat_of_return(connection, payment, amount_micros)
    row = await connection.fetchrow(
        "INSERT INTO payment_returns (payment_id, kind, amount_micros, vat_micros, state, provider, reference,"
        " ledger_seq, reason, by) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9) RETURNING *",
        payment.id,
        kind.value,
        amount_micros,
        vat_micros,
        state,
        payment.provider,
        reference,
        reason,
        by,
    )
    made = return_from_row(row)
    await connection.execute(
        "UPDATE payments SET returned_micros = returned_micros + $2 WHERE id = $1", payment.id, amount_micros
    )
    memo = f"{kind.value} of payment {payment.id}" + (f": {reason}" if reason else "")
    seq = await _move(connection, payment.account_id, made, sign=-1, memo=memo, key="return")
    await take_back(connection, payment.id, amount_micros)
    return msgspec.structs.replace(made, ledger_seq=seq)


async def put_back(
    connection: asyncpg.Connection,
    return_id: int,
    problem: str,
    *,
    states: tuple[str, ...] = ("reserved", "cleared", "done"),
) -> bool:
    """The money is the customer's again: refused, failed after all, or won back. False: it is in none of the `states`
    any more, somebody else has taken it further."""
    found = await connection.fetchrow("SELECT payment_id FROM payment_returns WHERE id = $1", return_id)
    payment = await lock_payment(connection, found["payment_id"])
    row = await connection.fetchrow(
        "UPDATE payment_returns SET state = 'given_back', problem = $2"
        " WHERE id = $1 AND state = ANY($3::text[]) RETURNING *",
        return_id,
        problem,
        list(states),
    )
    if row is None:
        return False
    made = return_from_row(row)
    await connection.execute(
        "UPDATE payments SET returned_micros = returned_micros - $2 WHERE id = $1",
        payment.id,
        made.amount_micros,
    )
    memo = f"{made.kind.value} of payment {payment.id} undone" + (f": {problem}" if problem else "")
    await _move(connection, payment.account_id, made, sign=1, memo=memo, key="return-undone")
    await allocate(connection, payment.account_id)
    await on_received(connection, payment.account_id)
    return True


async def _move(
    connection: asyncpg.Connection, account_id: int, made: Return, *, sign: int, memo: str, key: str
) -> int:
    """The ledger's rows of one return, out (-1) or back (1). The credit_seq of the last."""
    kind = _MOVEMENTS[made.kind]
    posted = await post(
        connection, account_id, kind, sign * made.amount_micros, memo=memo, key=f"{key}:{made.id}"
    )
    if made.vat_micros:
        posted = await post(
            connection,
            account_id,
            MovementKind.VAT,
            -sign * made.vat_micros,
            memo=f"VAT of {memo}",
            key=f"{key}-vat:{made.id}",
        )
    await connection.execute(
        "UPDATE payment_returns SET ledger_seq = $2 WHERE id = $1", made.id, posted.credit_seq
    )
    return posted.credit_seq


async def _vat_of_return(connection: asyncpg.Connection, payment: Payment, amount_micros: int) -> int:
    """So that all parts of a payment together give back all of its VAT, and never more."""
    vat_micros = await vat_posted(connection, payment.id)
    if not vat_micros:
        return 0
    before: int = await connection.fetchval(
        "SELECT coalesce(sum(vat_micros), 0)::bigint FROM payment_returns"
        " WHERE payment_id = $1 AND state <> 'given_back'",
        payment.id,
    )
    gone = payment.returned_micros + amount_micros
    return max(0, vat_share(vat_micros, part_micros=gone, whole_micros=payment.amount_micros) - before)
