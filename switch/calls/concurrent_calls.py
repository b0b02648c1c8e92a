"""How many calls a line, an account and a trunk have at once: the counts that admission holds against their limits.

A call counts from its admission to its end for both lines, for the paying account and for the trunk it came in by, and
for a trunk that it tries from the try to the end. The words of a refusal are no call of anybody's: they have limits of
their own.
"""

from typing import TYPE_CHECKING

from switch.calls.identity import LineCaller, caller_name

if TYPE_CHECKING:
    from switch.calls.admission import Admission
    from switch.calls.call import Call


def count_in(call: "Call", admission: "Admission") -> None:
    """The call begins."""
    _count(call, admission, 1)


def count_out(call: "Call", admission: "Admission") -> None:
    """The call has ended, and with it every trunk it tried is free."""
    if admission.route.is_announcement:
        call.board.voicemail.announcement_ended(caller_name(call.caller))
        return
    _count(call, admission, -1)
    of_trunk = call.board.of_trunk
    for leg in call.callee_legs:
        if leg.trunk is not None:
            of_trunk[leg.trunk.name] -= 1


def leave_line(call: "Call", admission: "Admission") -> None:
    """Diverted: the line that was called may have another call in its place, and make one."""
    route = admission.route
    if route.line is not None and route.holds_line:
        route.holds_line = False
        call.board.of_line[route.line.user] -= 1


def _count(call: "Call", admission: "Admission", step: int) -> None:
    board = call.board
    caller = call.attempt.caller
    if isinstance(caller, LineCaller):
        board.of_line[caller.line.user] += step
        if caller.account is not None:
            board.of_account[caller.account.id] += step
            if admission.route.line is None:
                if step > 0:
                    board.safety.call_begins(call, admission, caller.account.id)
                else:
                    board.safety.call_over(call, admission, caller.account.id)
    else:
        board.of_trunk[caller.trunk.name] += step
    if admission.route.line is not None and admission.route.holds_line:
        board.of_line[admission.route.line.user] += step
