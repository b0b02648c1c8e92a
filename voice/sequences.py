"""What callers hear of the prompts that are single words: each of them at least once in a sequence."""

from datetime import datetime, timedelta

from media.prompts import speech

NOW = datetime(2026, 3, 4, 9, 30)  # noqa: DTZ001 - a listener's clock
_MENU = (
    "to-listen", "to-listen-again", "to-skip", "to-go-back", "to-save", "to-delete", "to-restore", "to-call-back",
    "to-return", "to-end",
)  # fmt: skip


def _sequences() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for number in ("+442079460123", "+441632960456", "+447700900789", "+33199001234"):
        found[f"from {number}"] = ("from", *speech.digits(number))
    for new in range(2, 100, 2):
        saved = (new + 51) % 100
        found[f"{new} new, {saved} saved"] = speech.counts(new, saved)
    found["250 new"] = speech.counts(250, 0)
    for day in range(1, 32):
        at = datetime(2025, 1 + day % 12, min(day, 28 if day % 12 == 1 else 30), day % 24, day * 2 % 60)  # noqa: DTZ001
        found[f"received {at:%d %B %H:%M}"] = ("received", *speech.moment(at, NOW))
    for hours_ago in (2, 14):
        at = datetime(2026, 3, 4 if hours_ago < 10 else 3, 8, 5 + hours_ago)  # noqa: DTZ001
        found[f"{hours_ago} hours ago"] = ("received", *speech.moment(at, NOW))
    for key, what in zip("1234567890", _MENU, strict=True):
        found[f"menu {key}"] = speech.choice(what, key)
    found["reminder"] = ("reminder-set-for", *speech.moment(NOW + timedelta(days=1), NOW))
    found["last caller"] = ("telephone-number", *speech.digits("+441632960123"), "called", *speech.moment(NOW, NOW))
    found["return call"] = speech.choice("to-return-call", "3")
    found["queue"] = ("you-are-number", "number-3", "in-the-queue")
    found["divert"] = ("divert-no-reply-is-set-to", *speech.digits("+447700900123"), "after", "number-20", "seconds")
    found["menu *"] = speech.choice("to-repeat", "*")
    found["menu #"] = speech.choice("to-end", "#")
    return found


SEQUENCES = _sequences()
