"""The books in memory follow the change table."""

from provisioning.model import (
    AccountBalance,
    AccountChanged,
    AccountPlan,
    DigestPolicy,
    LineAddress,
    LineChanged,
    LineKind,
    LineRemoved,
    Number,
    NumberChanged,
    NumberRemoved,
    PlanChanged,
    PlanRemoved,
    Snapshot,
)
from provisioning.plans.plan_text import read_plan
from switch.books import Books
from switch.sip.flow import Flow
from tests.switch.house import make_account, make_line

ONE, TWO = "+441632960001", "+441632960002"


def make_books() -> Books:
    books = Books()
    books.load(
        Snapshot(
            taken_at_ms=0,
            change_seq=7,
            journal_epoch="",
            journal_batch=0,
            accounts=[make_account(1)],
            balances=[AccountBalance(1, 0, 0)],
            lines=[make_line("alice"), make_line("bob")],
            numbers=[Number(ONE, "alice"), Number(TWO, "alice")],
        )
    )
    return books


def test_the_network_number_is_the_lines_cli_or_its_first_number() -> None:
    books = make_books()
    assert books.network_number_of(books.lines["alice"]) == ONE
    assert books.network_number_of(make_line("alice", cli=TWO)) == TWO
    assert books.network_number_of(books.lines["bob"]) == ""


def test_a_line_may_present_only_its_own_numbers() -> None:
    books = make_books()
    assert books.may_present(books.lines["alice"], TWO)
    assert not books.may_present(books.lines["bob"], TWO)
    assert books.may_present(make_line("bob", cli="+441632960009"), "+441632960009")


def test_digest_policies_in_use_are_counted_through_every_change() -> None:
    books = make_books()
    books.apply(LineChanged(make_line("carol", digest=DigestPolicy.SHA256)))
    assert books.digest_policies == {DigestPolicy.MD5: 2, DigestPolicy.SHA256: 1}
    books.apply(LineChanged(make_line("alice", digest=DigestPolicy.SHA256)))
    books.apply(LineRemoved("bob"))
    books.apply(LineRemoved("nobody"))
    assert dict(books.digest_policies) == {DigestPolicy.SHA256: 2}


def test_a_number_moves_from_line_to_line() -> None:
    books = make_books()
    books.apply(NumberChanged(Number(ONE, "bob")))
    assert books.numbers[ONE].line == "bob"
    assert books.numbers_of_line == {"alice": (TWO,), "bob": (ONE,)}


def test_a_trunk_is_found_by_where_it_sends_from() -> None:
    books = make_books()
    assert books.line_at(Flow("UDP", "203.0.113.9", 5060, "192.0.2.1", 5060)) is None
    here = LineAddress("udp", "203.0.113.9", 5060)
    by_tcp = LineAddress("tcp", "203.0.113.10", 5060)
    pbx = make_line("pbx", kind=LineKind.TRUNK, addresses=(here, by_tcp))
    books.apply(LineChanged(pbx))

    def found(transport: str, host: str, port: int) -> str:
        line = books.line_at(Flow(transport, host, port, "192.0.2.1", 5060))
        return line.user if line is not None else ""

    assert found("UDP", "203.0.113.9", 5060) == "pbx"
    assert found("TCP", "203.0.113.10", 49152) == "pbx"  # a connection comes from any port
    for stranger in (("UDP", "203.0.113.9", 5062), ("UDP", "203.0.113.10", 5060), ("TCP", "203.0.113.9", 5060),
                     ("TLS", "203.0.113.10", 5060), ("UDP", "203.0.113.99", 5060)):  # fmt: skip
        assert found(*stranger) == ""
    # The address moves to another line: whichever change comes first, it is that line's.
    books.apply(LineChanged(make_line("other", kind=LineKind.TRUNK, addresses=(here,))))
    books.apply(LineChanged(make_line("pbx", kind=LineKind.TRUNK, addresses=(by_tcp,))))
    assert (found("UDP", "203.0.113.9", 5060), found("TCP", "203.0.113.10", 1)) == ("other", "pbx")
    books.apply(LineRemoved("pbx"))
    books.apply(LineChanged(make_line("other")))
    assert (found("UDP", "203.0.113.9", 5060), found("TCP", "203.0.113.10", 1)) == ("", "")
    assert books.lines_with_addresses() == []


def test_removals() -> None:
    books = make_books()
    books.apply(NumberRemoved(ONE))
    books.apply(NumberRemoved(TWO))
    books.apply(NumberRemoved(TWO))
    books.apply(LineRemoved("bob"))
    assert books.numbers_of_line == {}
    assert list(books.lines) == ["alice"]


def test_changes_replace_what_was_there() -> None:
    books = make_books()
    books.apply(AccountChanged(make_account(1, is_suspended=True)))
    books.apply(LineChanged(make_line("alice", account_id=2)))
    assert books.accounts[1].is_suspended
    assert books.account_of(books.lines["alice"]) is None


def test_plans_come_and_go_by_account_and_name() -> None:
    plan, other = read_plan('start="a"\n[a]\nline="1001"\n'), read_plan('start="a"\n[a]\nline="1002"\n')
    books = Books()
    books.apply(PlanChanged(AccountPlan(1, "day", 1, plan)))
    books.apply(PlanChanged(AccountPlan(1, "night", 1, plan)))
    books.apply(PlanChanged(AccountPlan(2, "day", 1, other)))
    assert books.plans == {1: {"day": plan, "night": plan}, 2: {"day": other}}
    books.apply(PlanChanged(AccountPlan(1, "day", 2, other)))
    books.apply(PlanRemoved(1, "night"))
    books.apply(PlanRemoved(2, "day"))
    books.apply(PlanRemoved(3, "day"))
    assert books.plans == {1: {"day": other}}
