"""`offhook route explain` against live calls that come to menus: plans by chance, and what the caller presses in each.

As test_explain_agrees.py, with a media server that says what was pressed. When legs began is not compared: pressing
takes a caller's time, and explaining takes none.
"""

from random import Random

import pytest

from rating.records import Cdr
from switch.calls.call_state import CallState
from switch.calls.explain import Explanation, Question, explanation
from switch.sip.dialog import Dialog
from switch.sip.message import Request
from tests.switch.calls.test_explain_agrees import (
    NODES,
    PLAN_NUMBER,
    STRANGERS,
    Town,
    foreseen,
    is_same,
    recorded,
    told_status,
)
from tests.switch.house import DOMAIN
from tests.switch.journey.plan_dice import MENU

TOWNS = 300
PRESSED = ["1", "2", "5", "1001", "1003", "9999", "*", "", ""]
CALL_S_MAX = 3600


class MenuTown(Town):
    """Half of what its plans have are menus, and words after which they go on."""

    nodes = (*NODES, *(MENU,) * len(NODES))

    def call_and_press(self, keys: str) -> tuple[Explanation, list[Cdr]]:
        house = self.house
        board, now, caller = house.exchange.board, house.clock.now, self.random.choice(STRANGERS[:2])
        question = Question(
            caller, PLAN_NUMBER, board.clock.ms(now), "in", came={"menu": keys} if keys else {}, call_id="call-0"
        )
        told = explanation(question, board, now, self.reaction)
        phone = self.carriers["in"]
        sender = f"<sip:{caller}@{phone.address[0]}>"
        before = len(house.journal.cdrs())
        phone.invite(PLAN_NUMBER, extra=[("P-Asserted-Identity", sender)], from_=sender, call_id="call-0")
        pressed: set[str] = set()
        for _ in range(CALL_S_MAX):
            house.run(1)
            fresh = (dialog for dialog in self.mailboxes.dialogs if dialog.call_id not in pressed)
            waiting = [dialog for dialog in fresh if self.menu(dialog)]
            calls = list(board.calls.values())
            if not calls:
                break
            if waiting and calls[0].retarget is None and calls[0].state is CallState.UP:
                dialog = waiting[0]
                pressed.add(dialog.call_id)
                self.press(keys if self.asks(dialog) else "", dialog)
            elif calls[0].state is CallState.UP and calls[0].retarget is None:
                break
        else:
            raise AssertionError(f"the call goes on and on: {told.lines}")
        if phone.dialogs and board.calls:
            phone.hang_up()
        self._settle()
        return told, sorted(house.journal.cdrs()[before:], key=lambda row: row.leg)

    def menu(self, dialog: Dialog) -> Request | None:
        """The INVITE of this dialog, where it is one to a menu."""
        invites = self.mailboxes.requests_of("INVITE")
        asked = (invite for invite in invites if invite.call_id == dialog.call_id and invite.uri.startswith("sip:menu"))
        return next(asked, None)

    def asks(self, dialog: Dialog) -> bool:
        menu = self.menu(dialog)
        return menu is not None and ("choices=" in menu.uri or "extension=" in menu.uri)

    def press(self, keys: str, dialog: Dialog) -> None:
        voice = self.mailboxes
        request = dialog.create_request("REFER", contact=f"<{voice.contact}>")
        user = f"pressed.{keys.replace('*', 's')}" if keys else "pressed"
        request.headers.add("refer-to", f"<sip:{user}@{DOMAIN}>")
        request.headers.add("refer-sub", "false")
        request.headers.add("supported", "norefersub")
        voice.stack.send_request(request, voice.flow, voice, self.house.clock.now)


def disagreements(told: Explanation, rows: list[Cdr], now: float) -> list[str]:
    first, found = rows[0], []
    journey = None if told.rehearsal is None else told.rehearsal._journey
    expected = 200 if journey is not None and journey.is_answered else told_status(told)
    if expected != first.sip_status:
        found.append(f"the caller is told {expected}, and was told {first.sip_status}")
    said = [] if told.rehearsal is None else [foreseen(leg, now) for leg in told.rehearsal.legs]
    was = [recorded(row, first) for row in rows[1:] if not row.leg_reason.startswith("announcement")]
    for leg in (*said, *was):
        leg.began_s = 0
    if len(said) != len(was) or not all(map(is_same, said, was)):
        found.append("\n".join(["said:", *map(str, said), "was:", *map(str, was)]))
    return found


@pytest.mark.parametrize("hundred", range(TOWNS // 100))
def test_what_is_explained_of_menus_is_what_happens(hundred: int) -> None:
    menus = 0
    for seed in range(hundred * 100, hundred * 100 + 100):
        town = MenuTown(seed)
        now = town.house.clock.now
        keys = Random(seed).choice(PRESSED)
        told, rows = town.call_and_press(keys)
        found = disagreements(told, rows, now)
        assert not found, "\n".join([f"town {seed}, keys {keys!r}", *found, *told.lines])
        town.assert_in_order()
        menus += sum(row.leg_reason.startswith("menu") for row in rows)
    assert menus > 50, "or nothing was tried"
