"""What the books say of accounts' money, brought into the engine: the terms, the balance, the credits since.

A credit that the switch was told of stays in the journal (`k/<account>/<credit_seq>`) until a checkpoint has it, so
that a restart without the books still knows it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rating.account import AccountTerms

if TYPE_CHECKING:
    from provisioning.model import Account, CreditRow, Snapshot
    from rating.engine import Engine
    from switch.calls.switchboard import Put

CREDIT_KEY: Final = "k/"


def load_balances(
    engine: "Engine",
    snapshot: "Snapshot",
    usage_since: Mapping[int, int],
    credits_since: Mapping[int, list[tuple[int, int]]],
) -> None:
    """The books' accounts and balances, then what the journal has above them."""
    for account in snapshot.accounts:
        set_account(engine, account)
    for balance in snapshot.balances:
        engine.load_balance(balance.account_id, balance.balance_micros, balance.credit_seq)
    for account_id, rows in credits_since.items():
        for credit_seq, amount_micros in sorted(rows):
            engine.apply_credit(account_id, credit_seq, amount_micros)
    for account_id, amount_micros in usage_since.items():
        if engine.totals(account_id) is not None:
            engine.debit_usage(account_id, amount_micros)


def set_account(engine: "Engine", account: "Account") -> None:
    terms = AccountTerms(
        id=account.id,
        vat=account.vat,
        floor_micros=account.floor_micros,
        is_suspended=account.is_suspended,
        daily_cap_micros=account.settings.daily_cap_micros,
        monthly_cap_micros=account.settings.monthly_cap_micros,
    )
    engine.set_account(terms)


def take_credit(engine: "Engine", credit: "CreditRow") -> "Put | None":
    """A top-up counts at once. What the journal has to keep of it; None: it was known."""
    if not engine.apply_credit(credit.account_id, credit.credit_seq, credit.amount_micros):
        return None
    key = f"{CREDIT_KEY}{credit.account_id}/{credit.credit_seq}"
    return key, str(credit.amount_micros).encode()
