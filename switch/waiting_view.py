"""What `offhook messages` shows: how many wait for whom, and since when; never what they say, nor who sent them."""

import msgspec

from switch.messaging.waiting import Waiting


class WaitingMessages(msgspec.Struct):
    """A row: one line that messages wait for. `failures` is how often in a row its phones did not take the first
    one."""

    user: str
    waiting: int
    octets: int
    oldest_at_ms: int
    expires_at_ms: int
    on_their_way: int
    failures: int


def waiting_messages(waiting: Waiting, user: str = "") -> list[WaitingMessages]:
    """Every line's, or one line's."""
    return [
        WaitingMessages(
            user=name,
            waiting=len(queue.texts),
            octets=sum(len(text.content) for text in queue.texts.values()),
            oldest_at_ms=min(text.sent_ms for text in queue.texts.values()),
            expires_at_ms=min(text.expires_ms for text in queue.texts.values()),
            on_their_way=len(queue.on_their_way),
            failures=queue.failures,
        )
        for name, queue in waiting.queues.items()
        if user in ("", name)
    ]
