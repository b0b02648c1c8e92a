"""/complaints: read as the command shows them, each look on record, nothing of anybody's taken for markup."""

import datetime
import os
from datetime import UTC
from pathlib import Path

from portal.fault_files import FaultFiles
from portal.process import shipped_conf
from portal.roles import Role
from provisioning import complaints
from provisioning.complaints import Channel, Ending, LetterWay, NewComplaint, entry
from tests.portal.examples import NOW
from tests.portal.visitors import House, in_house, words_of

HOSTILE = "<b>bold</b> {{ 7 * 7 }}\n</p><script>x</script>"


async def opened(house: House, **facts: object) -> str:
    new = NewComplaint(
        **{"words": "nobody rings back", "account": "Sample Bakery Ltd", "reporter": "The Manager", **facts}  # type: ignore[arg-type]
    )
    return (await complaints.open_complaint(house.db, new, staff="sam", now=NOW)).complaint.reference


@in_house
async def test_what_is_due_first_stands_first_and_what_is_overdue_says_so(house: House) -> None:
    await house.town.build()
    new = await opened(house)
    old = await opened(
        house, received_at=datetime.datetime(2026, 10, 5, 8, tzinfo=UTC), channel=Channel.LETTER
    )
    browser = await house.logged_in("anna", Role.ADMIN)
    page = await browser.get("/complaints")
    words = words_of(page)
    assert page.status_code == 200 and words.index(old) < words.index(new)
    assert "letter overdue Mon 16 Nov 2026" in words and "acknowledgement overdue" in words
    assert "letter about the scheme Sun 3 Jan 2027" in words
    assert "list open" in words_of(await browser.get("/looks"))
    await complaints.add(house.db, old, entry.closed(Ending.WITHDRAWN), staff="sam")
    assert old not in (await browser.get("/complaints")).text
    assert old in (await browser.get("/complaints?list=closed")).text
    assert new in (await browser.get("/complaints?account=sample bakery ltd")).text
    assert new not in (await browser.get("/complaints?account=nobody")).text


@in_house
async def test_one_with_its_letter_and_all_that_was_said(house: House) -> None:
    await house.town.build()
    at = NOW - datetime.timedelta(days=3)
    reference = await opened(house, received_at=at)
    for each in (
        entry.acknowledged("rang back", at),
        entry.outcome("the bill is right", at),
        entry.deadlock("", at),
        entry.letter(LetterWay.POST, "Dear Manager,\nyou have the right", NOW.date()),
    ):
        await complaints.add(house.db, reference, each, staff="sam", now=NOW)
    browser = await house.logged_in("anna", Role.ADMIN)
    words = words_of(await browser.get(f"/complaints/{reference}"))
    for said in (
        "deadlock",
        "rang back",
        "the bill is right",
        "Letter Sun 22 Nov 2026 by post",
        "The Manager",
        "you have",
    ):
        assert said in words
    assert reference in words_of(await browser.get("/looks"))


@in_house
async def test_a_hostile_complaint_is_text(house: House) -> None:
    await house.town.build()
    reference = await opened(house, words=HOSTILE, reporter="<i>a</i>", contact="<u>b</u>")
    await complaints.add(house.db, reference, entry.note(HOSTILE), staff="<s>")
    browser = await house.logged_in("anna")
    for path in ("/complaints", f"/complaints/{reference}"):
        page = await browser.get(path)
        assert page.status_code == 200
        for tag in ("<script", "<b>", "<i>", "<u>", "<s>"):
            assert tag not in page.text
        assert "{{ 7 * 7 }}" in words_of(page)


@in_house
async def test_what_is_not_there_is_said_and_strangers_see_nothing(house: House) -> None:
    await house.town.build()
    reference = await opened(house)
    browser = await house.logged_in("anna")
    for path, status in (
        ("/complaints/C-22222", 404),
        ("/complaints/<b>", 404),
        ("/complaints/F-22222", 404),
        ("/complaints?list=all", 400),
        ("/complaints?drop=1", 400),
        (f"/complaints/{reference}?x=1", 400),
    ):
        assert (await browser.get(path)).status_code == status, path
    for path in ("/complaints", f"/complaints/{reference}"):
        assert (await house.browser().get(path)).status_code == 303
    assert (await browser.post(f"/complaints/{reference}", do="note")).status_code == 405


def test_the_file_of_time_limits_is_taken_over_when_it_changes_and_never_when_it_is_wrong(
    tmp_path: Path,
) -> None:
    files = FaultFiles(tmp_path, shipped_conf())
    assert [each.weeks for each in files.tables().complaint_terms.limits] == [8, 6]
    for version, text in enumerate(
        ("[[letter]]\nfrom = 2000-01-01\nweeks = 4\n", "[[letter]]\nweeks = 0\n"), 1
    ):
        (tmp_path / "complaints.toml").write_text(text, encoding="utf-8")
        os.utime(tmp_path / "complaints.toml", ns=(version, version))
        assert [each.weeks for each in files.tables().complaint_terms.limits] == [4]
