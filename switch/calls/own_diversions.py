"""What a leg is told of the lines that sent the call on to it: Diversion (RFC 5806) or History-Info (RFC 7044).

Diversion names the latest first, with why; History-Info the whole way from the number that was called first, with the
causes of RFC 4458. A line that withholds its number is left out towards another line, and marked private towards a
carrier, which has to know whom to ask.
"""

from typing import TYPE_CHECKING, Final

from provisioning.model import DivertCondition
from switch.calls.diversions import DIVERSION, HISTORY_INFO, last_index
from switch.calls.number_plan import NumberFormat, format_number
from switch.calls.passing import Fields
from switch.conf_trunks import DiversionHeader
from switch.sip.uri import escape_user

if TYPE_CHECKING:
    from switch.calls.switchboard import Switchboard
    from switch.calls.terms import Admission, Hop
    from switch.config import Trunk

# RFC 5806 5: why the call did not stay where it was.
REASONS: Final = {
    DivertCondition.ALL: "unconditional",
    DivertCondition.BUSY: "user-busy",
    DivertCondition.NO_REPLY: "no-answer",
    DivertCondition.UNREACHABLE: "unavailable",
    DivertCondition.DECLINED: "deflection",
}
# RFC 4458 2.
CAUSES: Final = {
    DivertCondition.ALL: 302,
    DivertCondition.BUSY: 486,
    DivertCondition.NO_REPLY: 408,
    DivertCondition.UNREACHABLE: 503,
    DivertCondition.DECLINED: 480,
}


def hops_to_line(terms: "Admission", board: "Switchboard") -> Fields:
    """What a line is told."""
    return [
        (DIVERSION, _diversion(hop, NumberFormat.E164_PLUS, board, ""))
        for hop in reversed(terms.hops)
        if not hop.line.withholds_cli
    ]


def hops_to_trunk(
    terms: "Admission", trunk: "Trunk", domain: str, board: "Switchboard", before: Fields
) -> Fields:
    """What a carrier is told, in the form that it takes. `before` is what another carrier told of its call in that
    form: the latest diversion comes first, a history goes on from its last entry (RFC 7044 10.3)."""
    if trunk.diversion is DiversionHeader.DIVERSION:
        return [
            *((DIVERSION, _diversion(hop, trunk.number_format, board, domain)) for hop in reversed(terms.hops)),
            *before,
        ]
    if trunk.diversion is not DiversionHeader.HISTORY_INFO:
        return []
    if not terms.hops:
        return before
    last = last_index(before[-1][1]) if before else ""
    fields: Fields = before.copy() if last else []
    index, cause = f"{last}.1" if last else "1", ""
    for hop in terms.hops:
        private = "?Privacy=history" if hop.line.withholds_cli else ""
        uri = _uri(hop, trunk.number_format, board, domain)
        fields.append((HISTORY_INFO, f"<{uri}{cause}{private}>;index={index}"))
        index, cause = f"{index}.1", f";cause={CAUSES[hop.condition]}"
    number = format_number(terms.route.number, trunk.number_format)
    fields.append((HISTORY_INFO, f"<sip:{number}@{domain}{cause}>;index={index};mp={index[:-2]}"))
    return fields


def _diversion(hop: "Hop", number_format: NumberFormat, board: "Switchboard", domain: str) -> str:
    private = ";privacy=full" if hop.line.withholds_cli else ""
    return f"<{_uri(hop, number_format, board, domain)}>;reason={REASONS[hop.condition]};counter=1{private}"


def _uri(hop: "Hop", number_format: NumberFormat, board: "Switchboard", domain: str) -> str:
    """The number that was called there, else the line's own: a carrier knows no names of lines."""
    number = hop.number or board.books.network_number_of(hop.line)
    user = format_number(number, number_format) if number else escape_user(hop.line.user)
    return f"sip:{user}@{domain or board.domain}"
