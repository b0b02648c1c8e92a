"""Who has an account and a line at the exchange of this folder."""

from typing import Final

from tests.wire.faults.desk import AccountMade, LineMade

PENNY_MICROS: Final = 10_000

ACCOUNTS: Final = [
    AccountMade("shop"),
    AccountMade("empty", credit_micros=0),
    AccountMade("nearly-empty", credit_micros=3 * PENNY_MICROS),
    AccountMade("capped", settings=("daily_cap=0.03",)),
    AccountMade("capped-already", settings=("daily_cap=0.005",)),
    AccountMade("suspended", is_suspended=True),
]
# Callers that are fine, and one line for each fault that a line must have.
LINES: Final = [
    *(LineMade(user) for user in ("alice", "anna")),
    LineMade("penniless", "empty"),
    LineMade("nearly-penniless", "nearly-empty"),
    LineMade("capped", "capped"),
    LineMade("capped-already", "capped-already"),
    LineMade("suspended", "suspended"),
    LineMade("barred", settings=("bars+=national",)),
    LineMade("one-call", calls_max=1),
    LineMade("rejects", settings=("rejects_anonymous=yes",)),
    LineMade("asleep", settings=("does_not_disturb=yes",)),
    *(
        LineMade(user)
        for user in (
            "typo", "misnamed", "left", "expired", "unplugged", "cut-off", "deaf", "broken", "choosy", "plain-codecs",
            "transfers", "to-and", "fro", "moved", "behind-alg", "private", "mute", "listens", "lossy", "uneven",
            "talks-on",
        )
    ),
    *(LineMade(f"good-{user}") for user in ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")),
    *(LineMade(f"good-{number}") for number in range(30)),
]  # fmt: skip
