"""Numbers that others wrote: only ASCII digits, so many; and no splitting at what only Python calls a line end.

int() takes "1_0", "+1", " 1" and the digits of every script. So every use of it stands below with what keeps such text
away from it; a new one fails the test until somebody has looked.
"""

import ast
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import billing
import care
import media
import offhook
import portal
import provisioning
import rating
import switch
import traces
import voicemail
from billing.conf_fields import read_percent
from billing.invoices.numbers import count_of
from billing.payments.provider import account_of
from offhook.commands.bans import seconds_of
from offhook.commands.options import whole_number
from offhook.exit_codes import CommandError
from offhook.moments import parse_moment
from rating.calendar import CalendarProblem, parse_start_ms
from rating.money import MoneyProblem, parse_pounds
from switch.calls.q850 import read_reason
from switch.calls.trunk_sources import ipv4_bits
from switch.conf_values import Expected, read_address, read_source
from switch.door.sources import parse_network
from switch.registrar.registrar import _q
from switch.sip.errors import SipParseError
from switch.sip.fields import (
    parse_content_length,
    parse_cseq,
    parse_delta_seconds,
    parse_max_forwards,
    parse_via,
)
from switch.sip.framing import StreamBroken, StreamFramer
from switch.sip.parser import parse_message
from switch.sip.uri import parse_uri

ROOT = Path(switch.__file__).parents[1]
PACKAGES = (billing, care, media, offhook, portal, provisioning, rating, switch, traces, voicemail)
SOURCES = sorted(file for package in PACKAGES for file in Path(package.__file__).parent.rglob("*.py"))

# Arithmetic is no text. Everything else, by file and function, with what it is given.
ALLOWED = {
    ("billing/complaints/conf.py", "read_time"): "matched by a pattern of ASCII digits",
    ("billing/conf_fields.py", "read_percent"): "matched [0-9]{1,3} and [0-9]{1,2}",
    ("billing/invoices/monthly.py", "bundle_use"): "asked for ASCII digits, nine at most; our own record",
    ("billing/invoices/numbers.py", "count_of"): "matched [0-9]{6,12}",
    ("billing/payments/provider.py", "account_of"): "asked for ASCII digits, nine at most",
    ("billing/payments/statement.py", "_places"): "matched [1-9][0-9]?",
    ("care/explanation/phrases.py", "duration_words"): "a float",
    ("care/lines/explanation.py", "_long_words"): "a float",
    ("care/search/times.py", "_clock_time"): "matched by a pattern of ASCII digits",
    ("care/search/times.py", "_days"): "matched by patterns of ASCII digits",
    ("care/search/times.py", "_days_of_year"): "matched by a pattern of ASCII digits",
    ("care/search/times.py", "_said"): "matched [0-9]{1,5}",
    ("care/search/times.py", "_zone"): "matched [+-][0-9]{2}:?[0-9]{2}",
    ("care/search/understanding.py", "_cause"): "matched [0-9]{1,3}",
    ("care/search/understanding.py", "cursor_from_text"): "matched [0-9]{1,15}",
    ("offhook/commands/bans.py", "seconds_of"): "matched [0-9]{1,8}",
    ("offhook/commands/billing_days.py", "parse_month"): "matched by a pattern of ASCII digits",
    ("offhook/commands/options.py", "parse"): "matched [0-9]{1,9}",
    ("offhook/commands/product_terms.py", "read_included"): "matched [0-9]{1,7}",
    ("offhook/commands/product_terms.py", "read_leaving"): "matched [0-9]{1,3}",
    ("portal/pages/search_page.py", "_number"): "matched [0-9]{1,6}",
    ("rating/rated_cover.py", "pieces_of"): "asked for ASCII digits; our own record",
    ("offhook/live_view.py", "_duration"): "a number of the control socket's JSON",
    ("offhook/live_view.py", "_moment"): "a number of the control socket's JSON",
    ("offhook/moments.py", "parse_moment"): "matched [0-9]{1,6}",
    ("offhook/postgres/embedded.py", "_stop_leftover"): "asked for ASCII digits; PostgreSQL's own file",
    ("provisioning/books/changes.py", "_accounts"): "a key that our own trigger wrote",
    ("provisioning/books/changes.py", "_bundles"): "a key that our own trigger wrote",
    ("provisioning/books/changes.py", "_credits"): "a key that our own trigger wrote",
    ("provisioning/books/changes.py", "_plan_removed"): "a key that our own table made",
    ("provisioning/dsn.py", "_has_sound_port"): "asked for ASCII digits, five at most",
    ("provisioning/line_addresses.py", "parse_line_address"): "matched [0-9]{1,5}",
    ("provisioning/number_ranges.py", "parse_range"): "numbers as parse_number made them, + and ASCII digits",
    ("provisioning/plans/node_text.py", "_seconds"): "asked for ASCII digits, three at most",
    ("provisioning/settings_text.py", "_read_presented"): "one of three digits",
    ("rating/calendar.py", "_parse"): "matched by a pattern of ASCII digits",
    ("switch/calls/diversions.py", "_counter"): "asked for ASCII digits, few enough",
    ("switch/huge_pages.py", "areas"): "addresses as the kernel writes them",
    ("switch/calls/in_call_services.py", "slot_of"): "asked for ASCII digits, two at most",
    ("media/relay/port_pool.py", "_is_port"): "asked for ASCII digits, five at most",
    ("media/relay/port_pool.py", "ports_of"): "asked for ASCII digits, five at most",
    ("media/rtcp.py", "parse_reports"): "four octets of a packet",
    ("media/rtp.py", "payload_start"): "two octets of a packet",
    ("rating/journal/damage.py", "damaged_page"): "a page number in SQLite's words",
    ("rating/journal/lock.py", "_holders_switch"): "bytes, whose isdigit() is ASCII's; our own file",
    ("rating/currency.py", "parse_nanos"): "matched by a pattern of ASCII digits",
    ("rating/deck_csv.py", "_parse_interval"): "matched by a pattern of ASCII digits",
    ("rating/deck_csv.py", "_range"): "matched [0-9]{1,15}",
    ("rating/money.py", "parse_pounds"): "matched by a pattern of ASCII digits",
    ("rating/price_table.py", "_place"): "asked for ASCII digits, fifteen at most",
    ("rating/price_table.py", "find"): "asked for ASCII digits, fifteen at most",
    ("rating/tariff_csv.py", "_parse_interval"): "matched by a pattern of ASCII digits",
    ("rating/tariff_csv.py", "_parse_seconds"): "matched by a pattern of ASCII digits",
    ("rating/time_bands.py", "_digits"): "asked for ASCII digits, seven at most",
    ("rating/unbundled.py", "_parse_pence"): "matched by a pattern of ASCII digits",
    ("rating/unbundled.py", "_parse_percent"): "matched by a pattern of ASCII digits",
    ("rating/unbundled.py", "_parse_seconds"): "matched by a pattern of ASCII digits",
    ("switch/calls/carried_media.py", "media_of"): "our own token, of hex digits",
    ("switch/calls/renegotiation.py", "_begin_later"): "our own token, of hex digits",
    ("switch/calls/q850.py", "_cause_in"): "asked for ASCII digits, three at most",
    ("switch/calls/reminders.py", "next_time_ms"): "a time of the library's",
    ("switch/calls/reminders.py", "read_time"): "asked for four ASCII digits",
    ("switch/calls/service_decision.py", "_ring_s"): "asked for ASCII digits, three at most",
    ("switch/calls/reliable_uas.py", "first_rseq"): "our own token, of hex digits",
    ("switch/calls/trunk_sources.py", "ipv4_bits"): "asked for ASCII digits, three at most",
    ("switch/calls/trunk_sources.py", "ipv6_bits"): "an IPv6Address",
    ("switch/conf_addresses.py", "_port"): "asked for ASCII digits, five at most",
    ("switch/conf_files.py", "_syntax_problem"): "asked for ASCII digits; the TOML parser's words",
    ("switch/conf_time_sets.py", "_day"): "matched [0-9]{4} and [0-9]{2}",
    ("switch/conf_time_sets.py", "_day_of_year"): "matched [0-9]{1,2}",
    ("switch/conf_time_sets.py", "_period"): "matched [0-9]{2}",
    ("switch/conf_values.py", "_decimal"): "asked for ASCII digits, five at most",
    ("switch/conf_values.py", "read_status_codes"): "4xx, 5xx or 6xx",
    ("switch/door/sources.py", "_network_text"): "an IPv6Address",
    ("switch/edge/connection.py", "_plain"): "a port, as the socket says it",
    ("switch/edge/websocket_layer.py", "_fail"): "a close code of ours",
    ("switch/events/mailboxes.py", "read_summary"): "matched [0-9]{1,6}",
    ("switch/failpoints.py", "_look"): "a test's file",
    ("switch/journey/queues.py", "longest_wait_s"): "a float",
    ("switch/metrics.py", "_records"): "a bool",
    ("switch/process.py", "_credits_in"): "a key that this switch wrote to its journal",
    ("switch/registrar/outbound.py", "read_reg_id"): "asked for ASCII digits, ten at most",
    ("switch/registrar/pings.py", "_allowed"): "a float",
    ("switch/registration_events.py", "_lose"): "a monotonic time",
    ("switch/relay/figures.py", "media_figures"): "our own label",
    ("switch/relay/view.py", "_stream"): "our own label",
    ("switch/relay/view.py", "relay_metrics"): "a bool",
    ("switch/screening.py", "_policy_of_stranger"): "our own keyed hash",
    ("switch/sdp/description.py", "__init__"): "matched [0-9]{1,5}",
    ("switch/sdp/description.py", "_port"): "matched [0-9]{1,5}",
    ("switch/sdp/description.py", "codecs"): "matched by a pattern of ASCII digits; channels asked for them",
    ("switch/sdp/description.py", "origin"): "matched [0-9]{1,20}",
    ("switch/sdp/description.py", "ptime_ms"): "matched [0-9]{1,6}",
    ("switch/sdp/description.py", "read_payload_type"): "asked for ASCII digits, three at most",
    ("switch/sip/digest.py", "_judge"): "matched [0-9A-Fa-f]{8}",
    ("switch/sip/fields.py", "parse_delta_seconds"): "asked for ASCII digits, ten at most",
    ("switch/sip/fields.py", "salvage_via"): "matched by a pattern of ASCII digits",
    ("switch/sip/grammar.py", "parse_digits"): "asked for ASCII digits, twenty at most",
    ("switch/sip/grammar.py", "parse_port"): "matched 1*5DIGIT",
    ("switch/sip/nonces.py", "is_current"): "sealed by ourselves",
    ("switch/sip/nonces.py", "take"): "sealed by ourselves",
    ("switch/sip/parser.py", "_parse_status_line"): "asked for three ASCII digits",
    ("switch/sip/stack.py", "_retry_after"): "our own keyed hash",
    ("switch/sip/uri.py", "plain"): "matched %([0-9A-Fa-f]{2})",
    ("switch/registrar/registrar.py", "_q"): "matched 0 or 1 and three decimals",
    ("switch/transport/resolver.py", "_negative_ttl"): "a number of the library's",
    ("switch/transport/resolver.py", "_read"): "a number of the library's",
    ("switch/trunk_metrics.py", "_registrations"): "a bool",
    ("switch/trunk_metrics.py", "trunk_metrics"): "a bool",
    ("switch/trunks/registration.py", "_retry_after"): "read by _seconds",
    ("switch/trunks/registration.py", "_seconds"): "asked for ASCII digits, ten at most",
    ("switch/voicemail_metrics.py", "voicemail_metrics"): "a bool",
    ("voicemail/clips.py", "_without_files"): "a pause of our own tables",
    ("voicemail/mail_queue.py", "retry_after_s"): "a number",
    ("voicemail/mailbox.py", "pin_problem"): "matched by a pattern of ASCII digits",
    ("voicemail/metrics.py", "collect"): "a bool",
    ("voicemail/rtp_port.py", "__init__"): "a port, as the socket says it",
    ("voicemail/service_target.py", "_number"): "matched by a pattern of ASCII digits",
    ("voicemail/target.py", "_number"): "matched by a pattern of ASCII digits",
    ("voicemail/target.py", "queue_position_of"): "matched by a pattern of ASCII digits",
    ("voicemail/wording.py", "_clips"): "matched by voicemail/words.py",
}


def conversions(tree: ast.AST, function: str = "") -> Iterator[tuple[str, ast.Call]]:
    """Every int() and float() of something that may be text, with the function it stands in."""
    for node in ast.iter_child_nodes(tree):
        inside = node.name if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
        match node:
            case ast.Call(func=ast.Name(id="int" | "float"), args=[argument, *_]):
                is_arithmetic = isinstance(argument, ast.BinOp) and isinstance(
                    argument.op, (ast.Mult, ast.Div, ast.Sub)
                )
                if not is_arithmetic and not isinstance(argument, ast.Constant | ast.UnaryOp):
                    yield inside, node
            case ast.Call(func=ast.Name(id="map"), args=[ast.Name(id="int" | "float"), *_]):
                yield inside, node
        yield from conversions(node, inside)


def faults(tree: ast.AST) -> Iterator[str]:
    """What splits or matches more than ASCII knows."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr="splitlines" | "isnumeric" | "isdecimal"):
                yield f"line {node.lineno}: {node.attr}"
            case ast.Constant(value=str(text)) if "\\d" in text:
                yield f"line {node.lineno}: \\d"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT)))
def test_every_number_read_from_text_is_known_to_be_ascii_digits(source: Path) -> None:
    name = str(source.relative_to(ROOT))
    found = {(name, function) for function, _ in conversions(ast.parse(source.read_text("utf-8")))}
    assert found <= ALLOWED.keys(), "say in ALLOWED what keeps 1_0, +1 and other digits away"


def test_nothing_that_is_allowed_is_gone() -> None:
    found = {
        (str(source.relative_to(ROOT)), function)
        for source in SOURCES
        for function, _ in conversions(ast.parse(source.read_text("utf-8")))
    }
    assert ALLOWED.keys() <= found


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT)))
def test_nothing_splits_or_matches_beyond_ascii(source: Path) -> None:
    if source.name == "damage.py":  # SQLite's findings, not a peer's words
        return
    assert list(faults(ast.parse(source.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    "source", [source for source in SOURCES if source.parent.name in ("sip", "sdp")], ids=lambda source: source.name
)
def test_readers_of_the_wire_say_at_which_characters_they_split(source: Path) -> None:
    """split() and strip() alone take U+00A0 and its like for white space."""
    names = ("split", "strip", "lstrip", "rstrip")
    bare = [
        node.lineno
        for node in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(node, ast.Call) and not node.args and getattr(node.func, "attr", "") in names
    ]
    assert bare == []


def test_the_search_itself_finds_what_it_looks_for() -> None:
    tree = ast.parse("def f(x):\n  int(x)\n  float(x)\n  int(x * 2)\n  int(x + y)\n  list(map(int, x))\n")
    assert [function for function, _ in conversions(tree)] == ["f"] * 4
    assert len(list(faults(ast.parse("x.splitlines()\nx.isdecimal()\nre.compile(r'\\d+')")))) == 3


NO_NUMBERS = [
    "1_0", " 10", "10 ", "\t10", "+10", "-10", "1e1", "1.0", "0x10", "0b1", "\uff11\uff10", "\u0661\u0660", "\u00b2",
    "\u2160", "1\u0660", "10\x00", "10\u2028", "\u200b10", "", "x",
]  # fmt: skip
ENDLESS = ["1" * 5000, "9" * 5000, "0" * 5000 + "x"]


def is_refused(read: Callable[[str], object]) -> Callable[[str], bool]:
    """A reader that raises, or that says None, as one that says whether a text is refused."""

    def refuses(text: str) -> bool:
        try:
            return read(text) is None
        except (SipParseError, Expected, MoneyProblem, CalendarProblem, CommandError):
            return True

    return refuses


def response(code: str) -> bytes:
    head = "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: 1\r\nCSeq: 1 BYE"
    return f"SIP/2.0 {code} OK\r\n{head}\r\n\r\n".encode("utf-8", "surrogateescape")


def framed(text: str) -> object:
    try:
        return StreamFramer().feed(f"BYE sip:a SIP/2.0\r\nContent-Length: {text}\r\n\r\n".encode()) or None
    except StreamBroken:
        return None


READERS: dict[str, Callable[[str], object]] = {
    "CSeq": lambda text: parse_cseq(f"{text} BYE"),
    "Max-Forwards": parse_max_forwards,
    "Content-Length of a stream": framed,
    "Content-Length": lambda text: parse_content_length([text]),
    "delta-seconds": parse_delta_seconds,
    "Via port": lambda text: parse_via(f"SIP/2.0/UDP a:{text}"),
    "URI port": lambda text: parse_uri(f"sip:a@b:{text}"),
    "status": lambda text: parse_message(response(text)),
    "Q.850 cause": lambda text: read_reason([f"Q.850;cause={text}"]),
    "q": _q,
    "IPv4 part": lambda text: ipv4_bits(f"192.0.2.{text}"),
    "conf address": lambda text: read_address(f"192.0.2.1:{text}"),
    "conf source": lambda text: read_source(f"192.0.0.0/{text}"),
    "conf network": lambda text: parse_network(f"10.0.0.0/{text}"),
    "pounds": parse_pounds,
    "calendar": lambda text: parse_start_ms(f"{text}-01-01"),
    "moment": lambda text: parse_moment(f"{text}d", now=datetime(2026, 11, 22, tzinfo=UTC), option="--since"),
    "duration": lambda text: seconds_of(f"{text}h"),
    "percentage of billing": read_percent,
    "invoice number": lambda text: count_of(f"OF-0000{text}"),
    "account at a provider": account_of,
}
# White space around these is the reader's business, and a sign or decimals are part of an amount or a quality.
LENIENT = {
    "pounds": {" 10", "10 ", "\t10", "-10", "1.0"},
    "CSeq": {"10 "},
    "Q.850 cause": {" 10", "10 ", "\t10"},
    "q": {"1.0"},
    "Via port": {"", " 10", "10 ", "\t10"},
    "moment": {" 10", "\t10"},
    "calendar": {" 10"},
    "percentage of billing": {"1.0"},
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", [*NO_NUMBERS, *ENDLESS], ids=lambda text: ascii(text[:12]))
def test_what_is_no_number_is_refused(reader: str, text: str) -> None:
    if text in LENIENT.get(reader, ()) or (reader == "delta-seconds" and text in ENDLESS[:2]):
        return
    assert is_refused(READERS[reader])(text)


def test_an_endless_time_is_as_long_as_a_time_can_be() -> None:
    assert parse_delta_seconds("9" * 5000) == 2**32 - 1


@pytest.mark.parametrize("text", ["1_0", "+10", " 10", "\uff11\uff10", "\u0661", "", "1" * 5000, "11", "0"])
def test_a_number_typed_as_an_option_is_ascii_digits_in_its_range(text: str) -> None:
    app = typer.Typer()

    @app.command()
    def show(limit: int = typer.Option(5, parser=whole_number(least=1, most=10))) -> None:
        typer.echo(str(limit))

    assert CliRunner().invoke(app, ["--limit", text]).exit_code == 2
    assert CliRunner().invoke(app, ["--limit", "10"]).stdout == "10\n"
