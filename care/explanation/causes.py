"""What a Q.850 cause and a SIP status say, in plain English. Only what support meets; the rest is named by its number.

Q.850 table 1; RFC 3261 21 and the documents that added to it. A cause says more than the status beside it, but for the
few that stand for "something failed" in general.
"""

from typing import Final

CAUSES: Final = {
    1: "the number is not in use",
    2: "there is no route to the network that was asked for",
    3: "there is no route to the number",
    4: "the number got the special information tone: it is usually not in use",
    6: "the channel was not acceptable",
    16: "normal clearing",
    17: "busy",
    18: "the phone did not respond",
    19: "it rang and nobody answered",
    20: "the phone is switched off or out of reach",
    21: "the call was rejected",
    22: "the number has changed",
    23: "the call was redirected to a new destination",
    25: "the call went round in a circle between networks",
    26: "answered or cleared elsewhere",
    27: "the destination is out of order",
    28: "the number is not complete, or has the wrong format",
    29: "a facility that was asked for was refused",
    31: "cleared without a stated reason",
    34: "no circuit or channel was free",
    38: "the network is out of order",
    41: "a temporary failure",
    42: "the network's equipment is congested",
    43: "some information was discarded on the way",
    44: "the channel that was asked for is not available",
    47: "no resource was available",
    50: "the facility is not subscribed to",
    54: "incoming calls are barred in the closed user group",
    55: "incoming calls are barred there",
    57: "the kind of call is not allowed",
    58: "the kind of call is not available at present",
    63: "the service is not available",
    65: "the kind of sound is not supported",
    69: "a facility that was asked for is not supported",
    70: "only restricted digital information is available",
    79: "the service is not implemented",
    87: "the caller is not a member of the closed user group",
    88: "the two ends have no kind of sound in common",
    95: "the message was invalid",
    96: "something that has to be said was missing",
    97: "the message is not known there",
    102: "no answer came in time (a timer ran out)",
    111: "a protocol error",
    127: "an interworking failure, without a stated cause",
}

STATUSES: Final = {
    300: "it named several other places",
    301: "it has moved for good",
    302: "it sent the call to another place",
    305: "it wants another proxy",
    380: "it named another service",
    400: "it did not understand the request",
    401: "it asks for a login",
    402: "it asks for payment",
    403: "it forbids the call",
    404: "the number is not known there",
    405: "it does not take such requests",
    406: "the answer would not be acceptable",
    407: "it asks for a login",
    408: "no answer came in time",
    410: "the number is gone",
    413: "the request was too large",
    414: "the address was too long",
    415: "it does not understand the kind of sound description",
    416: "it does not know this kind of address",
    420: "it lacks an extension that was asked for",
    421: "it asks for an extension",
    422: "the session timer was too short for it",
    423: "the interval was too brief",
    428: "it asks for a signed identity",
    430: "the connection to the phone was gone",
    433: "it takes no anonymous calls",
    437: "it cannot check the certificate",
    438: "the signed identity is not valid",
    480: "temporarily unavailable",
    481: "it no longer knew the call",
    482: "the call went round in a circle",
    483: "the call had passed too many hops",
    484: "the number is not complete",
    485: "the number is ambiguous",
    486: "busy",
    487: "the call was given up before the answer",
    488: "the sound or codec is not acceptable there",
    489: "it does not know this event",
    491: "another change was under way",
    493: "it cannot decrypt the request",
    500: "an internal error there",
    501: "it has not implemented what was asked",
    502: "a bad answer from the network behind it",
    503: "it is out of service or overloaded",
    504: "the network behind it did not answer in time",
    505: "it does not speak this version of SIP",
    513: "the message was too large for it",
    580: "a precondition failed",
    600: "busy everywhere",
    603: "declined",
    604: "the number exists nowhere",
    606: "the sound or codec is not acceptable there",
    607: "unwanted: the called person rejects this caller",
    608: "rejected by a call blocker",
}
# Causes behind which the status is the better word.
GENERAL_CAUSES: Final = frozenset({0, 16, 31, 41, 127})


def cause_words(cause: int) -> str:
    """ "no circuit or channel was free"; for an unknown one its number."""
    return CAUSES.get(cause, f"Q.850 cause {cause}")


def status_words(status: int) -> str:
    """ "it is out of service or overloaded"; for an unknown one its class."""
    if status in STATUSES:
        return STATUSES[status]
    if not 300 <= status < 700:
        return f"SIP status {status}"
    return ("it sent the call elsewhere", "it refused the request", "it failed", "it declined")[
        status // 100 - 3
    ]


def answer_words(status: int, cause: int) -> str:
    """What a failed leg answered, with its numbers for whoever needs them: "no circuit was free (503, cause 34)"."""
    known = cause in CAUSES and cause not in GENERAL_CAUSES
    words = cause_words(cause) if known else status_words(status)
    numbers = [str(status)] if status else []
    if cause:
        numbers.append(f"cause {cause}")
    return f"{words} ({', '.join(numbers)})" if numbers else words
