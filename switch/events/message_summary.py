"""Event package message-summary: the lamp of the mailbox (RFC 3842).

Phones subscribe to it as soon as they are registered, each to its own line's. A line without a mailbox is answered all
the same, "Messages-Waiting: no": that is true, since no message waits for it. 404 or 489 would make phones complain on
their display or ask again for ever, and would leave the lamp dark for up to an hour after the line was given a mailbox,
where the next NOTIFY lights it. Left out: context classes but voice, and the headers of single messages.

A line that wants it (`divert_hint`) has its lamp lit while its calls are diverted: what an adaptor makes of it for a
telephone without lamps is the interrupted dial tone that UK exchanges give such a line. The counts stay true.
"""

from typing import Final, NamedTuple, Protocol

from provisioning.model import DivertCondition, Line
from switch.events.features import reminded_of
from switch.events.package import Document
from switch.sip.uri import escape_user

CONTENT_TYPE: Final = "application/simple-message-summary"
NO_MESSAGES: Final = b"Messages-Waiting: no\r\n"


class MessageCount(NamedTuple):
    """Voice messages of a mailbox; the urgent ones are among the others."""

    new: int
    old: int
    new_urgent: int = 0
    old_urgent: int = 0


class Mailboxes(Protocol):
    """Who knows the mailboxes."""

    def count(self, user: str) -> MessageCount | None:
        """What waits for a line, from memory; None when it has no mailbox."""


class MessageSummary:
    """The package. Each line watches its own mailbox."""

    name: Final = "message-summary"
    content_type: Final = CONTENT_TYPE
    interval_s: Final = 1.0  # RFC 3842 3.8: not faster than once a second
    follows_calls: Final = False

    def __init__(self, mailboxes: Mailboxes, domain: str) -> None:
        self._mailboxes = mailboxes
        self._domain = domain

    def has_lamp(self, line: Line) -> bool:
        """Whether there may be something to say of this line."""
        return line.settings.divert_hint or self._mailboxes.count(line.user) is not None

    def may_watch(self, watcher: Line, resource: Line) -> bool:
        return watcher.user == resource.user

    def document(self, resource: Line, version: int, now: float) -> Document:
        count = self._mailboxes.count(resource.user)
        is_diverted = resource.settings.divert_hint and is_reminded(resource)
        if count is None:
            return Document(CONTENT_TYPE, b"Messages-Waiting: yes\r\n" if is_diverted else NO_MESSAGES)
        text = (
            f"Messages-Waiting: {'yes' if count.new or is_diverted else 'no'}\r\n"
            f"Message-Account: sip:{escape_user(resource.user)}@{self._domain}\r\n"
            f"Voice-Message: {count.new}/{count.old} ({count.new_urgent}/{count.old_urgent})\r\n"
        )
        return Document(CONTENT_TYPE, text.encode())


def is_reminded(line: Line) -> bool:
    """Whether calls of any kind are led away from the line, but for those that its own mailbox answers."""
    return any(reminded_of(line, condition) is not None for condition in DivertCondition)
