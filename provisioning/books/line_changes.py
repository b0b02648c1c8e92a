"""What a customer may change of a line by dialling, as the switch asks the books process for it (`changer` does it).

Each change says what shall be, not how it differs: carried out twice it comes to the same.
"""

from typing import Final

import msgspec

from provisioning.model import DivertCondition, DivertKind

RING_S_DEFAULT: Final = 15  # what BT's *61* has where no time is dialled: six rings


class SettingsAsked(msgspec.Struct, array_like=True, frozen=True, tag="settings"):
    """Assignments as `settings_text` reads them."""

    assignments: tuple[str, ...]


class DivertAsked(msgspec.Struct, array_like=True, frozen=True, tag="divert"):
    """All calls of these conditions go there."""

    conditions: tuple[DivertCondition, ...]
    kind: DivertKind
    destination: str
    ring_s: int = RING_S_DEFAULT


class DivertSwitched(msgspec.Struct, array_like=True, frozen=True, tag="divert_switched"):
    """What was set for all calls of these conditions applies, or does not."""

    conditions: tuple[DivertCondition, ...]
    is_enabled: bool


class DivertErased(msgspec.Struct, array_like=True, frozen=True, tag="divert_erased"):
    """The same is forgotten."""

    conditions: tuple[DivertCondition, ...]


LineChange = SettingsAsked | DivertAsked | DivertSwitched | DivertErased
