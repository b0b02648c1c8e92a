"""REGISTER: RFC 3261 10.3, for a user who has proven who it is.

The exchange has already checked that the Request-URI is ours and that the credentials are right. Everything
is checked before anything is changed, and then nothing can fail: a request is taken whole or not at all.
Refusals come in this order: not the user's own AOR (403), absurdly many contacts (403), malformed (400), too
brief (423), out of order (400), over the limit (403).

- TOO MANY: a binding over the limit replaces one of the same AOR, a dead one first, else the one refreshed
  longest ago. Refusing the new one instead (Asterisk without remove_existing) locks out the phone that has
  just come back with another address, until its own old binding expires. Only a request that alone asks for
  too many gets 403.
- SAME DEVICE: bindings are told apart by URI (19.1.4). A phone that names its instance also replaces what
  that same instance had registered before, or each change of its address would leave a ghost that rings
  nowhere. With outbound (see `outbound`) its flows are told apart by reg-id alone, whatever their URIs.
- OUT OF ORDER is 400, where the RFC only says that it fails: a 5xx would send the phone to another server.
- A malformed expiry counts as 3600 (20.10, 20.19), a malformed q as none.
- JITTER: what is granted is somewhat shorter than what was asked for (10.3 step 7 allows it), for each phone by
  another part. Without this, phones that an outage made register together would renew together for ever.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zlib import crc32

from switch.registrar.bindings import Binding, Bindings, RegistrarLimits
from switch.registrar.changes import LEFT, Change, changes_of
from switch.registrar.gruu import Gruus
from switch.registrar.outbound import FLOW_TIMER_S, does_outbound, read_path, read_reg_id, supports
from switch.registrar.pings import PingSchedule
from switch.sip.errors import SipParseError
from switch.sip.fields import parse_delta_seconds
from switch.sip.flow import Flow
from switch.sip.grammar import quote, unquote
from switch.sip.host import bare_host
from switch.sip.message import Request
from switch.sip.option_tags import GRUU, OUTBOUND
from switch.sip.uri import NameAddr, SipUri, Uri, parse_uri, uris_equal

# Contacts in one request: every one an AOR may have, and as many to take away. More than this is no phone.
CONTACTS_PER_REQUEST_MAX = 32
# What is kept of each binding is bounded, or ten of them could hold a megabyte. Real ones have 30 to 300
# characters.
CONTACT_CHARS_MAX = 1024
CALL_ID_CHARS_MAX = 256
INSTANCE_CHARS_MAX = 128
USER_AGENT_CHARS_MAX = 96
# One text serves all phones of a model; beyond this many models the table starts anew.
USER_AGENTS_MAX = 1024
# RFC 3261 20.10: "Malformed values SHOULD be treated as equivalent to 3600."
MALFORMED_EXPIRES_S = 3600

OUT_OF_ORDER = "CSeq Out Of Order"
TOO_MANY = "Too Many Contacts"

_DEFAULT_PORTS = {"sip": 5060, "sips": 5061}
_q_value = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?").fullmatch


class RegisterResult(NamedTuple):
    """`headers` go into the response as they are.

    `changed`: the AOR's bindings are to be written to the journal. `evicted`: how many had to make room. `changes`:
    what its history has to tell; nothing of a renewal as it was.
    """

    status: int
    reason: str
    headers: list[tuple[str, str]]
    changed: bool = False
    evicted: int = 0
    changes: Sequence[Change] = ()


class _Wanted(NamedTuple):
    """One Contact: the binding it asks for (0 seconds: no more), and the one of that URI if there is one."""

    binding: Binding
    uri: Uri
    expires_s: int
    existing: Binding | None


class _Plan(NamedTuple):
    """What a request changes, decided before anything is changed."""

    ending: list[Binding]
    renewed: dict[Binding, Binding]
    fresh: list[Binding]


class Registrar:
    """Turns REGISTER requests into bindings. `now` is monotonic seconds."""

    __slots__ = ("_bindings", "_gruus", "_pings", "_user_agents", "limits")

    def __init__(
        self, bindings: Bindings, limits: RegistrarLimits, pings: PingSchedule | None, gruus: Gruus
    ) -> None:
        self._bindings = bindings
        self._pings = pings
        self._gruus = gruus
        self._user_agents: dict[str, str] = {}
        self.limits = limits

    def register(self, request: Request, user: str, flow: Flow, now: float) -> RegisterResult:
        """Answer a REGISTER from `user`, who has been authenticated, that came in on `flow`."""
        try:
            if not _is_aor_of(request.to, user):
                return RegisterResult(403, "Only Your Own Address May Be Registered", [])
            if "contact" not in request.headers:
                return self._listing(request, user, now)
            if request.has_wildcard_contact:
                return self._remove_all(request, user, now)
            return self._update(request, user, flow, now)
        except SipParseError as error:
            return RegisterResult(error.status, error.reason, [])

    def _remove_all(self, request: Request, user: str, now: float) -> RegisterResult:
        if _expires_field(request) != 0:
            return RegisterResult(400, "Contact * Needs Expires 0", [])
        bindings = self._bindings.of(user, now)
        if _is_out_of_order(request, bindings):
            return RegisterResult(400, OUT_OF_ORDER, [])
        for binding in bindings:
            self._bindings.remove(binding)
        listing = self._listing(request, user, now, changed=bool(bindings))
        return listing._replace(changes=[Change(LEFT, binding) for binding in bindings])

    def _update(self, request: Request, user: str, flow: Flow, now: float) -> RegisterResult:
        if len(request.headers.values("contact")) > CONTACTS_PER_REQUEST_MAX:
            return RegisterResult(403, TOO_MANY, [])
        current = self._bindings.of(user, now)
        wanted = self._read_contacts(request, current, user, flow, now)
        if any(0 < entry.expires_s < self.limits.min_expires_s for entry in wanted):
            minimum = [("Min-Expires", str(self.limits.min_expires_s))]
            return RegisterResult(423, "Interval Too Brief", minimum)
        plan = _plan(wanted, current)
        if _is_out_of_order(request, (*plan.ending, *plan.renewed)):
            return RegisterResult(400, OUT_OF_ORDER, [])
        excess = len(current) - len(plan.ending) + len(plan.fresh) - self.limits.bindings_per_aor_max
        evicted = _least_alive(current, plan)[:excess] if excess > 0 else []
        if excess > len(evicted):
            return RegisterResult(403, TOO_MANY, [])
        changes = changes_of(plan.ending, plan.renewed, plan.fresh, evicted, current)
        self._carry_out(plan, evicted, now)
        is_changed = bool(plan.ending or plan.renewed or plan.fresh)
        is_flow = any(entry.binding.reg_id and entry.expires_s for entry in wanted)
        listing = self._listing(request, user, now, changed=is_changed, evicted=len(evicted), is_flow=is_flow)
        return listing._replace(changes=changes) if changes else listing

    def _carry_out(self, plan: _Plan, evicted: list[Binding], now: float) -> None:
        """Nothing in here can fail."""
        for binding in (*plan.ending, *evicted):
            self._bindings.remove(binding)
        for binding, renewed in plan.renewed.items():
            self._bindings.refresh(binding, renewed)
        for binding in plan.fresh:
            self._bindings.add(binding)
        if self._pings is not None:
            for binding in (*plan.renewed, *plan.fresh):
                self._pings.watch(binding, now)

    def _read_contacts(
        self, request: Request, current: list[Binding], user: str, flow: Flow, now: float
    ) -> list[_Wanted]:
        """Raises SipParseError for any that is malformed or absurd."""
        call_id, cseq, user_agent = _storable(request.call_id), request.cseq.number, self._user_agent(request)
        if len(call_id) > CALL_ID_CHARS_MAX:
            raise SipParseError(400, "Call-ID Too Long")
        default_s = _expires_field(request)
        if default_s is None:
            default_s = self.limits.default_expires_s
        path = read_path(request)
        has_flows = does_outbound(request, flow, path)
        wanted = []
        for contact in request.contacts:
            if len(contact.uri) > CONTACT_CHARS_MAX:
                raise SipParseError(400, "Contact Too Long")
            uri, params = contact.parsed_uri, contact.params
            expires = params.get("expires")
            expires_s = min(default_s if expires is None else _seconds(expires), self.limits.max_expires_s)
            if expires_s:
                _check_sips(uri, request, flow)
            binding = Binding(
                user=user,
                contact=contact.uri,
                flow=flow,
                q=_q(params["q"]) if "q" in params else None,
                expires_at=now + _granted_s(expires_s, f"{user} {contact.uri}", self.limits),
                call_id=call_id,
                cseq=cseq,
                user_agent=user_agent,
                instance=_instance(params) if "+sip.instance" in params else "",
                registered_at=now,
                refreshed_at=now,
                # Where proxies are in between, they keep the way to the phone open.
                is_behind_nat=not path and _is_behind_nat(uri, flow),
                path=path,
            )
            if has_flows and binding.instance:
                binding.reg_id = read_reg_id(params.get("reg-id"))
            existing = _of_flow(binding, current) if binding.reg_id else None
            if existing is None:
                # A flow may have the URI of another flow, and takes the place of what was none.
                existing = _of_uri(
                    contact, [each for each in current if not (binding.reg_id and each.reg_id)]
                )
            wanted.append(_Wanted(binding, uri, expires_s, existing))
        if sum(1 for entry in wanted if entry.binding.reg_id and entry.expires_s) > 1:
            raise SipParseError(400, "One Flow In One Request")  # RFC 5626 6
        return wanted

    def _user_agent(self, request: Request) -> str:
        text = (request.headers.get("user-agent") or "")[:USER_AGENT_CHARS_MAX]
        known = self._user_agents.get(text)
        if known is None:
            if len(self._user_agents) >= USER_AGENTS_MAX:
                self._user_agents.clear()
            known = self._user_agents[text] = _storable(text)
        return known

    def _listing(
        self,
        request: Request,
        user: str,
        now: float,
        *,
        changed: bool = False,
        evicted: int = 0,
        is_flow: bool = False,
    ) -> RegisterResult:
        """10.3 step 8: every binding there is now, with what is left of its time; and what the way back is."""
        gruus = self._gruus if supports(request, GRUU) else None
        bindings = self._bindings.of(user, now)
        headers = [
            ("Contact", _format(binding, now) + _names(binding, gruus, is_flow=is_flow))
            for binding in bindings
        ]
        if "path" in request.headers:
            headers += [("Path", value) for value in request.headers.values("path")]
        if is_flow:
            headers += [
                ("Require", OUTBOUND),
                ("Supported", OUTBOUND),
                ("Flow-Timer", str(FLOW_TIMER_S)),
            ]
        return RegisterResult(200, "OK", headers, changed, evicted)


def _plan(wanted: list[_Wanted], current: list[Binding]) -> _Plan:
    renewed = {entry.existing: entry.binding for entry in wanted if entry.existing and entry.expires_s}
    ending = [entry.existing for entry in wanted if entry.existing and not entry.expires_s]
    fresh: list[_Wanted] = []
    for entry in wanted:
        if entry.expires_s and not entry.existing:  # of one URI given twice the last counts
            fresh = [*(other for other in fresh if not uris_equal(other.uri, entry.uri)), entry]
    # SAME DEVICE. One that is taken away by its URI is no reason to keep another: phones that learn their
    # public address send the new Contact and the old one with expires=0 in one request, in either order.
    devices = [entry.binding for entry in wanted if entry.expires_s and entry.binding.instance]
    if devices:
        ending += [binding for binding in current if any(_replaces(device, binding) for device in devices)]
    if ending:
        ending = [binding for binding in dict.fromkeys(ending) if binding not in renewed]
    return _Plan(ending, renewed, [entry.binding for entry in fresh])


def _replaces(device: Binding, binding: Binding) -> bool:
    """Another flow of the same device stays, if both are flows."""
    is_other_flow = 0 != device.reg_id != binding.reg_id != 0
    return device.instance == binding.instance and not is_other_flow


def _least_alive(current: list[Binding], plan: _Plan) -> list[Binding]:
    """What this request does not touch, in the order in which it makes room."""
    others = [binding for binding in current if binding not in plan.renewed and binding not in plan.ending]
    return sorted(others, key=lambda binding: (not binding.is_dead, binding.refreshed_at))


def _granted_s(asked_s: int, phone: str, limits: RegistrarLimits) -> int:
    """What is asked for, less this phone's part of the jitter: always the same part, so that phones that came
    together drift apart further with every renewal."""
    spare_s = min(asked_s * limits.expires_jitter_percent // 100, asked_s - limits.min_expires_s)
    if spare_s <= 0:
        return asked_s
    return asked_s - (spare_s + 1) * crc32(phone.encode("utf-8", "surrogateescape")) // 2**32


def _is_out_of_order(request: Request, bindings: Iterable[Binding]) -> bool:
    """10.3 steps 6 and 7: of two requests with one Call-ID the later sent counts, not the later come."""
    call_id, number = _storable(request.call_id), request.cseq.number
    return any(binding.call_id == call_id and number <= binding.cseq for binding in bindings)


def _is_aor_of(to: NameAddr, user: str) -> bool:
    uri = to.parsed_uri
    return isinstance(uri, SipUri) and uri.unescaped_user == user


def _of_uri(contact: NameAddr, current: list[Binding]) -> Binding | None:
    """The binding that this Contact names (19.1.4). Phones repeat themselves: nearly always it is the same
    text."""
    for binding in current:
        if binding.contact == contact.uri:
            return binding
    uri = contact.parsed_uri
    return next((binding for binding in current if uris_equal(parse_uri(binding.contact), uri)), None)


def _of_flow(flow: Binding, current: list[Binding]) -> Binding | None:
    """RFC 5626 6: the binding of the same instance and reg-id, whatever its Contact."""
    return next(
        (each for each in current if (each.instance, each.reg_id) == (flow.instance, flow.reg_id)), None
    )


def _expires_field(request: Request) -> int | None:
    value = request.headers.get("expires")
    return None if value is None else _seconds(value)


def _seconds(text: str) -> int:
    try:
        return parse_delta_seconds(text)
    except SipParseError:
        return MALFORMED_EXPIRES_S


def _q(text: str | None) -> float | None:
    return float(text) if text is not None and _q_value(text) else None


def _instance(params: dict[str, str | None]) -> str:
    text = unquote(params["+sip.instance"] or "")
    return _storable(text) if len(text) <= INSTANCE_CHARS_MAX else ""


def _check_sips(uri: Uri, request: Request, flow: Flow) -> None:
    """SIPS: who is called there is promised encryption, so only an encrypted flow can be bound (RFC 5630 5.2)."""
    if not isinstance(uri, SipUri):
        return  # such a Contact is listed, but no call goes there
    is_sips = uri.scheme == "sips"
    if is_sips and not flow.is_secure:
        raise SipParseError(403, "SIPS Contact Over An Insecure Transport")
    if not is_sips and request.uri[:5].lower() == "sips:":
        raise SipParseError(403, "SIPS Registration Needs A SIPS Contact")


def _is_behind_nat(uri: Uri, flow: Flow) -> bool:
    """Whether the phone says another address than it sends from. One that gives a name may be: it is too."""
    if not isinstance(uri, SipUri):
        return False
    port = uri.port or _DEFAULT_PORTS[uri.scheme]
    return bare_host(uri.host) != flow.remote_host or port != flow.remote_port


def _storable(text: str) -> str:
    """Without the bytes that are no UTF-8: the journal takes none. Comparing stays as good as it was."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _format(binding: Binding, now: float) -> str:
    q = "" if binding.q is None else f";q={binding.q:g}"
    return f"<{binding.contact}>{q};expires={max(1, round(binding.expires_at - now))}"


def _names(binding: Binding, gruus: Gruus | None, *, is_flow: bool) -> str:
    """The instance, its flow and its GRUUs, for a phone that asked for either."""
    if not binding.instance or (gruus is None and not is_flow):
        return ""
    text = f";+sip.instance={quote(binding.instance)}"
    if binding.reg_id:
        text += f";reg-id={binding.reg_id}"
    if gruus is not None:
        text += f';pub-gruu="{gruus.public(binding)}";temp-gruu="{gruus.temporary(binding)}"'
    return text
