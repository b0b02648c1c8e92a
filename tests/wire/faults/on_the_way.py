"""Faults of carriers, of diverts, and of what a caller may and can pay for."""

import time

from provisioning.model import DivertCondition, DivertKind
from tests.wire.faults import scripts
from tests.wire.faults.desk import CALLING_CARRIERS, UNROUTED, Desk
from tests.wire.faults.fault import Fault, dial

OTHER = "another operator"
USE = "customer's use"
PREMIUM = "09098790123"
# Longer than the credit of who has only a little.
OUT_OF_CREDIT_S = 30.0


def dead_carrier(desk: Desk) -> str:
    """Nothing comes back from it."""
    return _calls_behind(desk, "silent", 408)


def carrier_says_503(desk: Desk) -> str:
    return _calls_behind(desk, "says_503", 500)


def carrier_says_500(desk: Desk) -> str:
    return _calls_behind(desk, "says_500", 500)


def carrier_is_congested(desk: Desk) -> str:
    """503 with the cause that says why: no circuit."""
    return _calls_behind(desk, "says_congestion", 500)


def carrier_knows_no_such_number(desk: Desk) -> str:
    """404 with Q.850 cause 1."""
    return _calls_behind(desk, "says_404", 404)


def carrier_forbids(desk: Desk) -> str:
    return _calls_behind(desk, "says_403", 403)


def both_carriers_fail(desk: Desk) -> str:
    """The first says 503, the second nothing."""
    return _calls_behind(desk, "both_fail", 408)


def rings_late(desk: Desk) -> str:
    """12 seconds until the other network rings."""
    return dial(
        desk,
        "alice",
        desk.behind("rings_late"),
        scripts.dials(offer=scripts.spoken_offer()),
        scripts.hears(200),
        scripts.acknowledges(),
        scripts.plays_sound(),
        scripts.pause(2.0),
        scripts.hangs_up(),
    )


def caller_gives_up(desk: Desk) -> str:
    """100 Trying, and then nothing for ten seconds."""
    return dial(
        desk,
        "alice",
        desk.behind("only_tries"),
        scripts.dials(),
        '<recv response="100"/>',
        scripts.pause(10.0),
        scripts.cancels(),
    )


def diverted_in_a_loop(desk: Desk) -> str:
    """Each of two lines sends its calls to the other."""
    desk.divert("to-and", DivertCondition.ALL, to="fro", kind=DivertKind.LINE)
    desk.divert("fro", DivertCondition.ALL, to="to-and", kind=DivertKind.LINE)
    time.sleep(1.5)
    return dial(desk, "alice", desk.number("to-and"), scripts.dials(), scripts.hears(480))


def diverted_to_a_dead_number(desk: Desk) -> str:
    desk.divert("moved", DivertCondition.ALL, to=desk.behind("says_404"))
    time.sleep(1.5)
    return dial(desk, "alice", desk.number("moved"), scripts.dials(), scripts.hears(480))


def no_credit(desk: Desk) -> str:
    return dial(desk, "penniless", desk.behind("takes"), scripts.dials(), scripts.hears(402))


def credit_ends(desk: Desk) -> str:
    """Credit for three seconds."""
    return _talks_until_hung_up(desk, "nearly-penniless")


def cap_ends_call(desk: Desk) -> str:
    """A daily cap of three seconds, and credit enough."""
    return _talks_until_hung_up(desk, "capped")


def cap_reached(desk: Desk) -> str:
    """A daily cap that does not pay for the first second."""
    return dial(desk, "capped-already", desk.behind("takes"), scripts.dials(), scripts.hears(402))


def barred(desk: Desk) -> str:
    """The line has barred the kind of number that it calls."""
    return dial(desk, "barred", desk.behind("takes"), scripts.dials(), scripts.hears(403))


def account_suspended(desk: Desk) -> str:
    return dial(desk, "suspended", desk.behind("takes"), scripts.dials(), scripts.hears(403))


def too_many_calls(desk: Desk) -> str:
    """A line that may have one call at once, and has it."""
    with desk.sipp(
        "first-call",
        scripts.dials(),
        scripts.hears(200),
        scripts.acknowledges(),
        scripts.pause(4.0),
        scripts.hangs_up(),
        user="one-call",
        dialled=desk.behind("takes"),
    ) as first:
        time.sleep(2.0)
        call_id = dial(desk, "one-call", desk.behind("takes"), scripts.dials(), scripts.hears(403))
        first.exit_code()
    return call_id


def caller_id_refused(desk: Desk) -> str:
    """A carrier brings a call from a premium number: one that nobody can have as his own."""
    return dial(
        desk,
        "brings",
        "44" + desk.numbers["good-bob"].removeprefix("+44"),
        scripts.dials(logs_in=False, shown="+449098790123"),
        scripts.hears(403),
        host=CALLING_CARRIERS,
    )


def unassigned_number_called(desk: Desk) -> str:
    """A carrier brings a call for a number that nobody has here."""
    return dial(
        desk,
        "brings",
        "+441632960999",
        scripts.dials(logs_in=False, shown="+442079460999"),
        scripts.hears(404),
        host=CALLING_CARRIERS,
    )


def no_route(desk: Desk) -> str:
    """A number that no carrier is set for."""
    return dial(desk, "alice", "0" + UNROUTED.removeprefix("+44"), scripts.dials(), scripts.hears(404))


def incomplete_number(desk: Desk) -> str:
    return dial(desk, "alice", "0207946", scripts.dials(), scripts.hears(484))


def _calls_behind(desk: Desk, route: str, status: int) -> str:
    return dial(desk, "alice", desk.behind(route), scripts.dials(), scripts.hears(status))


def _talks_until_hung_up(desk: Desk, user: str) -> str:
    return dial(
        desk,
        user,
        desk.behind("takes"),
        scripts.dials(offer=scripts.spoken_offer()),
        scripts.hears(200),
        scripts.acknowledges(),
        scripts.plays_sound(),
        scripts.is_hung_up(),
        seconds=int(OUT_OF_CREDIT_S),
    )


FAULTS = (
    Fault(make=dead_carrier, named=("carrier-silent",), where=OTHER, software="SIPp"),
    Fault(make=carrier_says_503, named=("carrier-failed",), where=OTHER, software="SIPp"),
    Fault(make=carrier_says_500, named=("carrier-failed",), where=OTHER, software="SIPp"),
    Fault(make=carrier_is_congested, named=("carrier-no-circuit",), where=OTHER, software="SIPp"),
    Fault(make=carrier_knows_no_such_number, named=("number-dead-there",), where=USE, software="SIPp"),
    Fault(make=carrier_forbids, named=("rejected-there",), where=OTHER, software="SIPp"),
    Fault(make=both_carriers_fail, named=("all-carriers-failed",), where=OTHER, software="SIPp"),
    Fault(make=rings_late, named=("post-dial-delay",), where=OTHER, software="SIPp"),
    Fault(make=caller_gives_up, named=("gave-up-in-silence",), where=OTHER, software="SIPp"),
    Fault(make=diverted_in_a_loop, named=("divert-loop",), where=USE, software="SIPp"),
    Fault(make=diverted_to_a_dead_number, named=("divert-dead",), where=USE, software="SIPp"),
    Fault(make=no_credit, named=("no-credit",), where=USE, software="SIPp"),
    Fault(make=credit_ends, named=("credit-ended",), where=USE, software="SIPp"),
    Fault(make=cap_ends_call, named=("spending-cap-reached",), where=USE, software="SIPp"),
    Fault(make=cap_reached, named=("spending-cap",), where=USE, software="SIPp"),
    Fault(make=barred, named=("barred-line",), where=USE, software="SIPp"),
    Fault(make=account_suspended, named=("account-suspended",), where=USE, software="SIPp"),
    Fault(make=too_many_calls, named=("call-limit",), where=USE, software="SIPp"),
    Fault(make=caller_id_refused, named=("cli-refused",), where=OTHER, software="SIPp"),
    Fault(make=unassigned_number_called, named=("number-not-in-use",), where=USE, software="SIPp"),
    Fault(make=no_route, named=("number-not-in-use",), where=USE, software="SIPp"),
    Fault(make=incomplete_number, named=("invalid-number",), where=USE, software="SIPp"),
)
