"""The files that a call can be taken away as. Pure."""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from care.export.carrier_bundle import carrier_bundle
from care.export.carrier_view import trunks_of
from care.export.csv_export import legs_csv, messages_csv
from care.export.json_export import json_file
from care.export.pcapng import pcapng_file
from care.ladder.ladder import ladder_of
from care.ladder.text import draw
from care.story import CallStory

LADDER_WIDTH: Final = 110
BUNDLE: Final = "bundle"
_UNSAFE: Final = re.compile("[^A-Za-z0-9_-]")


class ExportOffered(msgspec.Struct, frozen=True):
    """A link: `place` is what follows /export/ in its address."""

    place: str
    title: str


class ExportedFile(msgspec.Struct, frozen=True):
    """`name` is plain ASCII, whatever the call is called."""

    name: str
    media_type: str
    data: bytes


def _ladder_text(story: CallStory) -> bytes:
    return ("\n".join(draw(ladder_of(story), LADDER_WIDTH)) + "\n").encode("utf-8", "backslashreplace")


def _text(made: Callable[[CallStory], str]) -> Callable[[CallStory], bytes]:
    return lambda story: made(story).encode("utf-8", "backslashreplace")


# What stands in the address -> title, end of the file's name, its type, and who makes it.
_KINDS: Final[dict[str, tuple[str, str, str, Callable[[CallStory], bytes]]]] = {
    "pcapng": ("Capture (pcapng)", ".pcapng", "application/octet-stream", pcapng_file),
    "ladder": ("Ladder (text)", "-ladder.txt", "text/plain; charset=utf-8", _ladder_text),
    "json": ("JSON", ".json", "application/json", json_file),
    "legs": ("Legs (CSV)", "-legs.csv", "text/csv; charset=utf-8", _text(legs_csv)),
    "messages": ("Messages (CSV)", "-messages.csv", "text/csv; charset=utf-8", _text(messages_csv)),
}


def offered(story: CallStory) -> list[ExportOffered]:
    """A capture and a list of messages only where there are any; a bundle for each carrier that had a leg."""
    needs_trace = ("pcapng", "messages")
    plain = [
        ExportOffered(kind, title)
        for kind, (title, *_) in _KINDS.items()
        if story.trace is not None or kind not in needs_trace
    ]
    return plain + [
        ExportOffered(f"{BUNDLE}/{place}", f"Bundle for {trunk}") for place, trunk in _trunks(story)
    ]


def exported(story: CallStory, kind: str) -> ExportedFile | None:
    """None: there is no such kind."""
    found = _KINDS.get(kind)
    if found is None:
        return None
    _, ending, media_type, made = found
    return ExportedFile(_name(story) + ending, media_type, made(story))


def bundle(story: CallStory, place: str) -> ExportedFile | None:
    """What a carrier may see of the call: the carrier by its place among those that had a leg. None: no such place."""
    for each, trunk in _trunks(story):
        if each == place:
            name = f"{_name(story)}-{_UNSAFE.sub('', trunk)[:40]}.zip"
            return ExportedFile(name, "application/zip", carrier_bundle(story, trunk))
    return None


def _trunks(story: CallStory) -> list[tuple[str, str]]:
    return [(str(place), trunk) for place, trunk in enumerate(trunks_of(story), start=1)]


def _name(story: CallStory) -> str:
    return f"call-{_UNSAFE.sub('', story.call_id)[:60]}"
