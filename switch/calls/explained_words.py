"""The words of `offhook route explain` for moves, targets, prices and what comes of them."""

from typing import assert_never

from rating.price_words import price_words
from switch.calls.callee_leg import LegOutcome
from switch.calls.divert import condition_of
from switch.calls.hunt import status_for_caller
from switch.calls.plan_stop import CAME
from switch.calls.refusal import Refusal
from switch.calls.search import Search
from switch.calls.target import LineTarget, Target, TrunkTarget, VoicemailTarget
from switch.calls.terms import Price, Route
from switch.journey.moves import Announce, Came, Deposit, Menu, Move, Queue, Refuse, Ring


def move_text(move: Move) -> str:
    """What a plan does."""
    match move:
        case Ring(places=places, ring_s=ring_s, follows_diverts=follows_diverts):
            who = " and ".join(map(str, places))
            return f"ring {who} for {ring_s} s{', with its diverts' if follows_diverts else ''}"
        case Queue(places=places, wait_s_max=wait_s_max):
            return f"wait for {', '.join(map(str, places))}, {wait_s_max} s at most"
        case Menu(prompt=prompt, choices=choices):
            return f"play '{prompt}' and take {', '.join(choices) or 'no key'}"
        case Deposit(user=user):
            return f"take a message for line {user}"
        case Announce(prompt=prompt, status=status):
            return f"play '{prompt}', then {status}"
        case Refuse(status=status, cause=cause, words=words):
            return f"refuse with {status}, cause {cause}: {words}"
        case _:
            assert_never(move)


def search_text(search: Search, number: str, ring_s: int) -> str:
    """What is done for a line: whom of it, or for it, to ring. `ring_s` is for a search that says no time."""
    target = search.stages[0][0]
    if isinstance(target, VoicemailTarget):
        if search.ends_with:
            return f"play '{target.reason.rpartition('words ')[2]}', then {search.ends_with}"
        return f"take a message for line {target.line.user}" if target.line is not None else f"ask for {target.uri}"
    names = dict.fromkeys(name for stage in search.stages for each in stage for name in [place_of(each, number)])
    return f"ring {' and '.join(names)} for {search.ring_s or ring_s} s"


def place_of(target: Target, number: str) -> str:
    """As a plan names it. `number` is that of the call, where nobody has sent it on."""
    match target:
        case LineTarget(line=line):
            return f"line {line.user}"
        case TrunkTarget(onward=onward):
            return f"number {number if onward is None else onward.route.number}"
        case VoicemailTarget():
            return "voicemail"
        case _:
            assert_never(target)


def target_text(target: Target) -> str:
    flow = target.flow
    at = f"{flow.transport.lower()}:{flow.remote_host}:{flow.remote_port}"
    match target:
        case LineTarget(binding=binding):
            return f"rings {'the phone' if binding is not None else 'its address'} at {at}"
        case TrunkTarget(trunk=trunk):
            return f"{trunk.name} at {at}"
        case VoicemailTarget(uri=uri):
            return f"voicemail at {at}, asked for {uri}"
        case _:
            assert_never(target)


def price_text(price: Price, route: Route) -> str:
    rate = price.rate
    if rate is None or rate.is_free:
        return "free of charge" if not price.tariff else f"free by tariff {price.tariff}"
    where = f"{rate.destination} ({rate.prefix}) for {route.number or 'a line'}"
    return f"tariff {price.tariff}, {where}: {price_words(rate)}"


def outcome_text(outcome: LegOutcome, *, has_rung: bool) -> str:
    """What a search came to, as a plan names it; for its own failures the status."""
    condition = condition_of(outcome, has_rung=has_rung)
    came = Came.FAILED if condition is None else CAME[condition]
    is_short = outcome.is_ours and outcome.status == 402
    return f"{came.value}, {outcome.status}: {outcome.words}" if came is Came.FAILED or is_short else came.value


def told_text(outcome: LegOutcome | Refusal) -> str:
    """What the caller's phone is told."""
    if isinstance(outcome, Refusal):
        return refusal_text(outcome)
    return f"{status_for_caller(outcome)}, cause {outcome.q850_cause}: {outcome.words}"


def refusal_text(refused: Refusal) -> str:
    return f"{refused.status}, cause {refused.q850_cause} ({refused.label}): {refused.words}"
