"""How much is measured: the whole of it in at most ten minutes, or a quick look in about two. Everything is bounded."""

import msgspec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts of load. Rates in calls or registrations a second."""

    is_quick: bool
    rounds: int  # of each rate, the exchange and Kamailio in turn
    rates: tuple[int, ...]
    load_s: float
    settle_s: float  # after the last call, before CPU time is read: records reach PostgreSQL meanwhile
    registrations: int
    registration_rate: int
    search_load_s: float
    search_steps_max: int
    search_max_s: float  # no further step after this long
    search_growth: float
    lines_max: int
    live_calls: int


FULL = Plan(
    is_quick=False,
    rounds=2,
    rates=(200, 400),
    load_s=10.0,
    settle_s=3.0,
    registrations=4000,
    registration_rate=500,
    search_load_s=5.0,
    search_steps_max=6,
    search_max_s=45.0,
    search_growth=1.3,
    lines_max=100_000,
    live_calls=1000,
)
QUICK = Plan(
    is_quick=True,
    rounds=1,
    rates=(200, 400),
    load_s=5.0,
    settle_s=2.0,
    registrations=1500,
    registration_rate=500,
    search_load_s=3.0,
    search_steps_max=2,
    search_max_s=20.0,
    search_growth=1.5,
    lines_max=5_000,
    live_calls=200,
)
# For bench/training.py, under which a call takes several times its CPU.
TRAINING = Plan(
    is_quick=True,
    rounds=1,
    rates=(50,),
    load_s=30.0,
    settle_s=9.0,  # a call's trace is judged some seconds after its end
    registrations=1000,
    registration_rate=100,
    search_load_s=0.0,
    search_steps_max=0,
    search_max_s=0.0,
    search_growth=1.3,
    lines_max=0,
    live_calls=0,
)
