"""Whatever calls do at once, and wherever a process dies: no bundle is overdrawn, none forgets."""

import random

import hypothesis.strategies as st
import msgspec
from hypothesis import given, settings

from rating.bundle_terms import BundleTerms, Used
from rating.cover import settle_covered
from rating.engine import AccountTerms, Engine, Reservation
from rating.money import VatMode
from rating.rate import Rate
from rating.special_terms import BandPrices, ServiceCharge, SpecialTerms
from rating.time_bands import TimeBands
from tests.rating.bundle_terms import AT_MS, bundle
from tests.rating.rates import make_rate

CALLS = 200
NUMBERS = [f"+44163296000{digit}" for digit in range(6)]

def with_service_charge(rate: Rate) -> Rate:
    """A bundle pays no part of it."""
    service = ServiceCharge(
        code="SC1", access_per_minute=rate.per_minute_micros, per_call=7_000, per_minute=9_999, covers_s=0
    )
    return msgspec.structs.replace(rate, special=SpecialTerms(service=service))


def in_bands(rate: Rate) -> Rate:
    """Ten times as dear from 100 s on, and free from 300 s on."""
    bands = TimeBands(["dear", "free"], [0, AT_MS + 100_000, AT_MS + 300_000], [0, 1, 2])
    per_minute, fee = rate.per_minute_micros, rate.connect_fee_micros
    banded = BandPrices(bands, (per_minute, 10 * per_minute, 0), (fee, 2 * fee, 0))
    return msgspec.structs.replace(rate, special=SpecialTerms(banded=banded))


bundles = st.builds(
    lambda seconds, increment_s, fee, ends_s, carry_s, priority, limit: {
        "seconds": seconds,
        "increment_s": increment_s,
        "connect_fee_micros": fee,
        "expires_at_ms": None if ends_s is None else AT_MS + ends_s * 1000,
        "carry_until_ms": None if ends_s is None or not carry_s else AT_MS + (ends_s + 300) * 1000,
        "carry_max_s": 0 if ends_s is None else carry_s,
        "priority": priority,
        "destinations_max": limit,
    },
    st.integers(1, 4_000),
    st.sampled_from([1, 6, 20, 60]),
    st.sampled_from([0, 0, 10_000]),
    st.sampled_from([None, 60, 301]),
    st.sampled_from([0, 0, 50]),
    st.integers(0, 2),
    st.sampled_from([0, 0, 3]),
)
plain_rates = st.builds(
    lambda fee, per_minute, initial_s, next_s: make_rate(
        connect_fee=fee, per_minute=per_minute, initial_s=initial_s, next_s=next_s
    ),
    st.sampled_from([0, 7_000]),
    st.sampled_from([1, 59, 12_000, 100_000]),
    st.sampled_from([1, 60]),
    st.sampled_from([1, 6, 60]),
)


rates = st.one_of(plain_rates, plain_rates.map(in_bands), plain_rates.map(with_service_charge))


class Books:
    """The engine and its journal on paper: what was used, so that another process can begin from it."""

    def __init__(self, terms: list[BundleTerms], balance: int) -> None:
        self.terms = terms
        self.put_in = balance
        self.spent = 0
        self.used: list[Used] = []
        self.live: dict[str, Reservation] = {}
        self.engine = self._fresh(shipped=0)

    def _fresh(self, shipped: int) -> Engine:
        """From a snapshot that has the first `shipped` uses, and the journal above it."""
        engine = Engine(reservations_per_account_max=CALLS)
        engine.set_account(AccountTerms(id=1, vat=VatMode.INC_VAT, floor_micros=0, is_suspended=False))
        engine.load_balance(1, self.put_in - self.spent, 0)
        books, above = self.used[:shipped], self.used[shipped:]
        for one in above[::2]:  # some of it before the grants are known
            engine.bundles.use(one)
        for terms in self.terms:
            mine = [one for one in books if one.bundle_id == terms.id]
            engine.bundles.load(
                terms,
                used_s=sum(one.seconds for one in mine),
                carried_s=sum(one.carried_s for one in mine),
                destinations=[one.number for one in mine if one.number],
            )
        for one in above[1::2]:
            engine.bundles.use(one)
        return engine

    def crash(self, chance: random.Random) -> None:
        """Every call that is up is settled from its open record; the next process begins with what that comes to."""
        for key in sorted(self.live):
            held = self.live.pop(key)
            duration_ms = chance.randrange(held.granted_s * 1000 + 900)
            if held.cover is None:
                self.spent += self.engine.cost(key, duration_ms).total_micros
                continue
            charged, used = settle_covered(
                held.rate,
                duration_ms,
                granted_s=held.granted_s,
                pieces=held.cover.pieces,
                percent=held.cover.percent,
                at_ms=held.at_ms,
            )
            assert charged == self.engine.cost(key, duration_ms)
            self.spent += charged.total_micros
            self.used += used
        self.engine = self._fresh(shipped=chance.randrange(len(self.used) + 1))

    def check(self) -> None:
        totals = self.engine.totals(1)
        assert totals is not None
        assert totals.balance_micros == self.put_in - self.spent
        assert totals.available_micros >= 0
        assert totals.reserved_micros == sum(held.reserved_micros for held in self.live.values())
        for terms in self.terms:
            live = self.engine.bundles._bundles[terms.id]
            mine = [one for one in self.used if one.bundle_id == terms.id]
            pieces = [
                piece
                for held in self.live.values()
                if held.cover is not None
                for piece in held.cover.pieces
                if piece.bundle_id == terms.id
            ]
            assert live.used_s == sum(one.seconds for one in mine)
            assert live.carried_s == sum(one.carried_s for one in mine)
            assert live.reserved_s == sum(piece.seconds for piece in pieces)
            assert live.carried_reserved_s == sum(piece.seconds for piece in pieces if piece.is_carried)
            assert live.used_s + live.reserved_s <= terms.granted_s
            assert live.carried_s + live.carried_reserved_s <= terms.carry_max_s
            if terms.destinations_max:
                called = {one.number for one in mine} | {piece.number for piece in pieces}
                assert len(called) <= terms.destinations_max


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    grants=st.lists(bundles, min_size=1, max_size=4),
    balance=st.sampled_from([0, 30_000, 5_000_000]),
    rate=rates,
)
def test_two_hundred_parallel_calls_never_overdraw_a_bundle_whatever_dies(
    seed: int, grants: list[dict[str, object]], balance: int, rate: Rate
) -> None:
    chance = random.Random(seed)
    books = Books([bundle(number, **facts) for number, facts in enumerate(grants, 1)], balance)
    begun = 0

    def begin() -> None:
        nonlocal begun
        begun += 1
        key = f"call {begun}"
        held = books.engine.reserve(
            key, 1, rate, initial_ahead_s=chance.randrange(1, 90), at_ms=AT_MS + chance.randrange(400_000),
            number=chance.choice(NUMBERS),
        )  # fmt: skip
        if isinstance(held, Reservation):
            books.live[key] = held

    for _ in range(CALLS):
        begin()
    books.check()
    for _ in range(300):
        what = chance.random()
        if what < 0.02:
            books.crash(chance)
        elif what < 0.2 or not books.live:
            begin()
        else:
            key = chance.choice(sorted(books.live))
            held = books.live[key]
            if what < 0.3:
                granted_s = books.engine.start(key, held.at_ms + chance.randrange(60_000))
            elif what < 0.6:
                granted_s = books.engine.extend(key, until_s=held.granted_s + chance.randrange(90))
                assert granted_s >= held.granted_s
            elif what < 0.7:
                books.engine.release(key)
                del books.live[key]
                continue
            else:
                settled = books.engine.settle(key, chance.randrange(held.granted_s * 1000 + 900))
                books.spent += settled.charge.total_micros
                books.used += settled.used
                assert sum(one.seconds for one in settled.used) <= settled.charge.billed_s
                del books.live[key]
                continue
            again = books.engine.reservation(key)
            assert again is not None
            assert again.granted_s == granted_s
            books.live[key] = again
    books.check()
    books.crash(chance)
    books.check()
    assert books.engine.bundles.reserved_s == 0


@settings(max_examples=100, deadline=None)
@given(
    ahead_s=st.lists(st.integers(1, 100), min_size=1, max_size=20),
    seconds=st.integers(1, 600),
    increment_s=st.sampled_from([1, 20, 60]),
    talk_ms=st.integers(0, 700_000),
    rate=rates,
    percent=st.sampled_from([0, 25]),
)
def test_what_is_held_step_by_step_is_what_the_whole_call_costs(
    ahead_s: list[int], seconds: int, increment_s: int, talk_ms: int, rate: Rate, percent: int
) -> None:
    grants = [bundle(1, seconds, increment_s=increment_s)]
    if percent:
        grants.append(bundle(2, 0, percent=percent))
    stepped, at_once = Books(grants, 10**9).engine, Books(grants, 10**9).engine
    held = stepped.reserve("call", 1, rate, initial_ahead_s=ahead_s[0], at_ms=AT_MS)
    assert isinstance(held, Reservation)
    for more_s in ahead_s[1:]:
        stepped.extend("call", until_s=stepped.reservation("call").granted_s + more_s)
    granted_s = stepped.reservation("call").granted_s
    at_once.reserve("call", 1, rate, initial_ahead_s=granted_s, at_ms=AT_MS)
    duration_ms = min(talk_ms, granted_s * 1000)
    assert stepped.reservation("call").reserved_micros == at_once.reservation("call").reserved_micros
    one, other = stepped.settle("call", duration_ms), at_once.settle("call", duration_ms)
    assert (one.charge, one.used) == (other.charge, other.used)
