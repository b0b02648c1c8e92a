"""What bundles would do for a call that is only asked about, in words. On a copy of the account, so nothing moves."""

from typing import TYPE_CHECKING, Final

from rating.engine import Engine, Shortage

if TYPE_CHECKING:
    from switch.calls.terms import Price

FIRST_S: Final = 60


def bundle_words(engine: Engine, price: "Price", number: str | None, at_ms: int) -> str:
    """For its first minute; "" where no bundle is for it, or not even that could be paid."""
    assert price.account_id is not None
    assert price.rate is not None
    purse = Engine()
    engine.lend(price.account_id, purse)
    held = purse.reserve(
        "explained", price.account_id, price.rate, initial_ahead_s=FIRST_S, at_ms=at_ms, number=number
    )
    if isinstance(held, Shortage) or held.cover is None:
        return ""
    names = {totals.terms.id: totals.terms.name for totals in engine.bundles.of_account(price.account_id, at_ms)}
    words = [
        f"{piece.seconds} s of '{names.get(piece.bundle_id, '')}' ({piece.bundle_id})" for piece in held.cover.pieces
    ]
    if held.cover.percent:
        words.append(f"{held.cover.percent} % off what costs money")
    return ", then ".join(words)
