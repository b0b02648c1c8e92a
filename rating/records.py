"""What the journal carries: the records of calls and money, in the form they keep on disk.

Two kinds. *State* is replaced under its key and never leaves the machine: open calls, bindings, dialogs that still
need their BYE, credit already applied. The *outbox* is appended and shipped to PostgreSQL exactly once: CDRs, usage
entries, configuration versions. Every struct is array-like: a field may be appended with a default, never moved, so
that a newer process reads what an older one wrote. Times are UTC milliseconds; money is micros of a pound.
"""

import msgspec


class Cdr(msgspec.Struct, array_like=True, tag="cdr"):
    """One leg of one attempt. Leg 0 is the caller's; 1 and up are the targets tried, in order.

    `decisions` are short words of what was decided about the call, separated by "; " (switch/calls/decisions.py).

    What the payer is charged is `cost_micros`, the sum of connect fee, usage, access charge and service charge; the
    last two are those of the unbundled tariff (084, 087, 09, 118), whose usage is 0. `bundled_s` of the billed seconds
    came from `bundles` ("12=40 15=20": seconds of each by its id). What the leg costs us at its carrier is
    `buy_micros`, ex VAT, by the row `buy_prefix` of that version of a deck; None where no deck says it.
    """

    call_id: str
    leg: int
    leg_reason: str
    setup_at_ms: int
    ringing_at_ms: int | None
    answered_at_ms: int | None
    ended_at_ms: int
    network_number: str
    presentation_number: str
    privacy: str
    dialled: str
    destination: str
    destination_name: str
    ddi: str
    account_id: int | None
    line: str
    trunk: str
    payer_account_id: int | None
    duration_ms: int
    billed_s: int
    connect_fee_micros: int
    usage_micros: int
    cost_micros: int
    rate_prefix: str
    per_minute_micros: int | None
    tariff: str
    tariff_version: str
    balance_after_micros: int | None
    sip_status: int
    q850_cause: int
    outcome: str
    reason: str
    ended_by: str
    source_address: str
    destination_address: str
    sip_call_id: str
    other_sip_call_id: str
    user_agent: str
    other_user_agent: str
    post_dial_delay_ms: int | None
    is_emergency: bool
    is_recovered: bool
    routing_version: str
    decisions: str = ""
    access_charge_micros: int = 0
    service_charge_micros: int = 0
    bundled_s: int = 0
    bundles: str = ""
    buy_micros: int | None = None
    buy_prefix: str = ""
    deck: str = ""
    deck_version: str = ""


class UsageEntry(msgspec.Struct, array_like=True, tag="usage"):
    """The ledger's side of a settled call. `amount_micros` is negative: money leaving the account."""

    account_id: int
    call_id: str
    leg: int
    amount_micros: int
    at_ms: int


class ConfVersion(msgspec.Struct, array_like=True, tag="conf"):
    """One loaded version of trunks, routing or a tariff, for CDRs and re-rating. `content` is the file's text."""

    kind: str
    name: str
    version: str
    valid_from_ms: int
    content: str


class EmergencyCall(msgspec.Struct, array_like=True, tag="emergency"):
    """An emergency call was made: who, from where, to what. Logged beside the CDR."""

    call_id: str
    line: str
    network_number: str
    dialled: str
    at_ms: int
    source_address: str


class TracedCall(msgspec.Struct, array_like=True, tag="traced"):
    """A call that its callee had marked as malicious, or that a watched line got: who really called (PECR reg. 15).

    Only for who may read it (provisioning/traced_calls.py). `marked_by` is "code", "operator" or "watch". `caller_line`
    or `trunk` is where it came from; `identity_headers` are its header fields about the caller as they were received.
    """

    call_id: str
    line: str
    marked_at_ms: int
    marked_by: str
    called_at_ms: int
    network_number: str
    presentation_number: str
    is_withheld: bool
    caller_line: str
    trunk: str
    source_address: str
    identity_headers: str


class MediaFigures(msgspec.Struct, array_like=True, tag="media"):
    """What one end of a call sent, and what became of it: one for each medium of a leg, when it ends.

    It follows the CDR of its leg, as the relay counts its last packet after the call has ended. `jitter_us` is the
    mean, `gap_us` the longest time between two packets, `round_trip_us` between the relay and the peer (0: unknown),
    `mos` hundredths by the E-model (0: unknown). `dropped` is packets by reason, as text: "stranger=3 truncated=1".
    `course` is how it went over time (media/course.py packs and reads it); empty where nobody has counted it.
    """

    call_id: str
    leg: int
    medium: int
    ended_at_ms: int
    codec: str
    packets: int
    octets: int
    lost: int
    reordered: int
    duplicates: int
    jitter_us: int
    jitter_max_us: int
    gap_us: int
    round_trip_us: int
    mos: int
    packets_sent: int
    octets_sent: int
    remote_address: str
    dropped: str
    course: bytes = b""


class BundleUse(msgspec.Struct, array_like=True, tag="bundle_use"):
    """Seconds that a settled call has drawn from a bundle, and how many of them in its carry-over time.

    One for each bundle of a leg. `number` is what was called, where the bundle limits how many numbers may be; else "".
    """

    bundle_id: int
    account_id: int
    call_id: str
    leg: int
    seconds: int
    carried_s: int
    number: str
    at_ms: int


class Alarm(msgspec.Struct, array_like=True, tag="alarm"):
    """Something that an operator should look at, or has looked at (`rule` "cleared"). `id` makes it one row.

    `bar_until_ms` is set where the account was barred for it, and until when.
    """

    id: str
    account_id: int
    rule: str
    at_ms: int
    words: str
    bar_until_ms: int | None


class RegistrationEvent(msgspec.Struct, array_like=True, tag="registration"):
    """A registration has changed, or somebody failed to log in; a renewal that changes nothing is no event.

    `event` is "registered", "moved" (same phone, another address; `reason` "from 192.0.2.1:5060"), "left" (it
    unregistered), "expired", "lost" (its connection broke), "silent" (pings go unanswered), "removed" (by an
    operator, or for want of room), "back" (a lost or silent one is heard again) or "refused"; `reason` then is
    "wrong password", "unknown user", "expired nonce", "banned", ... Of a line as a whole: "offline" (nothing of it
    could be reached for some minutes), "online" after that, and "flapping". `line` is a line's name, "" for a
    refused stranger, whose claimed name is `claimed` ("(many)" for a scanner's). `count` is how often it happened
    since the last record of the same (refusals and moves repeat). `contact`, `via` and `user_agent` are as the
    phone said them, clipped and storable; behind the Via stands the host of the Call-ID (" call-id@10.0.0.7").
    `source` is where it really came from ("192.0.2.1:5060"; "" for many), `transport` a Via's word. `id` makes it
    one row, and is in the order in which things happened.
    """

    id: str
    at_ms: int
    event: str
    line: str
    account_id: int | None
    reason: str
    source: str
    transport: str
    contact: str
    via: str
    user_agent: str
    expires_s: int = 0
    claimed: str = ""
    count: int = 1


OutboxRecord = (
    Cdr
    | UsageEntry
    | ConfVersion
    | EmergencyCall
    | MediaFigures
    | TracedCall
    | Alarm
    | BundleUse
    | RegistrationEvent
)
