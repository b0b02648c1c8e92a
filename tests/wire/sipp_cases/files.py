"""Short words for the table: where the corpus keeps its files, and the parts that most cases are made of."""

from typing import Any

import msgspec

from sipp_scenarios.scenarios import Leg
from tests.wire.sipp_cases.case import Part, Seat
from tests.wire.sipp_cases.edits import each

SAGHUL = "saghul_sipp-scenarios/sipp_"
DRACHTIO = "drachtio-server/"
PBERTERA = "pbertera_SIPp-by-example/"
PATCHED = "_patched_for_debian_sipp_3.6.1/"
KAMAILIO = "kamailio_sipp-module/sipp-scenarios/"
FREESWITCH = "freeswitch_mod_sofia/"
PJPROJECT = "pjproject_tests/scripts-sipp/"
UAC_BASIC = f"{SAGHUL}uac_basic.xml"
UAS_BASIC = f"{SAGHUL}uas_basic.xml"
UAS_SUCCESS = f"{DRACHTIO}uas-success.xml"

ON_NET = "on-net"
OUTSIDE = "+441632"

# What a caller and a callee hear in a call that is answered and that the caller ends.
TALKS = "407 INVITE, 180 INVITE, 200 INVITE, 200 BYE"
TALKS_AS_CARRIER = "180 INVITE, 200 INVITE, 200 BYE"
TALKS_WITHOUT_RINGING = "407 INVITE, 200 INVITE, 200 BYE"
IS_TALKED_TO = "INVITE, ACK, BYE"

TRYING_OPTIONAL = each('<recv response="100"/>', '<recv response="100" optional="true"/>')
WHY_TRYING = "our 100 comes after 200 ms of silence only (RFC 3261 17.2.1), so it is optional"

_UNCONFIRMED = {
    "outcome": "unconfirmed",
    "sip_status": 408,
    "cause": 102,
    "ended_by": "exchange",
    "talk_s": 32.0,
}
# The caller never acknowledged the answer: 64*T1 long, and it costs nothing.
UNCONFIRMED = (Leg(**_UNCONFIRMED, rate=ON_NET), Leg(**_UNCONFIRMED))  # type: ignore[arg-type]


def line(file: str, hears: str = TALKS, **more: Any) -> Part:
    """A line that calls: the script gets a login."""
    return Part(**{"file": file, "seat": Seat.LINE, "login": "INVITE", "hears": hears, **more})


def carrier(file: str, hears: str = TALKS_AS_CARRIER, **more: Any) -> Part:
    """A carrier that calls."""
    return Part(file=file, seat=Seat.CARRIER, hears=hears, **more)


def stranger(file: str, hears: str, **more: Any) -> Part:
    """Somebody without a login, or a phone that registers."""
    return Part(file=file, seat=Seat.STRANGER, hears=hears, **more)


def phone(file: str, hears: str = IS_TALKED_TO, **more: Any) -> Part:
    """A registered phone that is called."""
    return Part(file=file, seat=Seat.LINE, hears=hears, **more)


def trunk(file: str, hears: str = IS_TALKED_TO, **more: Any) -> Part:
    """A carrier that is called."""
    return Part(file=file, seat=Seat.CARRIER, hears=hears, **more)


def failed(
    outcome: str, status: int, cause: int, *, rate: str = ON_NET, ended_by: str = "callee"
) -> tuple[Leg, Leg]:
    """Both legs of a call to which the callee said no."""
    both = {"outcome": outcome, "sip_status": status, "cause": cause, "ended_by": ended_by}
    return Leg(**both, rate=rate), Leg(**both)  # type: ignore[arg-type]


def given_up(
    *, cause: int = 16, by: str = "caller", outcome: str = "cancelled", status: int = 487
) -> tuple[Leg, Leg]:
    """Both legs of a call that nobody answered: the callee is always cancelled by us, and its record says why."""
    return (
        Leg(outcome=outcome, sip_status=status, cause=cause, ended_by=by, rate=ON_NET),
        Leg(outcome=outcome, sip_status=status, cause=cause, ended_by="exchange"),
    )


def never_rang(legs: tuple[Leg, Leg]) -> tuple[Leg, ...]:
    """The same without a word of ringing."""
    return tuple(msgspec.structs.replace(leg, rings=False) for leg in legs)
