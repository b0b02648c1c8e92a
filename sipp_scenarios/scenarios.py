"""Every scenario as a value: who plays which file, what is dialled, and what must be on record afterwards.

Each scenario has an account of its own, so that its money can be added up to the micro. A row reads like a test case:
the plan first, the expected record last.
"""

import msgspec

CREDIT = "1.00"

# Drama numbers (Ofcom); the last three digits are the scenario's.
OUTSIDE = "01632 960999"
OUTSIDE_E164 = "+441632960999"
LONDON = "020 7946 0999"  # there is a second carrier for it
EMERGENCY = "141999"


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """What one record says. `talk_s` None: never answered; a leg that nobody pays for has no rate.

    `rings` False: it was answered without a word of ringing.
    """

    outcome: str
    sip_status: int
    cause: int = 16
    ended_by: str
    talk_s: float | None = None
    rate: str = ""
    rings: bool = True


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One call, or one phone's business with the registrar.

    `caller` and `callee` are scenario files. `dials` "" means the callee's own number, one that is assigned here. The
    callee is a registered phone unless its file is a carrier's; `reserve` is the second carrier. `legs` are the
    records, in order. `must_grow` names metrics that this scenario, and nothing else, makes grow. `billed_s` is exact
    where a call is cut.
    """

    name: str
    caller: str
    callee: str = ""
    reserve: str = ""
    dials: str = ""
    credit: str = CREDIT
    legs: tuple[Leg, ...] = ()
    billed_s: int | None = None
    must_grow: tuple[str, ...] = ()

    @property
    def has_carrier_caller(self) -> bool:
        return self.caller.startswith("carrier_")

    @property
    def has_carrier_callee(self) -> bool:
        return self.callee.startswith("carrier_")

    @property
    def is_call(self) -> bool:
        return not self.caller.startswith("phone_")


def answered(
    talk_s: float, *, ended_by: str = "caller", rate: str = "on-net", cause: int = 16
) -> tuple[Leg, Leg]:
    """Both legs of a call that was up: the money is on the caller's."""
    both = {"outcome": "answered", "sip_status": 200, "cause": cause, "ended_by": ended_by, "talk_s": talk_s}
    return Leg(**both, rate=rate), Leg(**both)  # type: ignore[arg-type]


REFUSED_BY_TRUNK = Leg(outcome="failed", sip_status=401, cause=21, ended_by="callee")

SCENARIOS = (
    Scenario(name="registered", caller="phone_registers"),
    Scenario(name="wrong_password", caller="phone_is_refused"),
    Scenario(name="no_such_user", caller="phone_is_refused"),
    Scenario(
        name="malformed", caller="phone_sends_malformed", must_grow=("offhook_sip_refused_at_door_total",)
    ),
    Scenario(name="answered", caller="caller_talks", callee="callee_talks", legs=answered(2.0)),
    Scenario(
        name="busy",
        caller="caller_hears_busy",
        callee="callee_is_busy",
        legs=(
            Leg(outcome="busy", sip_status=486, cause=17, ended_by="callee", rate="on-net"),
            Leg(outcome="busy", sip_status=486, cause=17, ended_by="callee"),
        ),
    ),
    Scenario(
        name="no_answer",
        caller="caller_hears_no_answer",
        callee="callee_is_cancelled",
        legs=(
            Leg(outcome="no_answer", sip_status=480, cause=19, ended_by="exchange", rate="on-net"),
            Leg(outcome="no_answer", sip_status=480, cause=19, ended_by="exchange"),
        ),
    ),
    Scenario(
        name="cancelled",
        caller="caller_cancels",
        callee="callee_is_cancelled",
        legs=(
            Leg(outcome="cancelled", sip_status=487, ended_by="caller", rate="on-net"),
            Leg(outcome="cancelled", sip_status=487, ended_by="exchange"),
        ),
    ),
    Scenario(
        name="no_credit",
        caller="caller_hears_no_credit",
        callee="silent",
        credit="0.015",  # an on-net call costs 0.016 at least
        legs=(Leg(outcome="no_credit", sip_status=402, cause=21, ended_by="exchange", rate="on-net"),),
    ),
    Scenario(
        name="credit_runs_out",
        caller="caller_is_cut",
        callee="carrier_answers",
        dials=OUTSIDE,
        credit="0.035",  # three seconds at a penny each, and half a penny that buys nothing
        legs=answered(3.0, ended_by="credit", rate="+441632"),
        billed_s=3,
    ),
    Scenario(
        name="to_trunk",
        caller="caller_talks",
        callee="carrier_answers",
        dials=OUTSIDE,
        legs=answered(2.0, rate="+441632"),
    ),
    Scenario(
        name="to_trunk_by_password",
        caller="caller_talks",
        callee="carrier_challenges",
        dials=OUTSIDE,
        legs=answered(2.0, rate="+441632"),
    ),
    Scenario(
        name="to_trunk_behind_proxy",
        caller="caller_talks",
        callee="carrier_challenges_as_proxy",
        dials=OUTSIDE,
        legs=answered(2.0, rate="+441632"),
    ),
    Scenario(
        name="hold_at_suspicious_trunk",
        caller="caller_holds",
        callee="carrier_challenges_everything",
        dials=OUTSIDE,
        legs=answered(2.0, rate="+441632"),
    ),
    Scenario(
        name="trunk_refuses_us",
        caller="caller_hears_failure",
        callee="carrier_refuses_password",
        dials=OUTSIDE,
        legs=(
            Leg(outcome="failed", sip_status=500, cause=21, ended_by="callee", rate="+441632"),
            REFUSED_BY_TRUNK,
        ),
    ),
    Scenario(
        name="next_trunk_takes_us",
        caller="caller_talks",
        callee="carrier_refuses_password",
        reserve="carrier_answers",
        dials=LONDON,
        legs=(answered(2.0, rate="+44")[0], REFUSED_BY_TRUNK, answered(2.0)[1]),
    ),
    Scenario(
        name="trunk_to_ddi", caller="carrier_calls", callee="callee_answers", legs=answered(2.0, rate="")
    ),
    Scenario(
        name="emergency",
        caller="caller_talks",
        callee="carrier_answers_emergency",
        dials=EMERGENCY,
        credit="",
        legs=answered(2.0, rate=""),
    ),
    Scenario(
        name="lost_messages",
        caller="caller_loses_messages",
        callee="callee_loses_messages",
        legs=answered(1.7),
        must_grow=(
            "offhook_sip_retransmissions_received_total",
            "offhook_sip_retransmissions_sent_total",
        ),
    ),
    Scenario(name="hold", caller="caller_holds", callee="callee_is_held", legs=answered(2.0)),
    Scenario(
        name="hold_by_callee",
        caller="caller_is_held",
        callee="callee_holds",
        legs=answered(2.0, ended_by="callee"),
    ),
)


def scenario(name: str) -> Scenario:
    """LookupError for a name that is none."""
    return next(found for found in SCENARIOS if found.name == name)
