"""What an event package is to the framework (RFC 6665 5): a name, who may watch what, and a document of the state.

The table of packages is made where the parts are wired together (service.py). A package that changes calls
`Notifier.changed(name, resource, now)`; the framework asks for the document when it is time to send it.
"""

from typing import NamedTuple, Protocol

from provisioning.model import Line


class Document(NamedTuple):
    """A body and its type."""

    content_type: str
    content: bytes


class EventPackage(Protocol):
    """Resources are lines, by their user."""

    @property
    def name(self) -> str:
        """As in the Event field."""

    @property
    def content_type(self) -> str:
        """Of its documents; what a subscriber must accept."""

    @property
    def interval_s(self) -> float:
        """Changes are told no more often than this."""

    @property
    def follows_calls(self) -> bool:
        """Whether its documents say something of a line's calls."""

    def may_watch(self, watcher: Line, resource: Line) -> bool:
        """Asked at each SUBSCRIBE, and again before each NOTIFY: what was allowed may be over."""

    def document(self, resource: Line, version: int, now: float) -> Document:
        """The whole state. `version` grows by one with each document of a subscription, from 0."""
