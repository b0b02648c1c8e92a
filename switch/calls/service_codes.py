"""What the exchange itself does when it is dialled: service codes, and numbers that lead to a service of its own.

A code is looked up by its name (ServiceCode.name: "1571", "*21", "#21"); what it asks for goes with it as its `args`.
The table is the UK's (uk.md j) with services.toml laid over it; `conf_services.py` reads that, `service_decision.py`
says what a code comes to.
"""

import enum
import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from provisioning.model import DivertCondition
from provisioning.problems import InvalidValue
from provisioning.settings import LineSettings
from provisioning.settings_text import LINE_KEYS, changed_line_settings, read_line_assignments
from switch.calls.number_plan import E164, Destination, ServiceCode

if TYPE_CHECKING:
    from switch.config import Conf


class Service(enum.Enum):
    """Own: from the line itself, which has proven who it is. Any: whose messages they are is asked for."""

    OWN_MAILBOX = "own mailbox"
    ANY_MAILBOX = "any mailbox"


class Feature(enum.Enum):
    """What a code is about."""

    DIVERT = "divert"
    LINE = "line"
    SPEED_CALL = "speed_call"
    REMINDER = "reminder"
    LAST_CALLER = "last_caller"
    RING_BACK = "ring_back"
    REDIAL = "redial"
    SERVICES = "services"
    PICK_UP = "pick_up"
    PARK = "park"
    RETRIEVE = "retrieve"
    CONFERENCE = "conference"


class CodeRule(Struct, frozen=True):
    """One row of the table. `what` is a divert's conditions by name, or a setting as it would be typed. `code` is what
    it stands under, where something may follow it without a star."""

    feature: Feature
    action: str = ""
    what: str = ""
    code: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.feature.value, self.what, self.action) if part)


# By the names that the table has for them.
DIVERT_CONDITIONS: Final[dict[str, tuple[DivertCondition, ...]]] = {
    **{condition.value: (condition,) for condition in DivertCondition},
    "not_taken": (DivertCondition.BUSY, DivertCondition.NO_REPLY, DivertCondition.UNREACHABLE),
    "busy_or_no_reply": (DivertCondition.BUSY, DivertCondition.NO_REPLY),
    "every": tuple(DivertCondition),
}
ACTIONS: Final[dict[Feature, tuple[str, ...]]] = {
    Feature.DIVERT: ("set", "check", "cancel", "erase"),
    Feature.SPEED_CALL: ("set", "check", "cancel", "call"),
    Feature.REMINDER: ("set", "check", "cancel", "set_regular", "check_regular", "cancel_regular"),
    Feature.LAST_CALLER: ("say", "erase", "block", "trace"),
    Feature.RING_BACK: ("ask", "cancel"),
    Feature.REDIAL: ("",),
    Feature.SERVICES: ("check",),
    Feature.PICK_UP: ("",),
    Feature.PARK: ("",),
    Feature.RETRIEVE: ("",),
    Feature.CONFERENCE: ("",),
}
# May be followed by so many digits without a star.
# What they come to is a call with somebody, and no words.
NEEDS_NO_VOICE: Final = frozenset({Feature.PICK_UP, Feature.RETRIEVE})
FOLLOWED: Final = frozenset({Feature.PICK_UP, Feature.PARK, Feature.RETRIEVE})
SLOT_DIGITS: Final = {Feature.PARK: 2, Feature.RETRIEVE: 2}
# Stands before a line's number or name: **01632960001.
DIRECTED: Final = "**"
# What only the operator sets, what only the exchange can make, and what has an own code.
NOT_BY_CODE: Final = frozenset({"operator_bars", "presents", "hidden_callers", "speed_dials", "pickup_group"})
EXPECTED: Final = (
    '"divert CONDITION set|check|cancel|erase", "line SETTING=VALUE", "line SETTING?", "speed_call set|check|cancel",'
    ' "reminder set|check|cancel|set_regular|check_regular|cancel_regular",'
    ' "last_caller say|erase|block|trace", "ring_back ask|cancel", "redial",'
    ' "services check", "pick_up", "park", "retrieve", "conference",'
    ' or "" for none'
)
_setting = re.compile(r"([a-z_]{1,40})(\?|=[^=]*|\+=.+|-=.+)").fullmatch


def _diverts(code: str, condition: str) -> dict[str, str]:
    """The fixed line's and the mobile's forms: *21* and **21* set, *#21# asks, #21# switches off, ##21# forgets."""
    return {
        f"*{code}": f"divert {condition} set",
        f"**{code}": f"divert {condition} set",
        f"*#{code}": f"divert {condition} check",
        f"#{code}": f"divert {condition} cancel",
        f"##{code}": f"divert {condition} erase",
    }


def _switch(code: str, setting: str) -> dict[str, str]:
    return {
        f"*{code}": f"line {setting}=yes",
        f"*#{code}": f"line {setting}?",
        f"#{code}": f"line {setting}=no",
    }


def _bar(code: str, what: str) -> dict[str, str]:
    bars = what.split(",")
    return {f"*{code}": f"line bars+={','.join(bars)}", f"#{code}": f"line bars-={','.join(bars)}"}


UK_TABLE: Final[dict[str, str]] = {
    **_diverts("21", "all"),
    **_diverts("61", "no_reply"),
    **_diverts("67", "busy"),
    **_diverts("62", "unreachable"),
    **_diverts("66", "busy_or_no_reply"),  # of System X
    "##002": "divert every erase",
    "#002": "divert every cancel",
    "*#002": "divert every check",
    "##004": "divert not_taken erase",
    "*#004": "divert not_taken check",
    "#004": "divert not_taken cancel",
    "**004": "divert not_taken set",
    "*004": "divert not_taken set",
    **_switch("43", "has_call_waiting"),
    **_switch("227", "rejects_anonymous"),
    **_switch("261", "bars_incoming"),
    # UK networks have no code of their own for it. *78 and *79 are American, and 260 is next to the bar of all calls.
    **_switch("260", "does_not_disturb"),
    # Bars of outgoing calls by BT's classes. 2 (local calls allowed) is no class of its own here; 4 (operator) and 5
    # (star codes) are none either.
    **_bar("341", "all"),
    **_bar("343", "international,premium,directory"),
    **_bar("346", "0908*,0909*,098*"),
    **_bar("347", "premium"),
    "#34": "line bars=",
    "*#34": "line bars?",
    "*#001": "services check",
    "*51": "speed_call set",
    "*#51": "speed_call check",
    "#51": "speed_call cancel",
    "*55": "reminder set",
    "*#55": "reminder check",
    "#55": "reminder cancel",
    "*56": "reminder set_regular",
    "*#56": "reminder check_regular",
    "#56": "reminder cancel_regular",
    "1471": "last_caller say",
    "1475": "last_caller erase",
    "14258": "last_caller block",
    # UK networks trace malicious calls by hand; *57 is what other countries' customers know.
    "*57": "last_caller trace",
    "5": "ring_back ask",
    "#37": "ring_back cancel",
    "**0": "redial",
    # UK networks have no codes for these; so do many PBXs.
    "*8": "pick_up",
    DIRECTED: "pick_up",
    "*68": "park",
    "*69": "retrieve",
    "*3": "conference",
}


class ServiceTable:
    """Codes by their name. `numbers` are those of digits alone, which the number plan must know."""

    __slots__ = ("numbers", "rules")

    def __init__(self, changes: dict[str, CodeRule | None] | None = None) -> None:
        rules: dict[str, CodeRule | None] = {code: read_rule(text) for code, text in UK_TABLE.items()}
        rules.update(changes or {})
        self.rules = {
            code: replace(rule, code=code) if rule.feature in FOLLOWED else rule
            for code, rule in rules.items()
            if rule is not None
        }
        self.numbers = frozenset(code for code in self.rules if code.isdigit())

    def find(self, code: ServiceCode) -> CodeRule | None:
        rule = self.rules.get(code.name)
        if rule is None and is_speed_code(code):
            return SPEED_CALL  # **7, where nothing is stored
        return rule if rule is not None else self._find_longer(code)

    def _find_longer(self, code: ServiceCode) -> CodeRule | None:
        """*695, and **01632960001."""
        if code.args:
            return None
        if code.prefix == DIRECTED:
            return self.rules.get(DIRECTED)
        for digits in (1, 2):
            rule = self.rules.get(code.name[:-digits])
            if rule is not None and digits <= SLOT_DIGITS.get(rule.feature, 0):
                return rule
        return None


SPEED_CALL: Final = CodeRule(Feature.SPEED_CALL, "call")


def is_speed_code(code: ServiceCode) -> bool:
    """**7 and **42."""
    return code.prefix == "**" and len(code.code) <= 2 and not code.args


def read_rule(text: str) -> CodeRule | None:
    """A value of the table; "" is no rule. Raises ValueError."""
    if not text:
        return None
    name, _, rest = text.partition(" ")
    feature = Feature(name)
    if feature is Feature.LINE:
        return _line_rule(rest)
    if feature is Feature.DIVERT:
        condition, _, action = rest.partition(" ")
        if condition not in DIVERT_CONDITIONS or action not in ACTIONS[feature]:
            raise ValueError(text)
        return CodeRule(feature, action, condition)
    if rest not in ACTIONS[feature]:
        raise ValueError(text)
    return CodeRule(feature, rest)


def service_of(destination: Destination, conf: "Conf") -> Service | None:
    """None: it is no service that is offered here."""
    voicemail = conf.voicemail
    if voicemail.sip is None:
        return None
    match destination:
        case ServiceCode(args=()) as code if code.name == voicemail.code:
            return Service.OWN_MAILBOX
        case E164(number=number) if number in voicemail.access_numbers:
            return Service.ANY_MAILBOX
        case _:
            return None


def _line_rule(text: str) -> CodeRule:
    found = _setting(text)
    if found is None or found[1] not in LINE_KEYS or found[1] in NOT_BY_CODE:
        raise ValueError(text)
    if found[2] == "?":
        return CodeRule(Feature.LINE, "check", found[1])
    try:
        assignments = read_line_assignments([text])
        changed_line_settings(LineSettings(), assignments)
    except InvalidValue as problem:
        raise ValueError(str(problem)) from None
    return CodeRule(Feature.LINE, "set", str(assignments[0]))


UK_SERVICES: Final = ServiceTable()
