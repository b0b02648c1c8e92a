"""A bundle as the books grant it: inclusive seconds of an account, or a discount, for some destinations and some time.

Kept whole in the checkpoint and in the journal, so these are plain values. Money is micros, times are UTC milliseconds;
the first instant is included, the last is not.
"""

import msgspec

from rating.rate import ON_NET, Rate


class BundleTerms(msgspec.Struct, frozen=True, kw_only=True):
    """One grant. `revision` counts its changes: of two readings the greater holds.

    It is for the destination groups `groups` and for numbers that begin with one of `prefixes` ("on-net": lines of this
    exchange); what begins with one of `except_prefixes` is not in it, unless a longer one of `prefixes` says otherwise.

    `granted_s` are the seconds. What is left of them at `expires_at_ms` (None: never) lives on to `carry_until_ms`, at
    most `carry_max_s` of it; 0 is no carry-over. Seconds are drawn in steps of `increment_s`, and a call that begins on
    the bundle costs `connect_fee_micros` once, in place of the rate's own. `is_fair_use`: sold as unlimited, and
    `granted_s` is the limit of fair use; so are `destinations_max` different numbers (0: any).

    A discount has `percent`, and no seconds.
    """

    id: int
    account_id: int
    revision: int
    name: str
    valid_from_ms: int
    expires_at_ms: int | None
    granted_s: int = 0
    groups: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    except_prefixes: tuple[str, ...] = ()
    carry_until_ms: int | None = None
    carry_max_s: int = 0
    increment_s: int = 1
    connect_fee_micros: int = 0
    priority: int = 0
    is_fair_use: bool = False
    destinations_max: int = 0
    percent: int = 0

    @property
    def is_discount(self) -> bool:
        return self.percent > 0

    @property
    def over_at_ms(self) -> int | None:
        """From when on nothing of it is left, carry-over included."""
        return (
            self.carry_until_ms
            if self.carry_max_s and self.carry_until_ms is not None
            else self.expires_at_ms
        )

    def is_for(self, rate: Rate, number: str) -> bool:
        """Whether it is for calls to `number` ("": nobody knows it) at this rate. The longer prefix decides."""
        if rate.is_for_texts:
            return False
        text = number if number and rate.prefix != ON_NET else rate.prefix
        least = 0 if rate.group in self.groups or rate.destination in self.groups else -1
        return max(least, _longest(self.prefixes, text)) > _longest(self.except_prefixes, text)


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """Seconds of one bundle that a call has set aside, one after the other. `is_carried`: from its carry-over time.
    `number` is what is called, where the bundle limits how many may be; else ""."""

    bundle_id: int
    seconds: int
    increment_s: int
    is_carried: bool
    number: str = ""


class Used(msgspec.Struct, frozen=True, array_like=True):
    """Seconds of a bundle that a call has used up, `carried_s` of them in its carry-over time; `number` as in Piece."""

    bundle_id: int
    seconds: int
    carried_s: int
    number: str = ""


def _longest(prefixes: tuple[str, ...], text: str) -> int:
    """The length of the longest that `text` begins with, -1 if it begins with none."""
    return max((len(prefix) for prefix in prefixes if text.startswith(prefix)), default=-1)
