"""Whatever a caller puts into a name, a header or a description is text on a page, and is seen to be there."""

import re
from html.parser import HTMLParser

import msgspec

from portal.roles import Role
from rating.records import Cdr, MediaFigures, RegistrationEvent
from tests.care.stories import INVITE, caller_leg, carrier_leg, message, said, sdp
from tests.portal.examples import SUNDAY_MS, Town, registration, sound
from tests.portal.hostile import DOG, EVERYTHING, STORABLE, TYPED
from tests.portal.visitors import Browser, House, in_house
from traces.call_trace import TraceFlow

CALL = "call-hostile"
# Numbers, times and words of ours; everything else comes from a peer or from a customer.
OURS = frozenset({"call_id", "outcome", "event", "id", "leg_reason", "ended_by", "codec"})


class Markup(HTMLParser):
    """The elements and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def with_hostile_texts(record: msgspec.Struct) -> dict[str, str]:
    return {
        name: STORABLE
        for name in record.__struct_fields__
        if isinstance(getattr(record, name), str) and name not in OURS
    }


def hostile_cdr(leg: Cdr) -> Cdr:
    facts = with_hostile_texts(leg)
    return msgspec.structs.replace(leg, **{**facts, "line": "alice", "privacy": ""})


async def build(town: Town) -> None:
    await town.build()
    await town.add_call(CALL, hostile_cdr(caller_leg()), hostile_cdr(carrier_leg()), after_ms=1_000)
    head = message(
        INVITE, f"User-Agent: {EVERYTHING}", f"Subject: {EVERYTHING}", call_id=EVERYTHING, body=sdp()
    )
    start = head.replace(b"INVITE sip:", f"INVITE {EVERYTHING} sip:".encode("utf-8", "surrogatepass"), 1)
    answer = (
        message(f"SIP/2.0 503 {EVERYTHING}", f"Reason: {EVERYTHING}", body="v=0\r\n" + STORABLE)
        + b"\xff\xfe\x80"
    )
    named = message(INVITE, body=sdp()).replace(
        b"From: <", f'From: "{EVERYTHING}" <'.encode("utf-8", "surrogatepass")
    )
    town.add_trace(
        CALL,
        [
            said(1_000 + place, is_sent=place % 2 == 1, leg=place % 2, data=data)
            for place, data in enumerate((named, start, head, answer))
        ],
        TraceFlow("UDP", "192.0.2.10", 5062, "198.51.100.1", 5060),
        TraceFlow(STORABLE, STORABLE, 5062, STORABLE, 5060),
    )
    figures: MediaFigures = sound(CALL, 0, SUNDAY_MS + 65_000, packets=100)
    await town.add_sound(msgspec.structs.replace(figures, codec=STORABLE, **with_hostile_texts(figures)))
    event: RegistrationEvent = registration(SUNDAY_MS - 60_000, "refused")
    await town.add_registrations(
        msgspec.structs.replace(event, **{**with_hostile_texts(event), "line": "alice"})
    )


async def pages(browser: Browser) -> dict[str, str]:
    found = {}
    new = dict.fromkeys(("reporter", "contact", "time_code", "cli", "ddi"), TYPED[:200])
    fields = {**new, "line": "alice", "words": TYPED, "call": CALL}
    opened = await browser.send(f"/faults/new?call={CALL}", "/faults/new", **fields)
    assert opened.status_code == 303
    refused = await browser.send("/faults/new", "/faults/new", **{**fields, "line": "<b>"})
    assert refused.status_code == 400
    found["a form that was refused"] = refused.text
    for path in (
        f"/calls/{CALL}", "/lines/alice", "/?line=alice", "/faults", opened.headers["location"], "/looks",
        f"/faults/new?call={CALL}",
    ):  # fmt: skip
        answer = await browser.get(path)
        assert answer.status_code == 200, path
        found[path] = answer.text
    answer = await browser.get(
        "/", params={"line": EVERYTHING.encode("utf-8", "ignore").decode()[:120], "cause": "<b>"}
    )
    found["a question"] = answer.text
    return found


@in_house
async def test_a_hostile_text_is_text_on_every_page(house: House) -> None:
    await build(house.town)
    browser = await house.logged_in("anna", Role.ADMIN)
    for path, text in (await pages(browser)).items():
        page = Markup(text)
        assert not page.tags & {"script", "img", "b", "iframe", "object", "style"}, path
        assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"], path
        assert not [value for name, value in page.attributes if name == "id" and DOG in (value or "")], path
        for name, value in page.attributes:
            if name in ("href", "src", "action"):
                assert re.match(r"[/#]", value or "/") and not (value or "").startswith("//"), (
                    path,
                    name,
                    value,
                )
        hidden = [character for character in text if character != "\n" and not character.isprintable()]
        assert hidden == [], path
        assert DOG in text or path == "/looks", path
        assert "49" not in "".join(page.words).replace("7 * 7", "") or "{{ 7 * 7 }}" in "".join(page.words), (
            path
        )


@in_house
async def test_a_hostile_call_is_searched_for_as_it_stands(house: House) -> None:
    await build(house.town)
    browser = await house.logged_in("anna")
    answer = await browser.get("/", params={"sip_call_id": STORABLE[:250]})
    assert answer.status_code in (200, 400) and "<b id" not in answer.text
