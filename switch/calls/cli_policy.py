"""What a carrier says of the caller, and what of it goes on: the rules of [cli], one table. Pure.

Each number that breaks a rule meets the rule's action; of two, the harder one is the verdict (Ofcom GC C6.6 and its
guidance on numbers from abroad). Calls to emergency services are never brought here. A call that may not go on keeps
its numbers for the record; nothing that is said about it names them.

    invalid              no number, or not as long as UK numbers are (10 or 11 digits with the 0)
    not_in_use           a UK range that nobody has, by our number plan
    premium              09 is prohibited as a CLI
    do_not_originate     on the list of numbers that only receive calls
    uk_from_abroad       a UK number on a trunk with origin = "international"
    intl_447_policy      ... that is a mobile's: it may be a roaming customer
    missing              no number at all; missing_from_abroad on an international trunk
"""

from typing import Final

import msgspec

from switch.calls import refusal
from switch.calls.identity import NOTHING_DECIDED, CallerId, Claim, CliDecision
from switch.calls.number_plan import COUNTRY, NumberClass, NumberPlan
from switch.calls.refusal import Refusal
from switch.conf_cli import Action, CliRules
from switch.conf_trunks import Origin, Trunk

UK_LENGTHS: Final = (9, 10)  # without the 0: Ofcom wants 10 or 11 digits as dialled

_WORDS: Final = {
    "invalid": "the caller's number is no valid number",
    "not_in_use": "the caller's number is of a range that is not in use",
    "premium": "the caller's number is a premium rate number",
    "do_not_originate": "the caller's number is one that makes no calls",
    "uk_from_abroad": "a UK number on a call from abroad",
    "intl_447_policy": "a UK mobile number on a call from abroad",
    "missing": "the call has no number",
    "missing_from_abroad": "the call from abroad has no number",
}
_BLOCKED: Final[dict[str, Refusal]] = {
    rule: msgspec.structs.replace(refusal.CLI_BLOCKED, words=f"{rule}: {words}")
    for rule, words in _WORDS.items()
}
RULES: Final = tuple(_WORDS)
# Not a rule that was broken, but the record says who withheld.
_BY_NETWORK: Final = CliDecision(words="withheld by the calling network")
_SEVERITY: Final = {Action.PASS: 0, Action.WITHHOLD: 1, Action.STRIP: 2, Action.BLOCK: 3}


def screen_claim(
    claim: Claim, trunk: Trunk, rules: CliRules, plan: NumberPlan, *, is_emergency_callback: bool = False
) -> tuple[CallerId, CliDecision]:
    """The caller as it goes on, and what was decided."""
    network, presentation, is_withheld = claim.network, claim.presentation, claim.is_withheld
    first = _broken_rule(network, trunk, rules, plan, is_unreadable=claim.is_network_unreadable)
    second = ""
    if presentation != network or claim.is_presentation_unreadable:
        second = _broken_rule(
            presentation, trunk, rules, plan, is_unreadable=claim.is_presentation_unreadable
        )
    if not first and not second and network:
        caller_id = _passed(
            network,
            presentation,
            rules,
            is_withheld=is_withheld,
            is_emergency_callback=is_emergency_callback,
        )
        return caller_id, _BY_NETWORK if is_withheld else NOTHING_DECIDED
    rule = _worse(first, second, rules)
    if not rule and not network and not presentation:
        rule = "missing_from_abroad" if trunk.origin is Origin.INTERNATIONAL else "missing"
    action = Action.PASS if is_emergency_callback or not rule else _action(rule, rules)
    if action is Action.BLOCK:
        caller_id = CallerId(network, presentation, is_withheld)
        return caller_id, CliDecision(rule, action.value, f"cli {rule}: block", _BLOCKED[rule])
    if action is Action.STRIP:
        network, presentation = _stripped(network, presentation, first, second, rules)
    is_hidden = action is not Action.PASS and (_hides(first, rules) or _hides(second, rules))
    caller_id = _passed(
        network,
        presentation,
        rules,
        is_withheld=is_withheld or is_hidden,
        is_emergency_callback=is_emergency_callback,
    )
    if not rule:
        return caller_id, NOTHING_DECIDED
    return caller_id, CliDecision(rule, action.value, f"cli {rule}: {action.value}")


def _broken_rule(number: str, trunk: Trunk, rules: CliRules, plan: NumberPlan, *, is_unreadable: bool) -> str:
    """The rule that a number breaks, "" for none. No number breaks none by itself."""
    if is_unreadable:
        return "invalid"
    if not number:
        return ""
    if number in rules.listed:
        return "do_not_originate"
    if not number.startswith(COUNTRY):
        return ""
    is_from_abroad = trunk.origin is Origin.INTERNATIONAL
    if number.startswith(rules.inserted_ranges):
        # Another network's stand-in; the first network in the UK puts it in, so none comes from abroad.
        return "uk_from_abroad" if is_from_abroad else ""
    nsn = number[len(COUNTRY) :]
    number_range = plan.ranges.longest(nsn)
    if number_range is None or number_range.number_class is NumberClass.NOT_IN_USE:
        return "not_in_use"
    if len(nsn) not in UK_LENGTHS or len(nsn) not in number_range.lengths:
        return "invalid"
    if number_range.number_class is NumberClass.PREMIUM:
        return "premium"
    if is_from_abroad:
        return "intl_447_policy" if number_range.number_class is NumberClass.MOBILE else "uk_from_abroad"
    return ""


def _action(rule: str, rules: CliRules) -> Action:
    action: Action = Action(getattr(rules, rule).value)
    return action


def _worse(first: str, second: str, rules: CliRules) -> str:
    """Of two broken rules the one with the harder action; the network number's where they are alike."""
    if not first or not second:
        return first or second
    return second if _SEVERITY[_action(second, rules)] > _SEVERITY[_action(first, rules)] else first


def _stripped(network: str, presentation: str, first: str, second: str, rules: CliRules) -> tuple[str, str]:
    """Without the numbers whose rule says so. Where both are one number, it is gone as both."""
    if first and _action(first, rules) is Action.STRIP:
        presentation = "" if presentation == network else presentation
        network = ""
    if second and _action(second, rules) is Action.STRIP:
        presentation = ""
    return network, presentation


def _hides(rule: str, rules: CliRules) -> bool:
    return rule != "" and _action(rule, rules) is Action.WITHHOLD


def _passed(
    network: str, presentation: str, rules: CliRules, *, is_withheld: bool, is_emergency_callback: bool
) -> CallerId:
    """With a stand-in for a network number that is missing. A stand-in is never shown."""
    if rules.is_stand_in(presentation):
        presentation = ""
    return CallerId(
        network or rules.inserted_number,
        presentation,
        is_withheld,
        is_emergency_callback=is_emergency_callback,
    )
