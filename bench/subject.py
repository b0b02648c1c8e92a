"""What is measured: the job that every exchange here is given, and what it must be able to tell of itself.

The job is one call from a registered prepaid line to a number at a trunk, priced by the started minute. A second of
talk costs one minute. Numbers are from Ofcom's ranges for drama.
"""

from typing import Protocol

import msgspec

from bench.accounting import CpuSeconds

DIALLED = "+442079460123"
PREFIX = "+44"
PRICE_MICROS = 12_000  # GBP 0.012 a started minute: what each call of the job costs
MINUTE_S = 60
TALK_MS = 1000

ACCOUNTS = 10
LINES = 1000  # as many as there are drama numbers in one exchange: 01632 960000 to 960999


class Books(msgspec.Struct, frozen=True):
    """What PostgreSQL holds: answered calls recorded, money charged, and records that are not what they should be."""

    calls: int
    charged_micros: int
    wrong: int

    def __sub__(self, other: "Books") -> "Books":
        return Books(
            self.calls - other.calls, self.charged_micros - other.charged_micros, self.wrong - other.wrong
        )

    def lacks(self, calls: int) -> str:
        """What is not right after `calls` completed calls, or ""."""
        expected = Books(calls, calls * PRICE_MICROS, 0)
        if self == expected:
            return ""
        return (
            f"{calls} calls completed, but PostgreSQL has {self.calls} records, {self.charged_micros} micros charged "
            f"instead of {expected.charged_micros}, {self.wrong} wrong records"
        )


class Subject(Protocol):
    """A running exchange, whoever wrote it."""

    name: str
    port: int

    def cpu(self) -> dict[str, CpuSeconds]:
        """CPU time so far by part. "postgres" is one of the parts."""

    def books(self) -> Books:
        """Totals since the beginning, from PostgreSQL."""

    def is_idle(self) -> bool:
        """Whether no call is alive."""


def number_of(index: int) -> str:
    return f"+441632960{index:03d}"
