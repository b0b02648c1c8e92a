"""Whether the call path under test is compiled (`make test-fast`), and the mark for tests that look inside Python."""

import pytest

from switch.sip import stack

IS_COMPILED = not (stack.__file__ or "").endswith(".py")

interpreted_only = pytest.mark.skipif(
    IS_COMPILED, reason="it patches constants or counts the interpreter's steps, which compiled code does not show"
)
