"""All that is known of one call: what the fault desk explains, draws and exports.

It is gathered once (care/gathering.py) and then only read: by the explanation, the ladder, the exports and the
pages, none of which asks anybody anything.
"""

import msgspec

from provisioning.views import CdrView
from rating.records import Alarm, RegistrationEvent
from switch.calls.open_call import OPEN
from traces.call_trace import CallTrace


class CallStory(msgspec.Struct, frozen=True, kw_only=True):
    """One call. `legs` are its records with their sound, leg 0 first; there is at least one, but for
    the ladder of an INVITE that became no call (refused.py).

    Withheld numbers are withheld in it already. `trace` is None where none was kept; `no_trace` then says why,
    in words. `registrations` are the events of the lines that the call concerns, from a day before it until an
    hour after it, with the last change before that day of each; the earliest first.
    """

    legs: list[CdrView]
    trace: CallTrace | None = None
    no_trace: str = ""
    registrations: list[RegistrationEvent] = []
    alarms: list[Alarm] = []

    @property
    def is_live(self) -> bool:
        """It is up: its records say how it stands."""
        return bool(self.legs) and self.legs[0].cdr.outcome == OPEN

    @property
    def account_id(self) -> int | None:
        """Whose call it is: of who made it, paid for it or else was called."""
        accounts = (view.cdr.account_id or view.cdr.payer_account_id for view in self.legs)
        return next((account for account in accounts if account), None)

    @property
    def call_id(self) -> str:
        if not self.legs:
            return "" if self.trace is None else self.trace.call_id
        return self.legs[0].cdr.call_id
