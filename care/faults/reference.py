"""References of faults: short, sayable, and telling nobody how many faults there are. "F-7K3Q9"."""

import re
import secrets
from collections.abc import Callable
from typing import Final

from provisioning.problems import InvalidValue

# Without 0 and O, 1 and I and L, and U, which is heard as V: said on the telephone, they are mistaken.
LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 5  # 24 million: a customer's own does not lead to another's by trying

_WRITTEN: Final = re.compile(rf"F?-?([{LETTERS}]{{{LENGTH}}})")


def new_reference(choice: Callable[[str], str] = secrets.choice) -> str:
    return "F-" + "".join(choice(LETTERS) for _ in range(LENGTH))


def read_reference(text: str) -> str:
    """As people say it: "f-7k3q9", "7K3 Q9". Raises InvalidValue."""
    match = _WRITTEN.fullmatch("".join(text.upper().split()))
    if match is None:
        raise InvalidValue("fault", text, "a reference such as F-7K3Q9")
    return f"F-{match[1]}"
