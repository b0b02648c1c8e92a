"""A softphone: pjsua2 with a null sound device, driven over stdin and stdout (phone_messages).

Everything happens on one thread: read a command, let pjsua2 handle what came in, and so on. The phone sends a tone
into each call, so that both sides have audio to count. It leaves out whatever a person would see or hear.
"""

import contextlib
import os
import re
import select
import sys
import time
from typing import Any, assert_never

import msgspec
import pjsua2 as pj

from demo.phone_messages import (
    Answer,
    AudioCounted,
    BeThere,
    CallArrived,
    CallChanged,
    CallState,
    Command,
    CommandFailed,
    CountAudio,
    Dial,
    Event,
    HangUp,
    Hold,
    KeyHeard,
    MailboxChanged,
    MediaChanged,
    MediaState,
    Mix,
    PhoneSettings,
    PresenceChanged,
    Press,
    Quit,
    Ready,
    Register,
    RegistrationChanged,
    Resume,
    SendInfo,
    SendText,
    SendUpdate,
    SipSeen,
    TextArrived,
    TextSent,
    Transfer,
    TransferReported,
    TransferToCall,
    Transport,
    Unregister,
    Unwatch,
    Watch,
)

LOOPBACK = "127.0.0.1"
LOOP_MS = 10
QUIT_WAIT_S = 1.5  # for BYE and the last REGISTER to be answered; after that the process ends all the same
TRACE_LEVEL = 4  # pjsip logs whole messages from this level on
# Few codecs keep an INVITE below 1,300 bytes; above, pjsip turns to TCP by itself (RFC 3261 18.1.1).
CODECS = ("PCMA/8000", "PCMU/8000", "G722/16000")
TRACE_LINE = re.compile(r"(TX|RX) \d+ bytes .* (?:to|from) (\S+) (\S+):\n")

TRANSPORTS = {
    Transport.UDP: pj.PJSIP_TRANSPORT_UDP,
    Transport.TCP: pj.PJSIP_TRANSPORT_TCP,
    Transport.TLS: pj.PJSIP_TRANSPORT_TLS,
}
CALL_STATES = {
    pj.PJSIP_INV_STATE_NULL: CallState.CALLING,
    pj.PJSIP_INV_STATE_CALLING: CallState.CALLING,
    pj.PJSIP_INV_STATE_INCOMING: CallState.INCOMING,
    pj.PJSIP_INV_STATE_EARLY: CallState.EARLY,
    pj.PJSIP_INV_STATE_CONNECTING: CallState.CONNECTING,
    pj.PJSIP_INV_STATE_CONFIRMED: CallState.CONFIRMED,
    pj.PJSIP_INV_STATE_DISCONNECTED: CallState.ENDED,
}
MEDIA_STATES = {
    pj.PJSUA_CALL_MEDIA_NONE: MediaState.NONE,
    pj.PJSUA_CALL_MEDIA_ACTIVE: MediaState.ACTIVE,
    pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: MediaState.HELD_HERE,
    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: MediaState.HELD_THERE,
    pj.PJSUA_CALL_MEDIA_ERROR: MediaState.FAILED,
}


InCall = Press | Hold | Resume | SendUpdate | SendInfo | Transfer | TransferToCall | Mix


class Pipe:
    """Events out, commands in."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)  # pjsip writes its first lines to stdout, whatever it is told
        self._in = b""
        self._encoder = msgspec.json.Encoder()

    def tell(self, event: Event) -> None:
        self._out.write(self._encoder.encode(event) + b"\n")

    def read_lines(self, timeout_s: float) -> list[bytes] | None:
        """Whole lines that have come; None when the other side is gone."""
        if not select.select([0], [], [], timeout_s)[0]:
            return []
        data = os.read(0, 65536)
        if not data:
            return None
        *lines, self._in = (self._in + data).split(b"\n")
        return lines


class Trace(pj.LogWriter):  # type: ignore[misc]  # pjsua2 has no types
    """Picks whole SIP messages out of pjsip's log."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__()
        self._pipe = pipe

    def write(self, entry: Any) -> None:
        found = TRACE_LINE.search(entry.msg)
        if found is None:
            return
        text = entry.msg[found.end() :].partition("\n--end msg--")[0]
        direction, transport, peer = found.groups()
        self._pipe.tell(SipSeen(time.time(), direction == "TX", transport, peer, text))


class PhoneCall(pj.Call):  # type: ignore[misc]
    """One call of the phone."""

    def __init__(self, account: "PhoneAccount", number: int, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, call_id)
        self.account = account
        self.number = number

    def onCallState(self, prm: Any) -> None:  # noqa: N802 - pjsua2's names
        info = self.getInfo()
        state = CALL_STATES[info.state]
        self.account.pipe.tell(
            CallChanged(
                self.number, state, info.lastStatusCode, info.lastReason, info.callIdString, time.time()
            )
        )
        if state is CallState.ENDED:
            del self.account.calls[self.number]

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        info = self.getInfo()  # kept: its parts are only views into it, gone when it is
        state = MEDIA_STATES[info.media[0].status] if len(info.media) else MediaState.NONE
        if state in (MediaState.ACTIVE, MediaState.HELD_THERE):
            audio = self.getAudioMedia(-1)
            self.account.tone.startTransmit(audio)
            if self.account.recorder is not None:
                audio.startTransmit(self.account.recorder)
        self.account.pipe.tell(MediaChanged(self.number, state))

    def onDtmfDigit(self, prm: Any) -> None:  # noqa: N802
        self.account.pipe.tell(KeyHeard(self.number, prm.digit))

    def onCallTransferStatus(self, prm: Any) -> None:  # noqa: N802
        self.account.pipe.tell(TransferReported(self.number, prm.statusCode, bool(prm.finalNotify)))

    def counted(self) -> AudioCounted:
        statistics, stream = self.getStreamStat(0), self.getStreamInfo(0)
        sent, received = statistics.rtcp.txStat.pkt, statistics.rtcp.rxStat.pkt
        return AudioCounted(self.number, sent, received, stream.codecName)


class PhoneBuddy(pj.Buddy):  # type: ignore[misc]
    """Somebody whose presence the phone shows."""

    def __init__(self, pipe: Pipe, uri: str) -> None:
        super().__init__()
        self.pipe = pipe
        self.uri = uri

    def onBuddyState(self) -> None:  # noqa: N802
        info = self.getInfo()
        status = info.presStatus
        self.pipe.tell(
            PresenceChanged(
                self.uri,
                status.status == pj.PJSUA_BUDDY_STATUS_ONLINE,
                status.note,
                info.subStateName,
                info.subTermReason,
            )
        )


class PhoneAccount(pj.Account):  # type: ignore[misc]
    """The phone's one identity and its calls."""

    def __init__(self, pipe: Pipe, tone: Any, recorder: Any) -> None:
        super().__init__()
        self.pipe = pipe
        self.tone = tone
        self.recorder = recorder
        self.calls: dict[int, PhoneCall] = {}
        self.buddies: dict[str, PhoneBuddy] = {}
        self.is_registered = False
        self._last_incoming = 1000  # below are the calls that the driver numbers

    def onRegState(self, prm: Any) -> None:  # noqa: N802
        self.is_registered = bool(self.getInfo().regIsActive)
        self.pipe.tell(RegistrationChanged(prm.code, prm.reason, self.is_registered))

    def onMwiInfo(self, prm: Any) -> None:  # noqa: N802
        self.pipe.tell(MailboxChanged(prm.rdata.wholeMsg.partition("\r\n\r\n")[2]))

    def onInstantMessage(self, prm: Any) -> None:  # noqa: N802
        self.pipe.tell(TextArrived(prm.fromUri, prm.msgBody))

    def onInstantMessageStatus(self, prm: Any) -> None:  # noqa: N802
        self.pipe.tell(TextSent(prm.code, prm.reason))

    def watch(self, uri: str) -> PhoneBuddy:
        """A new one, or the one that there is."""
        buddy = self.buddies.get(uri)
        if buddy is None:
            config = pj.BuddyConfig()
            config.uri = uri
            config.subscribe = False
            buddy = self.buddies[uri] = PhoneBuddy(self.pipe, uri)
            buddy.create(self, config)
        return buddy

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        self._last_incoming += 1
        call = PhoneCall(self, self._last_incoming, prm.callId)
        self.calls[call.number] = call
        info = call.getInfo()
        self.pipe.tell(CallArrived(call.number, info.remoteUri, info.callIdString))


class Phone:
    """The endpoint, its account, and what each command does."""

    def __init__(self, settings: PhoneSettings, pipe: Pipe) -> None:
        self._settings = settings
        self._pipe = pipe
        self._trace = Trace(pipe)
        self._endpoint = pj.Endpoint()
        self._start_endpoint()
        self._tone = pj.ToneGenerator()
        self._tone.createToneGenerator()
        self._play_tone()
        self._account = PhoneAccount(pipe, self._tone, self._recorder())
        self._account.create(self._account_config())

    def handle_events(self) -> None:
        self._endpoint.libHandleEvents(LOOP_MS)

    def do(self, command: Command) -> None:
        """Carry out one command. Raises pj.Error, KeyError for a call that is over."""
        calls = self._account.calls
        match command:
            case Register():
                self._account.setRegistration(True)
            case Unregister():
                self._account.setRegistration(False)
            case Dial(call=number, uri=uri, headers=headers):
                calls[number] = PhoneCall(self._account, number)
                calls[number].makeCall(uri, _with_headers(headers))
            case Answer(call=number, status=status, reason=reason):
                parameters = pj.CallOpParam()
                parameters.statusCode, parameters.reason = status, reason
                calls[number].answer(parameters)
            case HangUp(call=number):
                calls[number].hangup(pj.CallOpParam())
            case Press() | Hold() | Resume() | SendUpdate() | SendInfo() | Transfer() | TransferToCall() | Mix():
                self._do_in_call(command)
            case Watch() | Unwatch() | BeThere() | SendText():
                self._do_outside_calls(command)
            case CountAudio(call=number):
                self._pipe.tell(calls[number].counted())
            case Quit():
                self._quit()
            case _:
                assert_never(command)

    def _do_in_call(self, command: InCall) -> None:
        calls = self._account.calls
        match command:
            case Press(call=number, digits=digits):
                calls[number].dialDtmf(digits)
            case Hold(call=number):
                calls[number].setHold(pj.CallOpParam(True))
            case Resume(call=number):
                parameters = pj.CallOpParam(True)
                parameters.opt.flag = pj.PJSUA_CALL_UNHOLD
                calls[number].reinvite(parameters)
            case SendUpdate(call=number):
                calls[number].update(pj.CallOpParam(True))
            case SendInfo(call=number, digit=digit):
                dtmf = pj.CallSendDtmfParam()
                dtmf.method, dtmf.digits = pj.PJSUA_DTMF_METHOD_SIP_INFO, digit
                calls[number].sendDtmf(dtmf)
            case Transfer(call=number, uri=uri):
                calls[number].xfer(uri, pj.CallOpParam())
            case TransferToCall(call=number, other=other):
                calls[number].xferReplaces(calls[other], pj.CallOpParam())
            case Mix(call=number, other=other):
                one, two = (calls[each].getAudioMedia(-1) for each in (number, other))
                one.startTransmit(two)
                two.startTransmit(one)
            case _:
                assert_never(command)

    def _do_outside_calls(self, command: Watch | Unwatch | BeThere | SendText) -> None:
        match command:
            case Watch(uri=uri):
                self._account.watch(uri).subscribePresence(True)
            case Unwatch(uri=uri):
                self._account.watch(uri).subscribePresence(False)
            case BeThere(is_online=is_online, note=note):
                self._account.setOnlineStatus(_presence(is_online, note))
            case SendText(uri=uri, text=text):
                message = pj.SendInstantMessageParam()
                message.content = text
                self._account.watch(uri).sendInstantMessage(message)
            case _:
                assert_never(command)

    def _quit(self) -> None:
        self._endpoint.hangupAllCalls()
        account = self._account
        if account.is_registered:
            account.setRegistration(False)
        deadline = time.monotonic() + QUIT_WAIT_S
        while time.monotonic() < deadline and (account.calls or account.is_registered):
            self.handle_events()
        os._exit(0)  # pjsua2's own goodbye takes a second more and says nothing new

    def _start_endpoint(self) -> None:
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.userAgent = f"pjsua2 ({self._settings.name})"
        config.medConfig.noVad = True  # audio all the time, so that packets can be counted
        config.logConfig.level = TRACE_LEVEL
        config.logConfig.consoleLevel = TRACE_LEVEL
        config.logConfig.msgLogging = True
        config.logConfig.filename = self._settings.log
        config.logConfig.writer = self._trace
        self._endpoint.libCreate()
        self._endpoint.libInit(config)
        self._endpoint.audDevManager().setNullDev()
        transport = pj.TransportConfig()
        transport.boundAddress = LOOPBACK
        transport.publicAddress = self._settings.claimed_host
        transport.port = self._settings.port
        if self._settings.ca_file:
            transport.tlsConfig.CaListFile = self._settings.ca_file
            transport.tlsConfig.verifyServer = True
        number = self._endpoint.transportCreate(TRANSPORTS[self._settings.transport], transport)
        self._endpoint.libStart()
        for codec in self._endpoint.codecEnum2():
            if not codec.codecId.startswith(CODECS):
                self._endpoint.codecSetPriority(codec.codecId, 0)
        self.address = self._endpoint.transportGetInfo(number).localName

    def _account_config(self) -> Any:
        settings = self._settings
        over = "" if settings.transport is Transport.UDP else f";transport={settings.transport.value}"
        config = pj.AccountConfig()
        config.idUri = f"sip:{settings.user}@{settings.server}"
        config.mediaConfig.transportConfig.boundAddress = LOOPBACK
        config.mediaConfig.transportConfig.publicAddress = settings.claimed_media_host
        if settings.sound_port:
            config.mediaConfig.transportConfig.port = settings.sound_port
        config.mediaConfig.lockCodecEnabled = settings.insists_on_one_codec
        if settings.requires_100rel:
            config.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY
        if settings.session_s:
            config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_ALWAYS
            config.callConfig.timerSessExpiresSec = settings.session_s
        if settings.claimed_host:
            config.natConfig.contactRewriteUse = 0  # a phone that never learns where it really is
            config.natConfig.viaRewriteUse = 0
        if settings.instance:
            config.natConfig.sipOutboundInstanceId = f"<urn:uuid:{settings.instance}>"
            config.natConfig.sipOutboundRegId = str(settings.reg_id)
        config.mwiConfig.enabled = settings.watches_mailbox
        config.presConfig.publishEnabled = settings.publishes
        if settings.password:
            config.sipConfig.proxies.append(f"sip:{settings.server};lr{over}")
            config.regConfig.registrarUri = f"sip:{settings.server}{over}"
            config.regConfig.registerOnAdd = False
            config.regConfig.timeoutSec = settings.register_for_s
            config.regConfig.retryIntervalSec = 0
            config.sipConfig.authCreds.append(
                pj.AuthCredInfo("digest", "*", settings.user, 0, settings.password)
            )
        return config

    def _recorder(self) -> Any:
        if not self._settings.recording:
            return None
        recorder = pj.AudioMediaRecorder()
        recorder.createRecorder(self._settings.recording)
        return recorder

    def _play_tone(self) -> None:
        tone = pj.ToneDesc()
        tone.freq1 = self._settings.tone_hz
        tone.on_msec, tone.off_msec = 1000, 0
        tones = pj.ToneDescVector()
        tones.append(tone)
        self._tone.play(tones, True)


def _presence(is_online: bool, note: str) -> Any:
    status = pj.PresenceStatus()
    status.status = pj.PJSUA_BUDDY_STATUS_ONLINE if is_online else pj.PJSUA_BUDDY_STATUS_OFFLINE
    status.activity = pj.PJRPID_ACTIVITY_UNKNOWN
    status.note = note
    return status


def _with_headers(headers: list[tuple[str, str]]) -> Any:
    parameters = pj.CallOpParam(True)
    for name, value in headers:
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        parameters.txOption.headers.append(header)
    return parameters


def main() -> None:
    pipe = Pipe()
    lines = pipe.read_lines(60.0)
    if not lines:
        sys.exit("a phone expects its settings as the first line")
    phone = Phone(msgspec.json.decode(lines[0], type=PhoneSettings), pipe)
    pipe.tell(Ready(phone.address))
    pending = lines[1:]
    commands = msgspec.json.Decoder(Command)
    while True:
        for line in pending:
            try:
                phone.do(commands.decode(line))
            except (pj.Error, KeyError) as problem:
                words = problem.info() if isinstance(problem, pj.Error) else f"no call {problem}"
                pipe.tell(CommandFailed(f"{line.decode()}: {words}"))
        phone.handle_events()
        received = pipe.read_lines(0.0)
        if received is None:
            with contextlib.suppress(pj.Error):
                phone.do(Quit())
        pending = received or []


if __name__ == "__main__":
    main()
