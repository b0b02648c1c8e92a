"""Calls by other people's phones, pjsua2 and baresip: the exchange is seen only from outside."""

import pytest

pytest.register_assert_rewrite(
    "tests.wire.phones.town", "tests.wire.phones.records", "tests.wire.phones.baresip"
)
