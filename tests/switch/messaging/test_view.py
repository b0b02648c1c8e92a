"""What the operator sees of messages that wait: whom for and how many, never what they say."""

from prometheus_client.core import Metric

from switch.message_metrics import message_metrics
from switch.waiting_view import waiting_messages
from tests.switch.house import STARTED_AT_S
from tests.switch.messaging.texts import answer_with, make_house, text


def test_the_operator_sees_how_many_wait_for_which_line() -> None:
    house, alice, bob = make_house()
    answer_with(bob, 486)
    text(alice, "bob", b"12345")
    house.run(5)
    text(alice, "carol", b"a secret word")
    text(alice, "carol", b"another")
    rows = waiting_messages(house.exchange.messaging.waiting)
    assert [(row.user, row.waiting, row.octets, row.failures) for row in rows] == [
        ("bob", 1, 5, 1),
        ("carol", 2, 20, 0),
    ]
    assert rows[0].oldest_at_ms // 1000 - STARTED_AT_S < 3
    assert rows[0].expires_at_ms - rows[0].oldest_at_ms == 7 * 86_400_000
    assert [row.user for row in waiting_messages(house.exchange.messaging.waiting, "carol")] == ["carol"]
    assert "secret" not in repr(rows)


def samples(metrics: list[Metric]) -> dict[tuple[str, str], float]:
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def test_the_metrics_count_them() -> None:
    house, alice, _ = make_house()
    text(alice, "bob")
    text(alice, "carol")
    found = samples(list(message_metrics(house.exchange.messaging)))
    assert found["offhook_messages_total", "200"] == found["offhook_messages_total", "202"] == 1
    assert found["offhook_messages_waiting", ""] == found["offhook_messages_waiting_lines", ""] == 1
    assert found["offhook_messages_charged_pounds_total", ""] == 0
