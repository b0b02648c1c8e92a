"""The settings of lines and accounts as one JSON object each, to values and back.

A name that this release does not know is a newer release's: it is not looked at, and stays in the row when others
change (`SETTINGS_ASSIGNED`), so that going back a release loses no customer's setting. A value that cannot be read is
somebody's hand in the table: the rest of the line's settings hold, a bar or cap that cannot be read bars everything.
"""

from typing import Any, Final, TypeVar

import msgspec

from provisioning.settings import AccountSettings, Bar, LineSettings, Restriction

Settings = TypeVar("Settings", LineSettings, AccountSettings)

_EVERYTHING: Final = (Bar("all"),)
# In place of what cannot be read: nothing is free, or open, because something failed.
_CLOSED: Final[dict[str, Any]] = {
    "bars": _EVERYTHING,
    "operator_bars": _EVERYTHING,
    "daily_cap_micros": 0,
    "monthly_cap_micros": 0,
    "refuses_diverts": True,
    # A step of a newer release, too. Nobody loses incoming calls to a word that this one does not know.
    "restriction": Restriction.OUTGOING,
}
_encoder: Final = msgspec.json.Encoder()


def settings_from_json(kind: type[Settings], text: str, owner: str) -> Settings:
    """`owner` is whose they are, for the log."""
    if text == "{}":  # nearly every line
        return kind()
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError:
        return _readable_part(kind, msgspec.json.decode(text), owner)


def json_from_settings(settings: LineSettings | AccountSettings) -> str:
    """Without what has its default."""
    return _encoder.encode(settings).decode()


def names_of(kind: type[LineSettings] | type[AccountSettings]) -> list[str]:
    """What this release knows: what an assignment takes out of a row before it puts in what is set now."""
    return list(kind.__struct_fields__)


def settings_assigned(names: str, values: str) -> str:
    """The SQL that replaces what this release knows and keeps the rest; the arguments are placeholders."""
    return f"settings = (settings - {names}::text[]) || {values}::jsonb"


def _readable_part(kind: type[Settings], found: dict[str, Any], owner: str) -> Settings:
    read: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name not in found:
            continue
        try:
            read[field.name] = msgspec.convert(found[field.name], type=field.type)
        except msgspec.ValidationError as problem:
            _say_unreadable(owner, field.name, problem)
            if field.name in _CLOSED:
                read[field.name] = _CLOSED[field.name]
    return kind(**read)


def _say_unreadable(owner: str, setting: str, problem: msgspec.ValidationError) -> None:
    import structlog  # noqa: PLC0415 - a fifth of what a command costs that looks at the books, and seldom needed

    log = structlog.get_logger("provisioning")
    log.error("setting_unreadable", owner=owner, setting=setting, problem=str(problem))
