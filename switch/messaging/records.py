"""A message on record: the sender's row, a row for where it went, and the ledger's side of its charge.

They are rows of calls that say "a message" in `leg_reason`: nobody talked, so times of ringing and of answer,
duration and billed seconds are empty, and its price is in `connect_fee_micros`. What it said is not there, nor its
length or type.
"""

from typing import Final

import msgspec

from provisioning.storable import storable
from rating.engine import Settlement
from rating.records import Cdr, OutboxRecord, UsageEntry
from switch.calls.attempt import Attempt
from switch.calls.cdr import CALL_ID_CHARS_MAX, TEXT_CHARS_MAX
from switch.calls.decisions import add_decision
from switch.calls.identity import LineCaller
from switch.calls.target import TrunkTarget
from switch.messaging.admission import Admitted
from switch.sip.flow import Flow
from switch.sip.host import host_port
from switch.sip.message import Request

A_MESSAGE: Final = "a message"


class Outcome(msgspec.Struct, frozen=True):
    """`label` is one of delivered, kept, refused and failed."""

    label: str
    sip_status: int
    words: str
    ended_by: str


def message_records(
    ident: str,
    request: Request,
    attempt: Attempt,
    admitted: Admitted,
    outcome: Outcome,
    settlement: Settlement | None,
    target: TrunkTarget | None,
    flow: Flow,
    *,
    sent_ms: int,
    at_ms: int,
    routing_version: str,
) -> list[OutboxRecord]:
    """`target` is the trunk that had the last word."""
    price = admitted.price
    caller, caller_id = attempt.caller, attempt.caller_id
    is_line = isinstance(caller, LineCaller)
    destination = admitted.number or (admitted.line.user if admitted.line is not None else "")
    row = Cdr(
        call_id=ident, leg=0, leg_reason=A_MESSAGE,
        setup_at_ms=sent_ms, ringing_at_ms=None, answered_at_ms=None, ended_at_ms=at_ms,
        network_number=caller_id.network_number, presentation_number=caller_id.presentation_number,
        privacy="id" if caller_id.is_withheld else "",
        dialled=_clip(attempt.dialled), destination=destination,
        destination_name=price.rate.destination if price.rate is not None else "",
        ddi=admitted.admission.route.ddi,
        account_id=caller.line.account_id if isinstance(caller, LineCaller) else None,
        line=caller.line.user if isinstance(caller, LineCaller) else "",
        trunk="" if isinstance(caller, LineCaller) else caller.trunk.name,
        payer_account_id=price.account_id,
        duration_ms=0, billed_s=0, connect_fee_micros=0, usage_micros=0, cost_micros=0,
        rate_prefix=price.rate.prefix if price.rate is not None else "",
        per_minute_micros=None,
        tariff=price.tariff, tariff_version=price.tariff_version, balance_after_micros=None,
        sip_status=outcome.sip_status, q850_cause=0, outcome=outcome.label, reason=_clip(outcome.words),
        ended_by=outcome.ended_by,
        source_address=_remote(flow), destination_address="",
        sip_call_id=storable(request.call_id[:CALL_ID_CHARS_MAX]), other_sip_call_id="",
        user_agent=_clip(request.headers.get("user-agent") or "") if is_line else "", other_user_agent="",
        post_dial_delay_ms=None, is_emergency=False, is_recovered=False,
        routing_version=routing_version,
    )  # fmt: skip
    if attempt.cli is not None:
        add_decision(row, attempt.cli.words)
    records: list[OutboxRecord] = [row, _destination_row(row, admitted, target)]
    if settlement is not None and price.account_id is not None:
        cost_micros = settlement.charge.total_micros
        row.connect_fee_micros = row.cost_micros = cost_micros
        row.balance_after_micros = settlement.balance_after_micros
        records.append(UsageEntry(price.account_id, ident, 0, -cost_micros, at_ms))
    return records


def _destination_row(sender: Cdr, admitted: Admitted, target: TrunkTarget | None) -> Cdr:
    """Where it went or was to go: nobody pays on this one."""
    line = admitted.line
    where = f"for line {line.user}" if line is not None else "by no trunk"
    if target is not None:
        where = f"by trunk {target.name}"
    return msgspec.structs.replace(
        sender,
        leg=1,
        leg_reason=f"{A_MESSAGE} {where}",
        account_id=line.account_id if line is not None else None,
        line=line.user if line is not None else "",
        trunk=target.name if target is not None else "",
        payer_account_id=None,
        destination_name="",
        rate_prefix="",
        tariff="",
        tariff_version="",
        source_address="",
        destination_address=_remote(target.flow) if target is not None else "",
        user_agent="",
    )


def _clip(text: str) -> str:
    return storable(text[:TEXT_CHARS_MAX])


def _remote(flow: Flow) -> str:
    return f"{flow.transport.lower()}:{host_port(flow.remote_host, flow.remote_port)}"
