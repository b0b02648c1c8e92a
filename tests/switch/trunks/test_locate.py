"""RFC 3263 as a table: what a zone says, and where a message goes by it. The weights of RFC 2782 by their frequency."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.trunks.locate import (
    ADDRESSES_MAX,
    ENDPOINTS_MAX,
    TARGETS_MAX,
    Answer,
    Choice,
    Endpoint,
    Located,
    Naptr,
    Question,
    Reach,
    Srv,
    Wanted,
    by_weight,
    in_order,
    locate,
)

ALL = Reach(("UDP", "TCP", "TLS"), ("A", "AAAA"))
ROUNDS_MAX = 5  # NAPTR, SRV, addresses, and the result


class Zone:
    """Records as a zone file has them: name, kind, values. What is not there is no record."""

    def __init__(self, text: str) -> None:
        self._answers: dict[Question, Answer] = {}
        self.asked: list[Question] = []
        for line in text.strip().splitlines():
            name, kind, *values = line.split()
            question = Question(name, kind)
            before = self._answers.get(question, Answer(300.0))
            self._answers[question] = _added(before, kind, values)

    def answer(self, question: Question) -> Answer:
        self.asked.append(question)
        return self._answers.get(question, Answer(60.0))

    def locate(self, wanted: Wanted, reach: Reach = ALL) -> Located:
        known: dict[Question, Answer] = {}
        for _ in range(ROUNDS_MAX):
            step = locate(wanted, known, reach)
            if isinstance(step, Located):
                return step
            assert step, "neither a result nor a question"
            known.update({question: self.answer(question) for question in step})
        raise AssertionError("the look-up does not end")


def _added(before: Answer, kind: str, values: list[str]) -> Answer:
    if values[0].startswith("!"):
        return Answer(0.0, problem=values[0][1:])
    if kind == "NAPTR":
        record = Naptr(int(values[0]), int(values[1]), values[2].strip('"'), values[3].strip('"'), values[4])
        return before._replace(naptrs=(*before.naptrs, record))
    if kind == "SRV":
        target = "" if values[3] == "." else values[3]
        record_ = Srv(int(values[0]), int(values[1]), int(values[2]), target)
        return before._replace(srvs=(*before.srvs, record_))
    return before._replace(addresses=(*before.addresses, *values))


def shown(located: Located) -> str:
    """In the order of the file where weights are equal."""
    return " ".join(str(endpoint) for endpoint in in_order(located, lambda: 0.0))


# The shape of RFC 3263 4.1's own example: example.com has NAPTR for TLS, TCP and UDP, in this order.
PUBLISHED = """
example.com              NAPTR 50  50 "s" "SIPS+D2T" _sips._tcp.example.com
example.com              NAPTR 90  50 "s" "SIP+D2T"  _sip._tcp.example.com
example.com              NAPTR 100 50 "s" "SIP+D2U"  _sip._udp.example.com
_sips._tcp.example.com   SRV   0 1 5061 server1.example.com
_sips._tcp.example.com   SRV   0 2 5061 server2.example.com
_sip._tcp.example.com    SRV   0 1 5060 server1.example.com
_sip._tcp.example.com    SRV   0 2 5060 server2.example.com
_sip._udp.example.com    SRV   0 1 5060 server1.example.com
server1.example.com      A     192.0.2.1
server2.example.com      A     192.0.2.2
server2.example.com      AAAA  2001:db8::2
example.com              A     192.0.2.80
"""
SRV_ONLY = """
_sip._udp.carrier.example SRV 20 0 5070 b.carrier.example
_sip._udp.carrier.example SRV 10 0 5060 a.carrier.example
_sip._tcp.carrier.example SRV 10 0 5080 a.carrier.example
a.carrier.example         A   192.0.2.11 192.0.2.12
b.carrier.example         A   192.0.2.13
carrier.example           A   192.0.2.80
"""


@pytest.mark.parametrize(
    ("zone", "host", "port", "transport", "reach", "expected"),
    [
        # NAPTR: the lowest order that we can speak, and no other order beside it (RFC 3403 4.1)
        (PUBLISHED, "example.com", 0, "", ALL, "tls:192.0.2.1:5061 tls:192.0.2.2:5061 tls:[2001:db8::2]:5061"),
        (PUBLISHED, "example.com", 0, "", Reach(), "tcp:192.0.2.1:5060 tcp:192.0.2.2:5060"),
        (PUBLISHED, "example.com", 0, "", Reach(("UDP",), ("A",)), "udp:192.0.2.1:5060"),
        # a transport that is named: its SRV; a port that is named: addresses alone (4.2)
        (PUBLISHED, "example.com", 0, "UDP", ALL, "udp:192.0.2.1:5060"),
        (PUBLISHED, "example.com", 5099, "", ALL, "udp:192.0.2.80:5099"),
        (PUBLISHED, "example.com", 5099, "TCP", ALL, "tcp:192.0.2.80:5099"),
        # no NAPTR: the SRV of every transport, by priority within each
        (
            SRV_ONLY, "carrier.example", 0, "", Reach(),
            "udp:192.0.2.11:5060 udp:192.0.2.12:5060 udp:192.0.2.13:5070 tcp:192.0.2.11:5080 tcp:192.0.2.12:5080",
        ),
        (SRV_ONLY, "carrier.example", 0, "TCP", ALL, "tcp:192.0.2.11:5080 tcp:192.0.2.12:5080"),
        # neither: addresses, UDP and the default ports
        ("a.example A 192.0.2.9", "a.example", 0, "", ALL, "udp:192.0.2.9:5060"),
        ("a.example A 192.0.2.9", "a.example", 0, "TCP", ALL, "tcp:192.0.2.9:5060"),
        ("a.example A 192.0.2.9", "a.example", 0, "TLS", ALL, "tls:192.0.2.9:5061"),
        # "." says that the service is not there, whatever addresses the name has (RFC 2782)
        ("_sip._udp.a.example SRV 0 0 5060 .\na.example A 192.0.2.9", "a.example", 0, "UDP", ALL, ""),
        # nobody has that name
        ("", "a.example", 0, "", ALL, ""),
        # NAPTR of other services, of other flags, without a replacement
        (
            'a.example NAPTR 1 1 "u" "E2U+sip" b.example\na.example NAPTR 1 2 "s" "SIP+D2S" _sip._sctp.a.example\n'
            "a.example A 192.0.2.9",
            "a.example", 0, "", ALL, "udp:192.0.2.9:5060",
        ),
        # a name server that fails at NAPTR, as many do
        ("a.example NAPTR !SERVFAIL\n_sip._udp.a.example SRV 0 0 5060 b.example\nb.example A 192.0.2.9", "a.example",
         0, "", ALL, "udp:192.0.2.9:5060"),
        # a target of two without an address, and one at port 0, that is nowhere
        (
            "_sip._udp.a.example SRV 0 0 5060 gone.example\n_sip._udp.a.example SRV 1 0 0 zero.example\n"
            "_sip._udp.a.example SRV 2 0 5060 b.example\nb.example A 192.0.2.9\nzero.example A 192.0.2.8",
            "a.example", 0, "UDP", ALL, "udp:192.0.2.9:5060",
        ),
    ],
)  # fmt: skip
def test_a_zone_leads_where_rfc_3263_says(
    zone: str, host: str, port: int, transport: str, reach: Reach, expected: str
) -> None:
    located = Zone(zone).locate(Wanted(host, port, transport), reach)
    assert shown(located) == expected
    assert located.problem == ""


@pytest.mark.parametrize(
    ("zone", "transport", "problem"),
    [
        # Without this the carrier's web server would get its calls while its SRV cannot be asked for.
        (
            "_sip._udp.a.example SRV !timeout\na.example A 192.0.2.80",
            "UDP",
            "SRV of _sip._udp.a.example: timeout",
        ),
        (
            "_sip._udp.a.example SRV 0 0 5060 b.example\nb.example A !SERVFAIL",
            "UDP",
            "A of b.example: SERVFAIL",
        ),
        ("_sip._tcp.a.example SRV !timeout", "", "SRV of _sip._tcp.a.example: timeout"),
    ],
)
def test_a_name_server_that_fails_is_no_answer(zone: str, transport: str, problem: str) -> None:
    located = Zone(zone).locate(Wanted("a.example", 0, transport), Reach())
    assert (located.groups, located.problem) == ((), problem)


def test_one_of_two_hosts_that_cannot_be_looked_up_is_left_out() -> None:
    zone = Zone(
        "_sip._udp.a.example SRV 0 0 5060 b.example\n_sip._udp.a.example SRV 1 0 5060 c.example\n"
        "b.example A !timeout\nc.example A 192.0.2.3"
    )
    located = zone.locate(Wanted("a.example", 0, "UDP"), Reach())
    assert (shown(located), located.problem) == ("udp:192.0.2.3:5060", "")


def test_the_shortest_ttl_on_the_way_is_the_results() -> None:
    zone = Zone("_sip._udp.a.example SRV 0 0 5060 b.example\nb.example A 192.0.2.9")
    zone._answers[Question("b.example", "A")] = Answer(7.0, addresses=("192.0.2.9",))
    assert zone.locate(Wanted("a.example", 0, "UDP"), Reach()).ttl_s == 7.0


def test_what_a_name_server_can_make_us_do_is_limited() -> None:
    """Hundreds of services, hosts and addresses, and targets that name each other."""
    lines = [f'a.example NAPTR 1 {n} "s" "SIP+D2U" _sip{n}._udp.a.example' for n in range(200)]
    lines += [
        f"_sip{n}._udp.a.example SRV {m} 0 5060 h{n}-{m}.example" for n in range(50) for m in range(200)
    ]
    lines += [
        f"h{n}-{m}.example A {' '.join(f'192.0.2.{k}' for k in range(250))}"
        for n in range(50)
        for m in range(50)
    ]
    zone = Zone("\n".join(lines))
    located = zone.locate(Wanted("a.example", 0, ""))
    choices = [choice for group in located.groups for choice in group]
    assert len(choices) <= TARGETS_MAX
    assert max(len(choice.endpoints) for choice in choices) <= ADDRESSES_MAX
    assert len(in_order(located, Random(1).random)) <= ENDPOINTS_MAX
    assert len(zone.asked) < 64


def test_a_target_that_is_the_name_itself_ends() -> None:
    """A loop can only be made by names that lead to names: an SRV target is asked for its addresses alone."""
    zone = Zone("_sip._udp.a.example SRV 0 0 5060 _sip._udp.a.example")
    assert zone.locate(Wanted("a.example", 0, "UDP")).groups == ()


def choices(*weights: int) -> tuple[Choice, ...]:
    return tuple(
        Choice(weight, (Endpoint("UDP", f"192.0.2.{place + 1}", 5060),))
        for place, weight in enumerate(weights)
    )


@pytest.mark.parametrize("weights", [(1, 3), (1, 1, 2), (0, 100), (10, 0, 30)])
def test_the_first_is_drawn_by_weight(weights: tuple[int, ...]) -> None:
    """RFC 2782's algorithm draws from 0 to the sum, both included: a weight w has (w or w+1) of sum+1 chances."""
    random = Random(4).random
    rounds = 20_000
    drawn = Counter(by_weight(choices(*weights), random)[0].weight for _ in range(rounds))
    total = sum(weights) + 1
    for weight in set(weights):
        assert abs(drawn[weight] / rounds - weight * weights.count(weight) / total) <= 1.2 / total + 0.02


@given(
    st.lists(st.integers(0, 65_535), min_size=1, max_size=10),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=10, max_size=10),
)
def test_any_draw_has_every_choice_once(weights: list[int], draws: list[float]) -> None:
    group = choices(*weights)
    left = iter(draws)
    ordered = by_weight(group, lambda: next(left))
    assert sorted(ordered) == sorted(group)


names = st.sampled_from(["a.example", "b.example", "_sip._udp.a.example", "_sip._tcp.a.example", "c.example"])
small = st.integers(0, 3)
answers = st.builds(
    Answer,
    st.floats(0, 100),
    st.lists(
        st.builds(Naptr, small, small, st.sampled_from(["s", "S", "a", ""]),
                  st.sampled_from(["SIP+D2U", "sip+d2t", "SIPS+D2T", "x"]), names),
        max_size=4,
    ).map(tuple),
    st.lists(st.builds(Srv, small, small, st.integers(0, 65_535), names | st.just("")), max_size=4).map(tuple),
    st.lists(st.sampled_from(["192.0.2.1", "192.0.2.2"]), max_size=3).map(tuple),
    st.sampled_from(["", "", "", "timeout"]),
)  # fmt: skip


@given(
    st.dictionaries(st.builds(Question, names, st.sampled_from(["NAPTR", "SRV", "A", "AAAA"])), answers),
    st.sampled_from(["", "UDP", "TCP", "TLS"]),
    st.sampled_from([0, 5060]),
)
def test_any_answers_end_in_a_result(table: dict[Question, Answer], transport: str, port: int) -> None:
    """Whatever a zone says, the look-up ends in four rounds, and leads to nothing that it did not say."""
    zone = Zone("")
    zone._answers = table
    located = zone.locate(Wanted("a.example", port, transport), Reach())
    said = {address for answer in table.values() for address in answer.addresses}
    for endpoint in in_order(located, lambda: 0.5):
        assert endpoint.host in said
        assert 0 < endpoint.port <= 65_535
        assert endpoint.transport in ("UDP", "TCP")
        assert not port or endpoint.port == port
