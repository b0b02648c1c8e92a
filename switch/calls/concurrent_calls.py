"""How many calls a line, an account and a trunk have at once: the counts that admission holds against their limits.

A call counts from its admission to its end for both lines, for the paying account and for the trunk it came in by. A
leg counts for the trunk that it tries, and for the account that sent the call there, from the try until nobody rings or
talks there any more: a caller for whom three mobiles are rung in turn is at one of them. A line that diverts the call
is free again. The words of a refusal are no call of anybody's: they have limits of their own.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from switch.calls.identity import LineCaller, caller_name
from switch.calls.target import TrunkTarget

if TYPE_CHECKING:
    from provisioning.model import Line
    from switch.calls.call import Call
    from switch.calls.callee_leg import CalleeLeg
    from switch.calls.switchboard import Switchboard
    from switch.calls.target import Target
    from switch.calls.terms import Admission


def count_in(call: "Call", admission: "Admission") -> None:
    """The call begins."""
    _count(call, 1)
    if isinstance(call.caller, LineCaller):
        hold_line(call, call.caller.line)
    if admission.route.line is None:
        call.board.safety.call_begins(call, admission)


def count_out(call: "Call", admission: "Admission", now: float) -> None:
    """The call has ended."""
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
        count_leg_out(leg)
        if leg.target.onward is not None:
            board.safety.onward_over(call.rows[leg.index], leg.target.onward)


def count_leg_in(leg: "CalleeLeg", now: float) -> None:
    """A target is about to be tried."""
    leg.is_counted = True
    count_target(leg.target, leg.board, 1)
    onward = leg.target.onward
    if onward is not None and onward.counts_for is not None:
        is_again = any(other.target.onward is onward for other in leg.call.callee_legs if other is not leg)
        leg.board.safety.onward_begins(leg_key(leg), onward, now, is_again=is_again)


def count_leg_out(leg: "CalleeLeg") -> None:
    """Nobody rings or talks there any more: its trunk and who sent the call there have room for another."""
    if not leg.is_counted:
        return
    leg.is_counted = False
    count_target(leg.target, leg.board, -1)
    onward = leg.target.onward
    if onward is not None and onward.counts_for is not None:
        leg.board.safety.leg_over(leg_key(leg))


def count_target(target: "Target", board: "Switchboard", step: int) -> None:
    """For its trunk, and for the account that pays for it, where somebody sends the call on to there."""
    if isinstance(target, TrunkTarget):
        board.of_trunk[target.trunk.name] += step
    onward = target.onward
    if onward is not None and onward.counts_for is not None:
        board.of_account[onward.counts_for] += step


def lend_limits(targets: "Iterable[Target]", lines: "Iterable[Line]", board: "Switchboard", step: int) -> None:
    """Who is asked for instead of these may have their places, and may be one of them: -1 lends them, 1 takes them
    back."""
    for line in lines:
        board.of_line[line.user] += step
    for target in targets:
        count_target(target, board, step)


def leg_key(leg: "CalleeLeg") -> str:
    """As its meter's."""
    return f"{leg.call.id}/{leg.index}"


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
