"""Event package as-feature-event: do not disturb and diverts of a line, for the icons of its own phones.

It is BroadSoft's ("Feature Key Synchronization", with the events of ECMA-323), and what Yealink, Poly and Cisco
phones subscribe to; no RFC has anything for it. It only tells: a SUBSCRIBE with a body asks for a change, which is
answered with the state as it is, because settings are changed by code, command or portal. A line's mailbox is no
divert to be reminded of, unless all calls go there; nor is a divert for some callers, numbers or hours only.
"""

from typing import Final

from provisioning.model import Divert, DivertCondition, DivertKind, Line
from switch.events.package import Document
from switch.events.xml_text import escaped

FEATURES: Final = "as-feature-event"
CONTENT_TYPE: Final = "application/x-as-feature-event+xml"
# One part for each feature. Nothing in a part begins a line with it: every text in it is escaped and on one line.
BOUNDARY: Final = "offhook-feature-boundary"
MULTIPART: Final = f"multipart/mixed;boundary={BOUNDARY}"

_NAMESPACE: Final = "http://www.ecma-international.org/standards/ecma-323/csta/ed3"
_FORWARDINGS: Final = {
    DivertCondition.ALL: "forwardImmediate",
    DivertCondition.BUSY: "forwardBusy",
    DivertCondition.NO_REPLY: "forwardNoAns",
}


class Features:
    """The package. Each line watches itself."""

    name: Final = FEATURES
    content_type: Final = CONTENT_TYPE
    interval_s: Final = 1.0  # as the mailbox's
    follows_calls: Final = False

    def may_watch(self, watcher: Line, resource: Line) -> bool:
        return watcher.user == resource.user

    def document(self, resource: Line, version: int, now: float) -> Document:
        device = f"<device>{escaped(resource.user)}</device>"
        is_on = _word(resource.settings.does_not_disturb)
        events = [_event("DoNotDisturbEvent", f"{device}<doNotDisturbOn>{is_on}</doNotDisturbOn>")]
        for condition, forwarding in _FORWARDINGS.items():
            divert = reminded_of(resource, condition)
            target = "" if divert is None else divert.destination or divert.kind.value
            events.append(
                _event(
                    "ForwardingEvent",
                    f"{device}<forwardingType>{forwarding}</forwardingType>"
                    f"<forwardStatus>{_word(divert is not None)}</forwardStatus>"
                    f"<forwardTo>{escaped(target)}</forwardTo>",
                )
            )
        parts = [f"--{BOUNDARY}\r\nContent-Type: {CONTENT_TYPE}\r\n\r\n{event}\r\n" for event in events]
        return Document(MULTIPART, f"{''.join(parts)}--{BOUNDARY}--\r\n".encode())


def reminded_of(line: Line, condition: DivertCondition) -> Divert | None:
    """The divert of this condition that is on for every call and leads away; the first, where there are several."""
    for divert in line.diverts:
        is_mailbox = divert.kind is DivertKind.VOICEMAIL and condition is not DivertCondition.ALL
        is_for_some = bool(divert.sources or divert.ddis or divert.time_set)
        if divert.condition is condition and divert.is_enabled and not is_mailbox and not is_for_some:
            return divert
    return None


def _event(name: str, content: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{_NAMESPACE}">{content}</{name}>'


def _word(is_on: bool) -> str:
    return "true" if is_on else "false"
