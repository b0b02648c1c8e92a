"""What the pages say, and who sees what."""

from care.lines.story import LivePhone
from care.looks import list_looks
from portal.roles import Role
from provisioning import service
from tests.care.stories import caller_leg, carrier_leg
from tests.portal.examples import DEAF, FAILED, GOOD, at_sunday
from tests.portal.visitors import House, in_house, words_of


@in_house
async def test_a_time_a_cli_and_a_ddi_lead_to_the_call(house: House) -> None:
    await house.town.build()
    browser = await house.logged_in("anna")
    answer = await browser.get("/", params={"at": "10:15", "cli": "01632 960001", "ddi": "...0123"})
    words = words_of(answer)
    assert answer.status_code == 200
    assert "2 calls:" in words and "from 01632 960001" in words
    assert f"/calls/{GOOD}" in answer.text and f"/calls/{DEAF}" in answer.text and FAILED not in answer.text
    assert "one-way audio" in words and "£0.0124" in words
    assert "No call was found" in words_of(await browser.get("/", params={"at": "09:15", "within": "10"}))


@in_house
async def test_a_call_that_is_up_is_found_and_has_a_page(house: House) -> None:
    await house.town.build()
    browser = await house.logged_in("anna", Role.ENGINEER)
    up = {"outcome": "open", "reason": "", "ended_by": "", "sip_status": 0}
    legs = [caller_leg(**up, dialled="<b>0207</b>"), carrier_leg(**up)]
    house.switch.calls = [[at_sunday(leg, "call-up", house.town.account_id, 60_000) for leg in legs]]
    found = await browser.get("/", params={"at": "10:16", "cli": "01632 960001"})
    words = words_of(found)
    assert words.index("Up now") < words.index("still up") < words.index("On record")
    assert "/calls/call-up" in found.text
    assert "still up" in words_of(await browser.get("/lines/alice"))
    alone = words_of(await browser.get("/", params={"line": "alice", "outcome": "open"}))
    assert "still up" in alone and "No call was found" not in alone
    page = await browser.get("/calls/call-up")
    words = words_of(page)
    assert page.status_code == 200
    assert "This call is still up" in words and "It is still up, 1 minute 1 second after the answer." in words
    assert "No fault was found" not in words and "Sample Bakery Ltd" in words
    assert "&lt;b&gt;0207" in page.text and "<b>0207" not in page.text
    (look,) = [each for each in await list_looks(house.db) if each.call_id == "call-up"]
    assert (look.staff, look.what, look.account) == ("anna", "call", "Sample Bakery Ltd")
    sent = await browser.send("/faults/new?call=call-up", "/faults/new", call="call-up", kind="one-way", words="deaf")
    assert sent.status_code == 303
    assert "/calls/call-up" in (await browser.get(sent.headers["location"])).text
    house.switch.is_away = True
    words = words_of(await browser.get("/", params={"at": "10:16", "cli": "01632 960001"}))
    assert "Calls that are up are not searched: the switch does not answer" in words
    assert "alice answered" in words
    assert (await browser.get("/calls/call-up")).status_code == 404


@in_house
async def test_a_question_that_cannot_be_read_is_told_beside_the_form(house: House) -> None:
    browser = await house.logged_in("anna")
    for query in ({"at": "25:99"}, {"ddi": "...1"}, {"within": "1e3"}, {"account": "nobody"}, {"after": "x"}):
        answer = await browser.get("/", params=query)
        assert answer.status_code == 400 and 'role="alert"' in answer.text, query
    for path in (
        "/?colour=red",
        "/?at=10&at=11",
        f"/?at={'1' * 301}",
        "/?order=cost",
        "/?at=%ff",
        "/?at=a%00b",
    ):
        assert (await browser.get(path)).status_code in (400, 413), path
    assert (await browser.get(f"/?at={'1' * 5000}")).status_code == 414


@in_house
async def test_the_page_of_a_call_tells_what_happened(house: House) -> None:
    await house.town.build()
    browser = await house.logged_in("anna", Role.ENGINEER)
    good = await browser.get(f"/calls/{GOOD}")
    words = words_of(good)
    assert good.status_code == 200
    assert "No fault was found in this call" in words
    assert "£0.0124 for the call, paid by Sample Bakery Ltd" in words and "Costs us" in words
    assert "41 of 3101 (1.3 %)" in words
    assert 'id="m0"' in good.text and 'href="#m0"' in good.text
    failed = words_of(await browser.get(f"/calls/{FAILED}"))
    assert "No fault was found" not in failed and "503" in failed


@in_house
async def test_support_sees_the_ladder_and_no_message_and_no_buying_price(house: House) -> None:
    await house.town.build()
    browser = await house.logged_in("anna", Role.SUPPORT)
    page = await browser.get(f"/calls/{GOOD}")
    assert "<svg" in page.text and "Retransmission" not in page.text
    assert "INVITE" in page.text and "z9hG4bK" not in page.text and 'class="message"' not in page.text
    assert "Costs us" not in page.text


@in_house
async def test_a_line_shows_its_registrations_with_gaps_and_refused_logins(house: House) -> None:
    await house.town.build()
    house.switch.is_away = True  # the books alone
    browser = await house.logged_in("anna")
    words = words_of(await browser.get("/lines/alice"))
    assert "Sample Bakery Ltd" in words and "01632 960001" in words
    assert "1 phone registered now: Desk Phone 7/1.2.3 from" in words
    assert "for 3 h 0 min, after expired" in words
    assert "refused 3 times wrong password" in words
    assert "Latest calls" in words and GOOD in (await browser.get("/lines/alice")).text
    assert (await browser.get("/lines/alice?days=30")).status_code == 200
    assert (await browser.get("/lines/bob")).status_code == 404


@in_house
async def test_what_is_not_there_and_who_may_not_is_told_in_words(house: House) -> None:
    browser = await house.logged_in("anna")
    for path in (
        "/calls/none",
        "/calls/%00",
        "/calls/a%0ab",
        f"/calls/{'x' * 200}",
        "/nothing",
        "/lines/%e2%80%ae",
    ):
        answer = await browser.get(path)
        assert answer.status_code == 404 and "To the search" in answer.text, path
    house.is_away = True
    answer = await browser.get("/calls/none")
    assert answer.status_code == 503 and "Calls go on without it" in words_of(answer)
    assert (await browser.get("/healthz")).text == "ok\n"


@in_house
async def test_every_answer_forbids_scripts_frames_and_keeping(house: House) -> None:
    browser = await house.logged_in("anna")
    for path in ("/", "/login", "/nothing", "/healthz"):
        headers = (await browser.get(path)).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert (
            "unsafe" not in headers["content-security-policy"]
            and "script-src" not in headers["content-security-policy"]
        )
        assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    styles = await browser.get("/static/portal.css")
    assert "immutable" in styles.headers["cache-control"] and ".fd-svg" in styles.text


@in_house
async def test_a_bug_ends_one_request_and_says_nothing_of_itself(house: House) -> None:
    browser = await house.logged_in("anna")
    house.desk.care = None  # type: ignore[assignment]
    answer = await browser.get("/", params={"at": "10:15"})
    assert answer.status_code == 500 and "NoneType" not in answer.text and house.counts.bugs == 1
    assert (await browser.get("/")).status_code == 200


@in_house
async def test_each_look_is_on_record_before_it_is_answered(house: House) -> None:
    await house.town.build()
    browser = await house.logged_in("anna", Role.ADMIN)
    await browser.get("/", params={"at": "10:15", "line": "alice"})
    await browser.get(f"/calls/{GOOD}")
    await browser.get("/calls/none")
    await browser.get("/lines/alice")
    await browser.get(f"/calls/{GOOD}/export/json")
    looks = await house.db.fetch("SELECT staff, what, account_id, call_id, why FROM looks ORDER BY id")
    assert [tuple(look) for look in looks] == [
        ("anna", "search", None, "", "22 Nov 2026 10:00 to 10:30 GMT, line alice"),
        ("anna", "call", house.town.account_id, GOOD, ""),
        ("anna", "call", None, "none", ""),
        ("anna", "line", house.town.account_id, "", "alice"),
        ("anna", "export", house.town.account_id, GOOD, ""),
    ]
    words = words_of(await browser.get("/looks", params={"account": "Sample Bakery Ltd"}))
    assert "anna line Sample Bakery Ltd" in words and "search" not in words
    assert await house.db.fetchval("SELECT count(*) FROM looks WHERE what = 'looks'") == 1


@in_house
async def test_a_role_sees_what_it_may_and_no_more(house: House) -> None:
    await house.town.build()
    paths = ("/", "/faults", f"/calls/{GOOD}", f"/calls/{GOOD}/export/pcapng", "/looks")
    for name, role, expected in (
        ("anna", Role.SUPPORT, [200, 200, 200, 403, 403]),
        ("bert", Role.ENGINEER, [200, 200, 200, 200, 403]),
        ("cara", Role.ADMIN, [200, 200, 200, 200, 200]),
    ):
        browser = await house.logged_in(name, role)
        assert [(await browser.get(path)).status_code for path in paths] == expected
    stranger = house.browser()
    assert [(await stranger.get(path)).status_code for path in paths] == [303] * 5
    assert (await stranger.post("/faults/new", form="x")).status_code == 403


@in_house
async def test_a_call_is_taken_away_as_files_that_no_browser_shows(house: House) -> None:
    await house.town.build()
    browser = await house.logged_in("anna", Role.ENGINEER)
    begins = {
        "pcapng": b"\x0a\x0d\x0d\x0a", "ladder": b"", "json": b"{", "legs": b"", "messages": b"", "bundle/1": b"PK",
    }  # fmt: skip
    for kind, start in begins.items():
        answer = await browser.get(f"/calls/{GOOD}/export/{kind}")
        assert answer.status_code == 200 and answer.content.startswith(start) and len(answer.content) > 100, (
            kind
        )
        assert answer.headers["content-disposition"].startswith('attachment; filename="call-call-good'), kind
    for kind in ("exe", "bundle/2", "bundle/..", "pcapng/.."):
        assert (await browser.get(f"/calls/{GOOD}/export/{kind}")).status_code == 404, kind


@in_house
async def test_a_fault_from_its_call_until_it_is_closed(house: House) -> None:
    await house.town.build()
    browser = await house.logged_in("anna")
    form = await browser.get("/faults/new", params={"call": DEAF})
    assert 'value="01632 960001"' in form.text and 'value="alice"' in form.text
    opened = await browser.send(
        f"/faults/new?call={DEAF}", "/faults/new", call=DEAF, line="alice", time_code="10:27", kind="one-way",
        words="I heard them,\r\nthey did not hear me <b>", reporter="The Manager",
    )  # fmt: skip
    place = opened.headers["location"]
    words = words_of(await browser.get(place))
    assert opened.status_code == 303 and "Sample Bakery Ltd" in words and "one way" in words
    assert "they did not hear me <b>" in words and DEAF in words and "answer due in" in words
    for fields in (
        {"do": "check", "words": "Restart the router."},
        {"do": "note", "words": "Looks like the router."},
        {"do": "state", "value": "waiting"},
        {"do": "attach", "value": GOOD},
    ):
        assert (await browser.send(place, place, **fields)).status_code == 303, fields
    page = await browser.get(place)
    form = page.text.partition('name="do" value="checked">')[2]
    check = form.partition('name="value" value="')[2].partition('"')[0]
    for fields in (
        {"do": "checked", "value": check, "words": "It helped."},
        {"do": "close", "value": "customer-equipment", "words": "A router."},
    ):
        assert (await browser.send(place, place, **fields)).status_code == 303, fields
    words = words_of(await browser.get(place))
    assert "closed" in words and "customer equipment" in words and "It helped." in words
    listed = place.rpartition("/")[2]
    assert listed not in (await browser.get("/faults")).text
    assert listed in (await browser.get("/faults?list=closed")).text


@in_house
async def test_what_a_fault_cannot_be_is_refused_in_words(house: House) -> None:
    await house.town.build()
    browser = await house.logged_in("anna")
    answer = await browser.send("/faults/new", "/faults/new", line="nobody", words="x\r\n</textarea>y")
    assert ">x\n&lt;/textarea&gt;y</textarea>" in answer.text
    assert (
        answer.status_code == 400
        and "there is no line" in words_of(answer)
        and 'value="nobody"' in answer.text
    )
    assert (await browser.send("/faults/new", "/faults/new", words="x", kind="?")).status_code == 400
    opened = await browser.send("/faults/new", "/faults/new", words="no dialling tone")
    place = opened.headers["location"]
    for fields in (
        {"do": "state", "value": "gone"}, {"do": "explode"}, {"do": "note", "words": " "},
        {"do": "attach", "value": "x"}, {"do": "checked", "value": "1", "words": "x"}, {"do": "close", "value": ""},
        {"do": "note", "words": "x\u202ey"},
    ):  # fmt: skip
        assert (await browser.send(place, place, **fields)).status_code in (400, 404), fields
    assert (await browser.get("/faults/F-22222")).status_code == 404
    assert (await browser.get("/faults/<b>")).status_code == 404
    assert (await browser.get("/faults?list=all")).status_code == 400
    assert (await browser.post(place, do="note", words="x", form="0" * 64)).status_code == 403


@in_house
async def test_the_page_of_a_line_says_why_it_does_not_ring(house: House) -> None:
    await house.town.build()
    browser = await house.logged_in("anna")
    house.switch.registered = [LivePhone("alice", "sip:a@x", "udp:192.0.2.10:5062", 60, "Yealink <b>", is_dead=False)]
    page = await browser.get("/lines/alice")
    words = words_of(page)
    assert "1 phone registered now: Yealink <b> from 192.0.2.10:5062." in words
    assert "Nothing keeps it from ringing." in words and "<b>" not in page.text
    await service.set_line(house.db, "alice", settings=["does_not_disturb=yes"])
    assert "Do not disturb is on customer's use" in words_of(await browser.get("/lines/alice"))
    house.switch.is_away = True
    words = words_of(await browser.get("/lines/alice"))
    assert "The switch does not answer (FileNotFoundError), so what follows is from the books." in words
