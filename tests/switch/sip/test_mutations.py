"""The fuzzer's promises on some thousands of mutations, the same ones each time (docs/fuzzing.md has the long runs).

Also every input that a long run ever found, in its shortest form.
"""

from random import Random

import pytest

from fuzz.catalogue import CHOICES, TARGETS
from fuzz.media import RELAY_SEEDS, RTCP_SEEDS, RTP_SEEDS
from fuzz.mutations import MUTATED_BYTES_MAX, MUTATIONS, from_octets, from_random, mangle
from fuzz.seeds import CHALLENGES, INVITE, OWN, OWN_VALUES, SDP, dictionary
from fuzz.sessions import Bug, check_sent, join
from tests.switch.sip.samples import invite_bytes

# Our own alone, so that a run without the shared corpora is the same run.
SEEDS: dict[str, tuple[bytes, ...]] = {
    "parser": OWN,
    "stream": (*OWN[:4], OWN[0] + b"\r\n\r\n" + OWN[3]),
    "uri": OWN_VALUES,
    "sdp": (SDP,),
    "digest_client": CHALLENGES,
    "rtp": RTP_SEEDS,
    "rtcp": RTCP_SEEDS,
    "relay": RELAY_SEEDS,
    "datagrams": tuple(join((who, message)) for who in range(4) for message in OWN),
}
INPUTS = {
    "parser": 3000,
    "stream": 200,
    "uri": 3000,
    "sdp": 2000,
    "digest_server": 1500,
    "digest_client": 2000,
    "rtp": 2000,
    "rtcp": 2000,
    "relay": 500,
    "call": 60,
    "datagrams": 400,
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_promises_hold_for_mutated_input(name: str) -> None:
    target, random = TARGETS[name], Random(name)
    pick = from_random(random)
    tried = 0
    for _ in range(INPUTS[name]):
        if name in CHOICES:
            data = random.randbytes(random.randrange(4, 200))
        else:
            data = mangle(SEEDS[name][pick(len(SEEDS[name]))], pick)
        tried += target(data)
    assert tried >= INPUTS[name] // 2


# Found by the fuzzer. Each broke a promise once.
FOUND: dict[str, tuple[str, bytes]] = {
    "a bracket that closes what nobody opened": ("uri", b">"),
    "the same behind a host": ("uri", b"sip:a@b>"),
    "a nonce that ends in a backslash": ("digest_client", b'Digest realm="a", nonce=\\'),
    "more Vias than the answer may hold": (
        "parser",
        invite_bytes(*[f"Via: SIP/2.0/UDP h{n}, SIP/2.0/UDP i{n}" for n in range(70)], "X: \0"),
    ),
    "a To with a tag that is none, and a URI that is none": (
        "parser",
        invite_bytes("To: <sip:b=>;tag", without="To"),
    ),
    "codecs of a medium that has none": ("sdp", SDP + b"m=image 49172 udptl t38\r\n"),
    "a connection that is none": ("sdp", SDP + b"c=IN IP4 192.0.2.1 RTP/AVP 0\r\n"),
    "the last hop": ("datagrams", join((1, INVITE.replace(b"Max-Forwards: 70", b"Max-Forwards: 1")))),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_stays_mended(name: str) -> None:
    target, data = FOUND[name]
    TARGETS[target](data)


def test_the_judge_of_what_we_send_can_say_no() -> None:
    check_sent(invite_bytes("Content-Length: 0"))
    for wrong in (b"hello", invite_bytes("Content-Length: 5"), invite_bytes(without="CSeq")):
        with pytest.raises(Bug):
            check_sent(wrong)


def test_every_mutation_changes_something_and_none_grows_beyond_its_limit() -> None:
    random = Random(5)
    for mutation in MUTATIONS:
        assert any(mutation(INVITE, from_random(random)) != INVITE for _ in range(20)), mutation
        assert isinstance(mutation(b"", from_random(random)), bytes)
    assert len(mangle(INVITE * 40, from_random(random))) <= MUTATED_BYTES_MAX


def test_choices_out_of_octets_end_in_zeros() -> None:
    pick = from_octets(b"\x05\x01\x02")
    assert [pick(4), pick(1000), pick(4), pick(1000)] == [1, 0x0102, 0, 0]


def test_the_dictionary_is_libfuzzers() -> None:
    lines = dictionary().split("\n")[:-1]
    assert len(lines) > 100
    assert all(line[0] == line[-1] == '"' and line.isascii() and line.isprintable() for line in lines)
