"""What the documents of message-summary, reg and presence say (RFC 3842, 3680, 3856)."""

from xml.etree import ElementTree

import pytest

from switch.calls.own_answers import ALLOW_EVENTS
from switch.events.message_summary import MessageCount, MessageSummary
from switch.events.xml_text import escaped, is_plain_document
from tests.switch.events.watcher import Watch, town
from tests.switch.house import DOMAIN, House, make_line

REGINFO = "{urn:ietf:params:xml:ns:reginfo}"


class OneMailbox:
    """alice has one."""

    def __init__(self) -> None:
        self.alice = MessageCount(0, 0)

    def count(self, user: str) -> MessageCount | None:
        return self.alice if user == "alice" else None


def test_options_names_every_package() -> None:
    assert town().exchange.events.notifier.allow_events == ALLOW_EVENTS


def test_a_line_without_a_mailbox_has_no_message_waiting() -> None:
    """An error would make its phone complain, or ask for ever."""
    house = town()
    watch = Watch(house.phone("alice", "192.0.2.10"), "alice", "message-summary")
    assert watch.status == 200
    assert watch.bodies() == [b"Messages-Waiting: no\r\n"]
    assert watch.notifies()[0].headers.get("content-type") == "application/simple-message-summary"


def test_the_summary_counts_new_and_old_messages() -> None:
    mailboxes = OneMailbox()
    package = MessageSummary(mailboxes, DOMAIN)
    mailboxes.alice = MessageCount(2, 8, 0, 2)
    assert package.document(make_line("alice"), 0, 0.0).content == (
        b"Messages-Waiting: yes\r\nMessage-Account: sip:alice@example.com\r\nVoice-Message: 2/8 (0/2)\r\n"
    )
    mailboxes.alice = MessageCount(0, 3)
    assert package.document(make_line("alice"), 0, 0.0).content.startswith(b"Messages-Waiting: no\r\n")
    assert package.document(make_line("bob"), 0, 0.0).content == b"Messages-Waiting: no\r\n"


def test_a_mailbox_that_changes_lights_the_lamp() -> None:
    house = town()
    mailboxes = OneMailbox()
    notifier = house.exchange.events.notifier
    notifier.packages["message-summary"] = MessageSummary(mailboxes, DOMAIN)
    watch = Watch(house.phone("alice", "192.0.2.10"), "alice", "message-summary")
    mailboxes.alice = MessageCount(1, 0)
    notifier.changed("message-summary", "alice", house.clock.now)
    house.run(2)
    assert [body.splitlines()[0] for body in watch.bodies()] == [
        b"Messages-Waiting: no",
        b"Messages-Waiting: yes",
    ]


def reginfo(body: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(body)


def test_a_line_sees_its_own_registrations() -> None:
    house = town()
    desk, mobile = house.phone("alice", "192.0.2.10"), house.phone("alice", "192.0.2.11", seed=8)
    watch = Watch(desk, "alice", "reg")
    mobile.contact = "sip:alice@192.0.2.11:5060;x=\"&<'"
    mobile.contact = "sip:alice@192.0.2.11:5060;x=a&b"
    mobile.register()
    house.run(6)
    documents = [reginfo(body) for body in watch.bodies()]
    assert [document.get("version") for document in documents] == ["0", "1"]
    assert {document.get("state") for document in documents} == {"full"}
    before, after = (document.find(f"{REGINFO}registration") for document in documents)
    assert before is not None and after is not None
    assert (before.get("state"), after.get("state")) == ("init", "active")
    assert after.get("aor") == "sip:alice@example.com"
    assert [uri.text for uri in after.iter(f"{REGINFO}uri")] == [mobile.contact]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a<b>&"c"', "a&lt;b&gt;&amp;&quot;c&quot;"),
        ("\0\x1b\udcff\ufffe", "\ufffd" * 4),
        ("gr\xfc\xdfe \U0001f4de", "gr\xfc\xdfe \U0001f4de"),
    ],
)
def test_text_in_xml_is_escaped(text: str, expected: str) -> None:
    assert escaped(text) == expected
    assert ElementTree.fromstring(f'<a b="{escaped(text)}">{escaped(text)}</a>').text is not None


def test_the_look_at_a_document_takes_time_in_proportion() -> None:
    assert is_plain_document(b"<" * 100_000)
    assert is_plain_document(b"<?xml " * 20_000)
    assert is_plain_document(b"<!" * 50_000)
    assert is_plain_document(b"<! " + b" " * 100_000)


def test_the_derived_presence_is_one_tuple() -> None:
    house = House(lines=[make_line("alice"), make_line("o'b&r")])
    watch = Watch(house.phone("alice", "192.0.2.10"), "o'b&r")
    root = ElementTree.fromstring(watch.bodies()[0])
    assert root.get("entity") == "sip:o'b&r@example.com"
    assert [basic.text for basic in root.iter("{urn:ietf:params:xml:ns:pidf}basic")] == ["closed"]
