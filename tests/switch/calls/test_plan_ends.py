"""How a plan's rings and words end, on the whole exchange: each in its own time, and the last of them with the call."""

from provisioning.model import Number
from tests.switch.calls.test_plans import MOBILE, Office

SALES = "+441632960003"  # carol's, as a member of a group


def test_words_that_are_a_plans_end_are_its_end() -> None:
    office = Office('start = "a"\nfallback = "b"\n[a]\nannounce = "closed"\n[b]\nvoicemail = "bob"\n')
    office.voicemail.announces(480, after_s=3.0)
    office.call(5)
    assert [uri.partition(";")[0] for uri in office.voicemail.asked] == ["announce.closed"]
    assert office.alice.statuses[-2:] == [183, 480]
    office.end()


def test_what_a_plan_rings_last_is_rung_no_longer_than_the_plan_says() -> None:
    office = Office('start = "a"\n[a]\nline = "carol"\nring = 8\ndiverts = false\n')
    office.carol.answer_after_s = None
    office.call(7.5)
    assert office.alice.statuses[-1] == 180
    office.house.run(1)
    assert office.alice.statuses[-1] == 480
    assert office.carol.requests_of("CANCEL")
    office.end()
    assert [row.outcome for row in office.rows()] == ["plan_ended", "no_answer"]


def test_each_of_many_has_its_own_time_however_long_the_others_had() -> None:
    plan = "".join(
        f'[n{place}]\n{who}\nring = 50\nelse = "n{place + 1}"\n'
        for place, who in enumerate(['line = "carol"', 'line = "dave"', 'line = "carol"', f'number = "{MOBILE}"'])
    )
    office = Office(f'start = "n0"\n{plan}[n4]\nline = "dave"\nring = 20\n')
    for phone in (office.carol, office.dave, office.mobile):
        phone.answer_after_s = None
    office.call(199)
    assert office.mobile.requests_of("INVITE") and not office.mobile.requests_of("CANCEL")
    office.house.run(23)
    assert office.alice.statuses[-1] == 480
    office.end()
    rang = [round((row.ended_at_ms - row.setup_at_ms) / 1000) for row in office.rows()[1:]]
    assert rang == [50, 50, 50, 50, 20]


def test_a_group_of_a_line_a_carrier_and_a_number_of_ours() -> None:
    office = Office(
        f'start = "a"\n[a]\ngroup = ["line dave", "number {MOBILE}", "number {SALES}"]\nstrategy = "together"\n'
    )
    office.house.exchange.books.numbers[SALES] = Number(SALES, "carol")
    for phone in (office.carol, office.dave, office.mobile):
        phone.answer_after_s = None
    office.call()
    board = office.house.exchange.board
    assert [len(phone.requests_of("INVITE")) for phone in (office.carol, office.dave, office.mobile)] == [1, 1, 1]
    assert board.of_trunk["out"] == 1 and board.of_line["carol"] == 1
    office.house.run(25)
    assert office.alice.statuses[-1] == 480
    office.end()
    assert not any(board.of_trunk.values()) and not any(board.of_line.values())
