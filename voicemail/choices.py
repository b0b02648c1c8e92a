"""What the owner may press next, in words: "To save the message," "press two." The keys are those of menu.KEYS."""

from __future__ import annotations

from media.prompts.speech import choice
from voicemail.actions import Clip, prompt

Line = tuple[str, str]  # what, and with which key

DRAFT_LINES: tuple[Line, ...] = (("to-keep-recording", "1"), ("to-record-again", "2"), ("to-return", "*"))


def main_lines(*, has_messages: bool) -> tuple[Line, ...]:
    rest = (("to-change-settings", "2"), ("to-end", "#"))
    return (("to-listen", "1"), *rest) if has_messages else rest


def message_lines(*, is_deleted: bool, can_call_back: bool) -> tuple[Line, ...]:
    return (
        ("to-listen-again", "1"),
        ("to-save", "2"),
        ("to-restore" if is_deleted else "to-delete", "3"),
        ("to-hear-details", "4"),
        *((("to-call-back", "5"),) if can_call_back else ()),
        ("to-skip", "6"),
        ("to-go-back", "7"),
        ("to-return", "*"),
    )


def setting_lines(*, is_notified: bool) -> tuple[Line, ...]:
    return (
        ("to-record-greeting", "1"),
        ("to-hear-greeting", "2"),
        ("to-use-standard-greeting", "3"),
        ("to-change-pin", "4"),
        (f"to-switch-notification-{'off' if is_notified else 'on'}", "5"),
        ("to-return", "*"),
    )


def spoken(lines: tuple[Line, ...]) -> tuple[Clip, ...]:
    return tuple(prompt(name) for what, key in lines for name in choice(what, key))
