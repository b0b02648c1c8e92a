"""What event notification counted: plain integers, exported as metrics elsewhere (switch/metrics.py)."""

from collections import Counter


class EventCounts:
    """All counters only grow. Keys are labels and statuses of our own, never text from the wire."""

    __slots__ = (
        "lamps",
        "mailbox_publishes",
        "notifies",
        "publishes",
        "subscribes",
        "subscriptions_ended",
    )

    def __init__(self) -> None:
        self.subscribes: Counter[str] = Counter()  # SUBSCRIBE, by what it came to
        self.publishes: Counter[str] = Counter()  # PUBLISH, by what it came to
        self.notifies: Counter[str] = Counter()  # NOTIFY, by result: accepted, refused, silence, unreachable
        self.mailbox_publishes: Counter[str] = Counter()  # PUBLISH of voicemail, by what it came to
        self.lamps: Counter[str] = Counter()  # NOTIFY without a subscription, by result
        self.subscriptions_ended: Counter[str] = Counter()  # by reason
