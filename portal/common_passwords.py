"""Passwords that are tried first. Pure.

NIST SP 800-63B 5.1.1.2 and the NCSC want those refused that everybody chooses; what is shorter than
PASSWORD_CHARS_MIN is refused anyway, so the short ones stand here as the words that long ones are made of.
"""

import string
from typing import Final

PASSWORD_CHARS_MIN: Final = 12
# Hashing takes as long for a long one; nobody types more.
PASSWORD_CHARS_MAX: Final = 200
DIFFERENT_CHARS_MIN: Final = 5

# Words that a password may contain, but not consist of: alone, repeated, joined or with digits and signs around them.
_WORDS: Final = frozenset({
    "abc", "access", "admin", "administrator", "arsenal", "asdf", "asdfgh", "asdfghjkl", "autumn", "baseball",
    "batman", "change", "changeit", "changeme", "charlie", "chelsea", "cisco", "computer",
    "correcthorsebatterystaple", "daniel", "default", "demo", "donald", "dragon", "enter", "everton", "fault",
    "faultdesk", "football", "george", "guest", "hello", "hunter", "iloveyou", "internet", "is", "it",
    "january", "jennifer", "jordan", "letmein", "liverpool", "login", "london", "love", "manager", "manchester",
    "master", "me", "michael", "monday", "monkey", "mustang", "my", "mypassword", "network", "new", "ninja",
    "offhook", "office", "pass", "passphrase", "passwd", "password", "phone", "please", "portal", "princess",
    "qaz", "qazwsx", "qwe", "qwer", "qwert", "qwerty", "qwertyuiop", "rangers", "root", "secret", "server",
    "shadow", "sip", "spring", "staff", "starwars", "summer", "sunshine", "superman", "support", "switch",
    "system", "telecom", "telephone", "temp", "test", "the", "this", "toor", "trustno", "user", "voip", "wasd",
    "welcome", "whatever", "winter", "wsx", "xyz", "you", "zxc", "zxcvbn", "zxcvbnm",
})  # fmt: skip
_WORD_CHARS_MAX: Final = max(map(len, _WORDS))
_LEET: Final = str.maketrans("0134578@$!|", "oieastbasil")
# What people put before and behind a word.
_AROUND: Final = string.digits + string.punctuation
_ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz", "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
)  # fmt: skip


def password_problem(password: str, name: str) -> str | None:
    """What is wrong with a new password of this member of staff, in words; None for a good one."""
    if len(password) < PASSWORD_CHARS_MIN:
        return f"a password has at least {PASSWORD_CHARS_MIN} characters"
    if len(password) > PASSWORD_CHARS_MAX:
        return f"a password has at most {PASSWORD_CHARS_MAX} characters"
    if not password.isprintable():
        return "a password has characters that can be typed"
    folded = password.casefold()
    if len(set(folded)) < DIFFERENT_CHARS_MIN:
        return f"a password has at least {DIFFERENT_CHARS_MIN} different characters"
    core = folded.strip(_AROUND)
    if _is_common(folded, name) or _is_common(core.translate(_LEET), name):
        return "this password is one of those that are tried first"
    return None


def _is_common(folded: str, name: str) -> bool:
    letters = "".join(character for character in folded if character.isalpha())
    # Digits and signs around words add little: Password2026! is tried within the first hour.
    if _is_made_of_words(letters, _WORDS | {name}):
        return True
    return any(folded in row * 2 or folded in (row * 2)[::-1] for row in _ROWS)


def _is_made_of_words(letters: str, words: frozenset[str]) -> bool:
    """Also of none at all: digits and signs alone."""
    reached = [True] + [False] * len(letters)
    longest = max(_WORD_CHARS_MAX, *map(len, words))
    for end in range(1, len(letters) + 1):
        reached[end] = any(
            reached[start] and letters[start:end] in words for start in range(max(0, end - longest), end)
        )
    return reached[-1]
