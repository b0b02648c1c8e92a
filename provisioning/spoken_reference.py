"""References that are said on the telephone ("F-7K3Q9"): short, and telling nobody how many there are."""

import re
import secrets
from collections.abc import Callable
from typing import Final

from provisioning.problems import InvalidValue

# Without 0 and O, 1 and I and L, and U, which is heard as V: said on the telephone, they are mistaken.
LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 5  # 24 million: a customer's own does not lead to another's by trying


def new_reference(prefix: str, choice: Callable[[str], str] = secrets.choice) -> str:
    return f"{prefix}-" + "".join(choice(LETTERS) for _ in range(LENGTH))


def read_reference(prefix: str, text: str, *, what: str) -> str:
    """As people say it: "f-7k3q9", "7K3 Q9". Raises InvalidValue."""
    match = re.fullmatch(rf"{prefix}?-?([{LETTERS}]{{{LENGTH}}})", "".join(text.upper().split()))
    if match is None:
        raise InvalidValue(what, text, f"a reference such as {prefix}-7K3Q9")
    return f"{prefix}-{match[1]}"
