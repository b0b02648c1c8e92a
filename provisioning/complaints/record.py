"""A complaint: what a customer has complained of, and what was said and done since (Ofcom's GC C4)."""

import datetime
import enum
from typing import Final

import msgspec

# `customers.kind` of those who have no right to alternative dispute resolution: businesses of more than ten people.
# Whoever is not described may have it, so he is written to.
WITHOUT_ADR: Final = frozenset(("business",))


class Channel(enum.StrEnum):
    """How it came."""

    PHONE = "phone"
    EMAIL = "email"
    LETTER = "letter"
    WEB = "web"
    IN_PERSON = "in-person"


class ComplaintState(enum.StrEnum):
    OPEN = "open"
    OUTCOME_TOLD = "outcome-told"  # and the customer has not said yet whether he is content
    DEADLOCK = "deadlock"  # he is not, and nothing more will be done
    CLOSED = "closed"


class Ending(enum.StrEnum):
    """Why a complaint is closed."""

    RESOLVED = "resolved"  # the customer says so
    WITHDRAWN = "withdrawn"  # the customer does not want to go on
    LETTER_SENT = "letter-sent"  # it is the scheme's from here
    FINAL = "final"  # the outcome was told to a business that has no right to a scheme


class EventKind(enum.StrEnum):
    NOTE = "note"  # for staff
    TOLD = "told"  # what the customer was told
    ACKNOWLEDGED = "acknowledged"
    OUTCOME = "outcome"  # `words` is what the customer was told of it
    DEADLOCK = "deadlock"
    LETTER = "letter"  # `value` is how it went, `words` the letter
    CLOSED = "closed"  # `value` is the ending
    REOPENED = "reopened"


class LetterWay(enum.StrEnum):
    MAIL = "mail"
    POST = "post"


class LetterReason(enum.StrEnum):
    """The two cases in which the letter goes out unasked."""

    DEADLOCK = "deadlock"
    TIME_LIMIT = "time-limit"


class ComplaintEvent(msgspec.Struct, frozen=True):
    id: int
    at_ms: int
    staff: str
    event: EventKind
    value: str
    words: str


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `offhook complaint list`. `account` "" where the customer is not known; times None: not yet.

    `email` is where the letter can be sent: the contact's, or else the account's address; "" for none. `addressee` is
    the reporter or else the customer, `address` the account's lines. `mail_state` is "" or, of a letter that was
    mailed, "waits", "sent" or "given-up".
    """

    reference: str
    opened_at_ms: int
    opened_by: str
    received_at_ms: int
    account: str
    account_id: int | None
    fault: str
    reporter: str
    contact: str
    channel: Channel
    words: str
    state: ComplaintState
    acknowledged_at_ms: int | None
    outcome_at_ms: int | None
    deadlock_at_ms: int | None
    letter_on: datetime.date | None
    letter_way: LetterWay | None
    mail_state: str
    closed_at_ms: int | None
    ending: Ending | None
    customer_kind: str
    email: str
    addressee: str
    address: tuple[str, ...]
    wants_large_print: bool

    @property
    def has_adr(self) -> bool:
        """Whether the customer may go to a scheme, and so is owed the letter."""
        return self.customer_kind not in WITHOUT_ADR

    @property
    def has_letter(self) -> bool:
        """Whether it went out. A mail that no server took has not."""
        return self.letter_on is not None and self.mail_state != "given-up"


class ComplaintDetails(msgspec.Struct, frozen=True):
    """All of a complaint: its events in order."""

    complaint: Complaint
    events: list[ComplaintEvent]
