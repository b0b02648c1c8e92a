"""A reversal at PayPal: the order does not show it, so the news of it is kept, and read again here."""

from collections.abc import Mapping

from billing.payments.provider import ProviderRefused, ReturnKind, ReturnView
from rating.money import MoneyProblem, parse_pounds


def reversal_in(detail: Mapping[str, object]) -> ReturnView | None:
    """What a stored event says of a reversal; None of any other."""
    if not detail.get("reversal"):
        return None
    try:
        amount_micros = abs(parse_pounds(str(detail.get("amount"))))
    except MoneyProblem:
        raise ProviderRefused("a reversal without an amount") from None
    return ReturnView(ReturnKind.CHARGEBACK, str(detail["reversal"]), amount_micros)
