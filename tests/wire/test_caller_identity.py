"""SIPp plays carriers whose callers give doubtful numbers or none, against a real switch that starts from a checkpoint.

The books' PostgreSQL is not there: what the lines have set comes from the checkpoint, the records stay in the journal.
"""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from demo.free_ports import free_ports
from provisioning.books.outbox import Outbox
from provisioning.books.snapshot import write_checkpoint
from provisioning.model import AccountBalance, LineAddress, LineKind, Number, Snapshot
from provisioning.settings import LineSettings
from rating.journal.frames import unpack_records
from rating.records import Cdr, OutboxRecord, TracedCall
from sipp_scenarios.exchange import HOST, ExchangeConf
from sipp_scenarios.sipp import Sipp, SippRun, sipp_program
from tests.switch.house import make_account, make_line

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(sipp_program() is None, reason="sipp is not installed: apt-get install sip-tester"),
]

READY_S = 30.0
RECORDS_S = 10.0
NO_DATABASE = "postgresql://offhook@127.0.0.1:1/none"
SHY, OPEN = "+441632960001", "+441632960002"
DO_NOT_ORIGINATE = "+441632960666"

CARRIER = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="carrier_hears_{status}">
  <send retrans="500"><![CDATA[
INVITE sip:[dialled]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
From: <sip:[from]>;tag=caller-[call_number]
To: <sip:[dialled]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:carrier@[local_ip]:[local_port]>
{fields}
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="{status}">
    <action>
      <ereg regexp="Q.850;cause={cause}" search_in="hdr" header="Reason:" check_it="true" assign_to="reason"/>
    </action>
  </recv>
  <Reference variables="reason"/>
  <send><![CDATA[
ACK sip:[dialled]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
From: <sip:[from]>;tag=caller-[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

  ]]></send>
</scenario>
"""


class Exchange:
    """The switch, its two carriers' ports and a PBX's, which is a socket of the test's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sip_port, self.home_port, self.abroad_port, self.metrics_port = free_ports(4)
        self.pbx = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.pbx.bind((HOST, 0))
        self.pbx.settimeout(5.0)
        self.data, conf = root / "data", root / "conf"
        ExchangeConf(
            sip_port=self.sip_port, metrics_port=self.metrics_port, carrier_port=self.home_port
        ).write(conf)
        (conf / "trunks.toml").write_text(
            f'[trunk.carrier]\naddresses = ["{HOST}:{self.home_port}"]\n'
            f'[trunk.abroad]\naddresses = ["{HOST}:{self.abroad_port}"]\norigin = "international"\n'
        )
        (conf / "do-not-originate.txt").write_text(f"{DO_NOT_ORIGINATE}  # a bank's\n")
        (self.data / "journal").mkdir(parents=True)
        write_checkpoint(self.data / "journal" / "checkpoint", self._books())
        with (root / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "switch", "--data", self.data, "--conf", conf, "--dsn", NO_DATABASE],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _books(self) -> Snapshot:
        host, port = self.pbx.getsockname()
        pbx = {"kind": LineKind.TRUNK, "addresses": (LineAddress("udp", host, port),)}
        return Snapshot(
            taken_at_ms=0,
            change_seq=0,
            journal_epoch="",
            journal_batch=0,
            accounts=[make_account()],
            balances=[AccountBalance(1, 10_000_000, 0)],
            lines=[
                make_line("shy", settings=LineSettings(rejects_anonymous=True)),
                make_line("open", settings=LineSettings(traces_until="2199-12-31"), **pbx),
            ],
            numbers=[Number(SHY, "shy"), Number(OPEN, "open")],
        )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                with urllib.request.urlopen(f"http://{HOST}:{self.metrics_port}/readyz", timeout=5):
                    return
            except (OSError, urllib.error.HTTPError):
                assert self._process.poll() is None, (self.root / "log").read_text()
                assert time.monotonic() < deadline, (self.root / "log").read_text()
                time.sleep(0.05)

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://{HOST}:{self.metrics_port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        return text

    def call(
        self, *, dialled: str, from_: str, status: int, cause: int, pai: str = "", is_withheld: bool = False,
        is_from_abroad: bool = False,
    ) -> SippRun:  # fmt: skip
        """SIPp as a carrier whose call must be answered so. Started; `finish` waits for its end."""
        fields = [f"P-Asserted-Identity: <sip:{pai}@[local_ip]>"] if pai else []
        fields += ["Privacy: id"] if is_withheld else []
        name = f"carrier_{time.monotonic_ns()}"
        text = CARRIER.format(status=status, cause=cause, fields="\n".join(fields) or "Subject: none")
        (self.root / f"{name}.xml").write_text(text)
        sipp = Sipp(
            xml=name,
            folder=self.root,
            port=self.abroad_port if is_from_abroad else self.home_port,
            exchange_port=self.sip_port,
            call_id=name,
            keys={"dialled": dialled, "from": from_},
        )
        return SippRun(sipp, self.root)

    def records(self) -> list[OutboxRecord]:
        decoder = msgspec.msgpack.Decoder(OutboxRecord)
        outbox = Outbox(self.data / "journal" / "journal.db")
        try:
            return [decoder.decode(raw) for batch in outbox.read(0) for raw in unpack_records(batch.packed)]
        finally:
            outbox.close()

    def wait_for_cdr(self, sip_call_id: str) -> Cdr:
        """The caller's row."""
        deadline = time.monotonic() + RECORDS_S
        while True:
            for record in self.records():
                if isinstance(record, Cdr) and record.leg == 0 and record.sip_call_id == sip_call_id:
                    return record
            assert time.monotonic() < deadline, "no record"
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self.pbx.close()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    running = Exchange(tmp_path_factory.mktemp("identity"))
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()


def played(run: SippRun) -> str:
    """Its Call-ID, once it has ended as it should."""
    with run:
        run.finish()
    return run._sipp.call_id


def test_a_caller_without_a_number_hears_433_from_a_line_that_wants_one(exchange: Exchange) -> None:
    call_id = played(
        exchange.call(
            dialled=SHY,
            from_="anonymous@anonymous.invalid",
            pai="+441632960123",
            is_withheld=True,
            status=433,
            cause=24,
        )
    )
    row = exchange.wait_for_cdr(call_id)
    assert (row.outcome, row.sip_status, row.q850_cause) == ("anonymous_refused", 433, 24)
    assert (row.cost_micros, row.payer_account_id, row.privacy) == (0, None, "id")
    assert row.decisions == "withheld by the calling network"


@pytest.mark.parametrize(
    ("number", "is_from_abroad", "rule"),
    [
        ("+441632960123", True, "uk_from_abroad"),
        ("+449098790123", False, "premium"),
        ("1234", False, "invalid"),
        (DO_NOT_ORIGINATE, False, "do_not_originate"),
    ],
)
def test_a_number_that_breaks_a_rule_is_refused_and_the_record_says_which(
    exchange: Exchange, number: str, is_from_abroad: bool, rule: str
) -> None:
    call_id = played(
        exchange.call(
            dialled=OPEN,
            from_=f"{number}@192.0.2.1",
            pai=number,
            status=403,
            cause=21,
            is_from_abroad=is_from_abroad,
        )
    )
    row = exchange.wait_for_cdr(call_id)
    assert (row.outcome, row.sip_status, row.q850_cause, row.cost_micros) == ("cli_blocked", 403, 21, 0)
    assert row.reason.startswith(f"{rule}: ") and row.decisions == f"cli {rule}: block"
    trunk = "abroad" if is_from_abroad else "carrier"
    wanted = f'offhook_cli_decisions_total{{action="block",rule="{rule}",trunk="{trunk}"}} 1.0'
    assert wanted in exchange.metrics()


def test_a_uk_mobile_from_abroad_rings_without_its_number_and_its_true_origin_is_traced(
    exchange: Exchange,
) -> None:
    number = "+447700900123"
    run = exchange.call(
        dialled=OPEN, from_=f"{number}@192.0.2.1", pai=number, status=486, cause=17, is_from_abroad=True
    )
    with run:
        invite, source = exchange.pbx.recvfrom(65_536)
        assert invite.startswith(b"INVITE ") and b"anonymous.invalid" in invite
        assert b"7700900123" not in invite
        kept = (b"Via:", b"From:", b"Call-ID:", b"CSeq:")
        lines = [line for line in invite.split(b"\r\n") if line.startswith(kept)]
        to = next(line for line in invite.split(b"\r\n") if line.startswith(b"To:"))
        busy = [b"SIP/2.0 486 Busy Here", *lines, to + b";tag=pbx", b"Content-Length: 0", b"", b""]
        exchange.pbx.sendto(b"\r\n".join(busy), source)
        run.finish()
    row = exchange.wait_for_cdr(run._sipp.call_id)
    assert (row.outcome, row.privacy, row.decisions) == ("busy", "id", "cli intl_447_policy: withhold")
    (traced,) = [record for record in exchange.records() if isinstance(record, TracedCall)]
    assert (traced.line, traced.marked_by, traced.network_number, traced.trunk) == (
        "open",
        "watch",
        number,
        "abroad",
    )
    assert f"P-Asserted-Identity: <sip:{number}@" in traced.identity_headers
