"""How many calls a line, an account and a trunk have at once: the counts that admission holds against their limits.

A call counts from its admission to its end for both lines, for the paying account and for the trunk it came in by, and
for a trunk that it tries from the try to the end. A line that diverts it is free again. The words of a refusal are no
call of anybody's: they have limits of their own.
"""

from typing import TYPE_CHECKING

from switch.calls.identity import LineCaller, caller_name

if TYPE_CHECKING:
    from provisioning.model import Line
    from switch.calls.call import Call
    from switch.calls.terms import Admission


def count_in(call: "Call", admission: "Admission") -> None:
    """The call begins."""
    _count(call, 1)
    if isinstance(call.caller, LineCaller):
        hold_line(call, call.caller.line)
    if admission.route.line is None:
        call.board.safety.call_begins(call, admission)


def count_out(call: "Call", admission: "Admission", now: float) -> None:
    """The call has ended, and with it every trunk it tried is free."""
    if admission.route.is_announcement:
        call.board.voicemail.announcement_ended(caller_name(call.caller))
        return
    _count(call, -1)
    for line in call.held_lines.copy():
        leave_line(call, line, now)
    board = call.board
    if admission.route.line is None:
        board.safety.call_over(call, admission)
    for leg in call.callee_legs:
        if leg.trunk is not None:
            board.of_trunk[leg.trunk.name] -= 1
        onward = leg.target.onward
        if onward is not None and onward.price.account_id is not None:
            board.of_account[onward.price.account_id] -= 1
            board.safety.leg_over(leg_key(call, leg.index))


def count_onward(call: "Call", onward: "Admission") -> None:
    """A leg that somebody sends the call on to is a call of the account that pays for it, until the call ends."""
    if onward.price.account_id is not None:
        call.board.of_account[onward.price.account_id] += 1
        call.board.safety.onward_begins(leg_key(call, len(call.callee_legs)), onward, call.caller_leg.setup_at)


def leg_key(call: "Call", index: int) -> str:
    """As its meter's."""
    return f"{call.id}/{index}"


def hold_line(call: "Call", line: "Line") -> None:
    """The line has one call more, this one."""
    call.held_lines.append(line)
    call.board.of_line[line.user] += 1


def leave_line(call: "Call", line: "Line", now: float) -> None:
    """The line is out of the call, and may have another in its place. From now on it rests, for groups that ask."""
    board = call.board
    if line in call.held_lines:
        call.held_lines.remove(line)
        board.of_line[line.user] -= 1
        if board.books.plans:
            board.turns.call_ended(line.user, board.clock.ms(now))


def _count(call: "Call", step: int) -> None:
    board = call.board
    caller = call.attempt.caller
    if not isinstance(caller, LineCaller):
        board.of_trunk[caller.trunk.name] += step
    elif caller.account is not None:
        board.of_account[caller.account.id] += step
