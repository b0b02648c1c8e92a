"""A reservation of seconds and money together: begun, renewed, begun anew at the answer, settled.

For accounts that have bundles, when one of them is for the call. Bundles come first: a call draws on them from its
first second on, by as much as is wanted, and only what they do not reach for is money. As soon as money is held for a
second of the call it stays on money to its end, so that what was held step by step is what the whole call costs; until
then each renewal draws on whatever bundle is there by then, a new one too. Moves what it says on the account, and
returns the reservation as it is now; the engine keeps it.
"""

import msgspec

from rating.account import LiveAccount
from rating.bundle import AccountBundles
from rating.bundle_terms import Used
from rating.charge import Charge, whole_intervals_s
from rating.cover import Cover, charge_covered, grantable_covered_s, settle_covered
from rating.money import Micros
from rating.rate import Rate
from rating.reservation import Reservation


def begin(
    account: LiveAccount, call_id: str, rate: Rate, *, number: str, at_ms: int, wanted_s: int
) -> Reservation | None:
    """None: no bundle helps, and nothing has moved. The account has been found fit for a call."""
    bundles = _bundles(account)
    cover = bundles.cover(rate, number, at_ms, wanted_s, budget_micros=account.reservable_micros)
    if cover is None:
        return None
    held = _planned(bundles, call_id, account.terms.id, cover, at_ms, wanted_s, account.reservable_micros)
    if held.granted_s == 0:
        bundles.give_back(cover)
        return None
    account.reserve(held.reserved_micros)
    return held


def begin_anew(account: LiveAccount, held: Reservation, at_ms: int) -> Reservation:
    """The first second is at `at_ms`, not when it was thought to be. It may have become shorter, down to nothing."""
    before = held.cover
    assert before is not None
    bundles = _bundles(account)
    bundles.give_back(before)
    budget_micros = held.reserved_micros + max(0, account.reservable_micros)
    cover = bundles.cover(before.rate, before.number, at_ms, held.granted_s, budget_micros=budget_micros)
    if cover is None:
        cover = Cover(before.rate, before.number, (), 0)
    new = _planned(bundles, held.call_id, held.account_id, cover, at_ms, held.granted_s, budget_micros)
    account.adjust(held.reserved_micros, new.reserved_micros)
    return new


def renew(account: LiveAccount, held: Reservation, wanted_s: int) -> Reservation:
    """Until second `wanted_s`, or as far as bundles and money reach; `held` itself where that is no further."""
    cover = held.cover
    assert cover is not None
    if 0 < held.granted_s <= cover.seconds:  # it began covered, and no second of it is money's yet
        cover = _bundles(account).lengthen(cover, held.at_ms, wanted_s)
    budget_micros = held.reserved_micros + account.reservable_micros
    granted_s = _grantable_s(held.rate, cover, held.at_ms, wanted_s, budget_micros)
    if granted_s <= held.granted_s:
        return held
    reserved_micros = _micros(held.rate, cover, held.at_ms, granted_s)
    account.extend(reserved_micros - held.reserved_micros)
    return msgspec.structs.replace(held, granted_s=granted_s, reserved_micros=reserved_micros, cover=cover)


def cost(held: Reservation, duration_ms: int) -> tuple[Charge, tuple[Used, ...]]:
    """What it comes to if it ends after so long."""
    cover = held.cover
    assert cover is not None
    return settle_covered(
        held.rate,
        duration_ms,
        granted_s=held.granted_s,
        pieces=cover.pieces,
        percent=cover.percent,
        at_ms=held.at_ms,
    )


def next_interval_micros(held: Reservation) -> Micros:
    """What the interval after the paid ones would cost in money."""
    cover = held.cover
    assert cover is not None
    further_s = whole_intervals_s(held.rate, held.granted_s + 1)
    return _micros(held.rate, cover, held.at_ms, further_s) - held.reserved_micros


def _planned(
    bundles: AccountBundles,
    call_id: str,
    account_id: int,
    cover: Cover,
    at_ms: int,
    wanted_s: int,
    budget_micros: Micros,
) -> Reservation:
    rate = bundles.rate_of(cover, at_ms)
    granted_s = _grantable_s(rate, cover, at_ms, wanted_s, budget_micros)
    return Reservation(
        call_id, account_id, rate, granted_s, _micros(rate, cover, at_ms, granted_s), at_ms=at_ms, cover=cover
    )


def _grantable_s(rate: Rate, cover: Cover, at_ms: int, wanted_s: int, budget_micros: Micros) -> int:
    return grantable_covered_s(
        rate, wanted_s, pieces=cover.pieces, percent=cover.percent, at_ms=at_ms, budget_micros=budget_micros
    )


def _micros(rate: Rate, cover: Cover, at_ms: int, seconds: int) -> Micros:
    return charge_covered(rate, seconds, pieces=cover.pieces, percent=cover.percent, at_ms=at_ms).total_micros


def _bundles(account: LiveAccount) -> AccountBundles:
    bundles = account.bundles
    assert bundles is not None, "a covered call of an account that has no bundles"
    return bundles
