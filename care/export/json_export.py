"""A call's story as JSON: everything by its name, times as they are stored and as text, messages as text.

Octets that are no UTF-8 are shown as \\xNN in the text, and the message is there in base64 as well.
"""

from base64 import b64encode
from typing import Any, Final

import msgspec

from care.export.moments import utc_text
from care.story import CallStory
from provisioning.views import CdrView
from switch.sip.host import host_port
from traces.call_trace import CallTrace

VERSION: Final = 1


def json_file(story: CallStory) -> bytes:
    """Indented, ending in a line end. What does not print is escaped, so that it can be looked at in a terminal."""
    said = {
        "version": VERSION,
        "call_id": story.call_id,
        "legs": [_leg(view) for view in story.legs],
        "trace": None if story.trace is None else _trace(story.trace),
        "no_trace": story.no_trace,
        "registrations": [_fields(event) for event in story.registrations],
        "alarms": [_fields(alarm) for alarm in story.alarms],
    }
    text = msgspec.json.format(msgspec.json.encode(said), indent=2).decode()
    return ("\n".join(map(_printable, text.split("\n"))) + "\n").encode()


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() else _escape(one) for one in line)


def _escape(character: str) -> str:
    """JSON's own: a pair of surrogates above U+FFFF."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _fields(record: msgspec.Struct) -> dict[str, Any]:
    """By name: the record itself travels as an array."""
    found = {name: getattr(record, name) for name in record.__struct_fields__}
    builtins: dict[str, Any] = msgspec.to_builtins(found, enc_hook=str)
    return builtins


def _leg(view: CdrView) -> dict[str, Any]:
    media = [_fields(figures) for figures in view.media]
    return {**_fields(view.cdr), "account": view.account, "payer": view.payer, "media": media}


def _trace(trace: CallTrace) -> dict[str, Any]:
    messages = []
    for index, message in enumerate(trace.messages):
        said: dict[str, Any] = {
            "number": index,
            "at": utc_text(message.at_us),
            "at_us": message.at_us,
            "direction": "sent" if message.is_sent else "received",
            "leg": message.leg,
        }
        if 0 <= message.flow < len(trace.flows):
            flow = trace.flows[message.flow]
            said["transport"] = flow.transport
            said["remote"] = host_port(flow.remote_host, flow.remote_port)
            said["local"] = host_port(flow.local_host, flow.local_port)
        said["text"] = message.data.decode("utf-8", "backslashreplace")
        try:
            message.data.decode()
        except UnicodeDecodeError:
            said["base64"] = b64encode(message.data).decode()
        messages.append(said)
    return {"why": trace.why, "dropped": trace.dropped, "messages": messages}
