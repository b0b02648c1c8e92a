"""The pages in a real Chromium (Debian's), on a desk and on a phone, with scripts and without."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from portal.login_throttle import FREE_OF_PAIR
from portal.roles import Role
from tests.care.stories import caller_leg, carrier_leg
from tests.portal.examples import GOOD, at_sunday
from tests.portal.hostile import DOG, TYPED
from tests.portal.served import Served, served
from tests.portal.test_hostile_texts import CALL, build
from tests.portal.visitors import PASSWORD, House
from tests.postgres import PostgresServer

CHROMIUM = "/usr/bin/chromium"
FAULT = "/faults/F-7K3Q9"
COMPLAINT = "/complaints/C-7K3Q9"
WIDE, NARROW = (1280, 900), (390, 844)
PAGES = (
    "/", "/?at=10:15", f"/calls/{GOOD}", f"/calls/{CALL}", "/lines/alice", "/nothing", "/faults", "/faults/new",
    "/looks", FAULT, "/complaints", COMPLAINT, "/calls/call-up", "/?line=alice",
)  # fmt: skip

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def portal(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    async def fill(house: House) -> None:
        await build(house.town)
        await house.add("anna", Role.ADMIN)
        await house.add("bert", Role.SUPPORT)
        await house.town.add_fault("F-7K3Q9", TYPED)
        await house.town.add_complaint("C-7K3Q9", TYPED)
        up = {"outcome": "open", "reason": "", "ended_by": "", "sip_status": 0, "user_agent": TYPED[:120]}
        legs = [caller_leg(**up), carrier_leg(**up)]
        house.switch.calls = [[at_sunday(leg, "call-up", house.town.account_id, 60_000) for leg in legs]]

    dsn = postgres.new_database()
    with served(dsn, tmp_path_factory.mktemp("traces"), fill) as running:
        yield running
    postgres.drop_database(dsn)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Desk:
    """A browser's window, and what it complained of."""

    def __init__(self, chromium: Any, portal: Served, size: tuple[int, int], *, scripts: bool = True) -> None:
        self.context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            java_script_enabled=scripts,
            base_url=portal.address,
        )
        self.page = self.context.new_page()
        self.heard: list[str] = []
        self.page.on(
            "dialog", lambda dialog: (self.heard.append(f"dialog {dialog.message}"), dialog.dismiss())
        )
        self.page.on("pageerror", lambda error: self.heard.append(f"error {error}"))
        self.page.on("console", lambda said: self.heard.append(f"{said.type} {said.text}"))

    def log_in(self, name: str = "anna", password: str = PASSWORD) -> None:
        self.page.goto("/login")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.press("#password", "Enter")
        self.page.wait_for_load_state()


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def desk(request: pytest.FixtureRequest, chromium: Any, portal: Served) -> Iterator[Desk]:
    found = Desk(chromium, portal, request.param)
    yield found
    found.context.close()


def test_from_the_login_by_a_search_to_a_call_and_one_of_its_messages(desk: Desk) -> None:
    page = desk.page
    page.goto(f"/calls/{GOOD}")
    assert "/login" in page.url
    page.fill("#name", "anna")
    page.fill("#password", PASSWORD)
    page.click("main button")
    assert page.url.endswith(f"/calls/{GOOD}")
    page.click("header nav >> text=Calls")
    page.fill("#at", "10:15")
    page.fill("#cli", "01632 960 001")
    page.fill("#ddi", "...0123")
    page.press("#ddi", "Enter")
    page.wait_for_selector("text=from 01632 960001")
    page.click(f'a[href="/calls/{GOOD}"]')
    assert page.locator("h1").inner_text() == "01632 960001 \u2192 020 7946 0123"
    assert page.locator("pre:visible").count() == 0
    shown = page.locator("svg.fd-svg:visible").first
    shown.locator('a[href="#m3"]').click()
    assert page.url.endswith("#m3")
    assert page.locator("pre:visible").count() == 1
    text = page.locator("#m3 pre").inner_text()
    assert text.startswith("INVITE sip:+442079460123@example.com SIP/2.0\n") and "CSeq: 2 INVITE" in text
    assert page.locator("#m3").evaluate("e => e.getBoundingClientRect().top") < 400
    page.click("text=Show all")
    assert page.locator("pre:visible").count() == page.locator(".message").count() > 10
    assert desk.heard == []


def test_nothing_has_to_be_scrolled_sideways_and_every_target_is_large_enough(desk: Desk) -> None:
    desk.log_in()
    width = desk.page.viewport_size["width"]
    for path in PAGES:
        desk.page.goto(path)
        found = desk.page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth]")
        assert max(found) <= width, path
        small = desk.page.evaluate(
            "[...document.querySelectorAll('button, .button, input:not([type=hidden]), select, header nav a')]"
            ".map(e => e.closest('label') || e)"
            ".filter(e => e.offsetParent && e.getBoundingClientRect().height < 24).map(e => e.outerHTML)"
        )
        assert small == [], path


def test_a_page_is_read_and_a_form_is_sent_without_scripts(chromium: Any, portal: Served) -> None:
    desk = Desk(chromium, portal, NARROW, scripts=False)
    desk.log_in()
    desk.page.goto(f"/calls/{GOOD}#m0")
    assert desk.page.locator("#m0 pre").is_visible()
    desk.page.click("text=Log out")
    assert "/login" in desk.page.url
    desk.page.goto("/")
    assert "/login" in desk.page.url
    desk.context.close()


def test_a_hostile_text_runs_nothing_and_stands_there_as_it_was_written(desk: Desk) -> None:
    desk.log_in()
    for path in (f"/calls/{CALL}#messages", "/lines/alice", "/?line=alice"):
        desk.page.goto(path)
        assert desk.page.locator(f"#{DOG}").count() == 0, path
        assert desk.page.locator("script, img, iframe, b").count() == 0, path
        assert DOG not in desk.page.title(), path
    desk.page.goto(f"/calls/{CALL}#messages")
    texts = desk.page.locator("pre").all_inner_texts()
    assert any(f'<script>document.title="{DOG}"</script>' in text for text in texts)
    assert all("\u202e" not in text and "\x1b" not in text for text in texts)
    assert any("\\u202e" in text and "\\x1b[31m" in text for text in texts)
    assert desk.heard == []


def test_the_policy_would_stop_a_script_if_escaping_failed(desk: Desk) -> None:
    desk.log_in()
    desk.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<p onclick=\"document.title=1\" id=probe>x</p>')"
    )
    desk.page.evaluate("document.getElementById('probe').click()")
    assert desk.page.title() != "1"
    assert any("Content Security Policy" in said for said in desk.heard)


def test_who_guesses_is_told_to_wait(chromium: Any, portal: Served) -> None:
    desk = Desk(chromium, portal, WIDE)
    for _ in range(FREE_OF_PAIR):
        desk.log_in("bert", "not the password")
        assert "not right" in desk.page.locator("[role=alert]").inner_text()
    desk.log_in("bert")
    assert "Too many attempts" in desk.page.locator("[role=alert]").inner_text()
    desk.context.close()


def test_the_keyboard_reaches_everything_and_shows_where_it_is(desk: Desk) -> None:
    desk.log_in()
    desk.page.goto(f"/calls/{GOOD}")
    outlines, reached = [], set()
    for _ in range(45):
        desk.page.keyboard.press("Tab")
        found = desk.page.evaluate(
            "(() => { const e = document.activeElement, s = getComputedStyle(e);"
            " const hit = e.querySelector('.fd-hit');"
            " return [e.getAttribute('href') || e.tagName, s.outlineStyle + s.outlineWidth,"
            " hit ? getComputedStyle(hit).stroke : '']; })()"
        )
        reached.add(found[0])
        outlines.append(found[1] != "none0px" or found[2] not in ("", "none"))
    assert all(outlines)
    assert {"#content", "/", "#m0", "#m3"} <= reached


CONTRASTS = """
() => {
  const rgb = text => (text.match(/[0-9.]+/g) || []).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length == 3 || c[3] == 1) return c; } return [255, 255, 255]; };
  const part = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => { const f = c.slice(0, 3).map(v => part(v / 255));
    return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
  const bad = [];
  for (const e of document.querySelectorAll('main *, header *')) {
    const hasText = [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim());
    if (e.closest('svg') || !hasText || !e.offsetParent) continue;
    const a = light(rgb(getComputedStyle(e).color)), b = light(ground(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(e.textContent.trim().slice(0, 40) + ' ' + ratio.toFixed(2));
  }
  return bad;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast_enough(chromium: Any, portal: Served, scheme: str) -> None:
    desk = Desk(chromium, portal, WIDE)
    desk.page.emulate_media(color_scheme=scheme)
    desk.page.goto("/login")
    assert desk.page.evaluate(CONTRASTS) == []
    desk.log_in()
    for path in PAGES:
        desk.page.goto(path)
        assert desk.page.evaluate(CONTRASTS) == [], path
    desk.context.close()
