"""A softphone seen from outside: start it, tell it what to do, wait for what it says.

    phone = Phone.start(PhoneSettings(...))
    phone.register()
    call = phone.dial("sip:01632960002@127.0.0.1:5060")
    call.wait_for(CallState.CONFIRMED)

Each wait has a limit and fails with a sentence (PhoneError) that says what was expected and what came instead.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from demo.phone_messages import (
    Answer,
    AudioCounted,
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
    MediaChanged,
    MediaState,
    Mix,
    PhoneSettings,
    Press,
    Quit,
    Ready,
    Register,
    RegistrationChanged,
    Resume,
    SendInfo,
    SendUpdate,
    SipSeen,
    Transfer,
    TransferReported,
    TransferToCall,
    Unregister,
)

Found = TypeVar("Found")

START_TIMEOUT_S = 20.0
ANSWER_TIMEOUT_S = 10.0
QUIT_TIMEOUT_S = 5.0
REPOSITORY = Path(__file__).resolve().parent.parent


class PhoneError(Exception):
    """A phone did not do, or did not see, what was expected."""


class Phone:
    """One softphone in a process of its own."""

    def __init__(self, settings: PhoneSettings, process: "subprocess.Popen[bytes]") -> None:
        self.settings = settings
        self.address = ""
        self._process = process
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._calls_dialled = 0
        self._reader = threading.Thread(target=self._read, name=f"phone {settings.name}", daemon=True)
        self._reader.start()

    @classmethod
    def start(cls, settings: PhoneSettings) -> "Phone":
        with Path(settings.log).with_suffix(".out").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "demo.phone_process"],
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
            )
        phone = cls(settings, process)
        try:
            phone._send(settings)
            phone.address = phone.wait_for(Ready, "to start", timeout_s=START_TIMEOUT_S).address
        except PhoneError:
            phone.stop()
            raise
        return phone

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def trace(self) -> list[SipSeen]:
        """Every SIP message of this phone so far."""
        with self._changed:
            return [event for event in self._events if isinstance(event, SipSeen)]

    def register(self) -> RegistrationChanged:
        """Registers, or raises with what the registrar said."""
        change = self.try_to_register()
        if not change.is_registered:
            raise PhoneError(f"{self.name} could not register: {change.status} {change.reason}")
        return change

    def try_to_register(self) -> RegistrationChanged:
        mark = self.mark()
        self.tell(Register())
        return self.wait_for(RegistrationChanged, "an answer to its REGISTER", after=mark)

    def unregister(self) -> RegistrationChanged:
        mark = self.mark()
        self.tell(Unregister())
        return self.wait_for(
            RegistrationChanged, "to be unregistered", lambda change: not change.is_registered, after=mark
        )

    def dial(self, uri: str, headers: list[tuple[str, str]] | None = None) -> "PhoneCall":
        self._calls_dialled += 1
        call = PhoneCall(self, self._calls_dialled, self.mark())
        self.tell(Dial(call.number, uri, headers or []))
        return call

    def expect_call(self, *, after: int = 0, timeout_s: float = ANSWER_TIMEOUT_S) -> "PhoneCall":
        """The next call that comes in (or came since `after`)."""
        arrived = self.wait_for(CallArrived, "a call", after=after, timeout_s=timeout_s)
        return PhoneCall(self, arrived.call, after, caller=arrived.caller)

    def wait_for_message(
        self, beginning: str, *, containing: str = "", after: int = 0, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> SipSeen:
        """A SIP message that comes in, begins so and has that in it."""
        return self.wait_for(
            SipSeen,
            f"a {beginning} {containing}".rstrip(),
            lambda seen: not seen.is_sent and seen.text.startswith(beginning) and containing in seen.text,
            after=after,
            timeout_s=timeout_s,
        )

    def mark(self) -> int:
        """A place in the stream of events; waits can begin there."""
        with self._changed:
            return len(self._events)

    def tell(self, command: Command) -> None:
        self._send(command)

    def wait_for(
        self,
        kind: type[Found],
        what: str,
        accepts: Callable[[Found], bool] = lambda event: True,  # noqa: ARG005
        *,
        after: int = 0,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> Found:
        """The first event of a kind, from `after` on, that is accepted."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for event in self._events[after:]:
                    if isinstance(event, kind) and accepts(event):
                        return event
                    if isinstance(event, CommandFailed):
                        raise PhoneError(f"{self.name} refused a command: {event.problem}")
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._reader.is_alive():
                    raise PhoneError(self._disappointment(what, timeout_s))
                self._changed.wait(min(left_s, 0.5))

    def events_of(self, kind: type[Found], *, after: int = 0) -> list[Found]:
        with self._changed:
            return [event for event in self._events[after:] if isinstance(event, kind)]

    def stop(self) -> None:
        """Ends calls, unregisters and ends the process; by force when it does not."""
        process = self._process
        if process.poll() is None:
            try:
                self.tell(Quit())
                process.wait(QUIT_TIMEOUT_S)
            except (PhoneError, subprocess.TimeoutExpired):
                process.kill()
                process.wait()
        self._reader.join()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def kill(self) -> None:
        """A phone whose plug is pulled: no BYE, no unregistering."""
        self._process.kill()
        self._process.wait()

    def _send(self, message: msgspec.Struct) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise PhoneError(f"{self.name}'s process has ended; its log is {self.settings.log}") from None

    def _read(self) -> None:
        decoder = msgspec.json.Decoder(Event)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event: Event = decoder.decode(line)
            with self._changed:
                self._events.append(event)
                self._changed.notify_all()

    def _disappointment(self, what: str, timeout_s: float) -> str:
        last = [event for event in self._events if not isinstance(event, SipSeen)][-1:]
        seen = repr(last[0]) if last else "nothing"
        if not self._reader.is_alive():
            return f"{self.name} ended while it was expected {what} ({seen} came last)"
        return f"{self.name}: expected {what} within {timeout_s:g} s; {seen} came last"


class PhoneCall:
    """One call at one phone."""

    def __init__(self, phone: Phone, number: int, mark: int, *, caller: str = "") -> None:
        self.phone = phone
        self.number = number
        self.caller = caller
        self._mark = mark

    @property
    def sip_call_id(self) -> str:
        return self._wait(CallChanged, "a call", lambda change: bool(change.sip_call_id)).sip_call_id

    def ring(self) -> None:
        self.answer(180)

    def answer(self, status: int = 200, reason: str = "") -> None:
        self.phone.tell(Answer(self.number, status, reason))

    def hang_up(self) -> None:
        self.phone.tell(HangUp(self.number))

    def hold(self) -> None:
        self.phone.tell(Hold(self.number))

    def resume(self) -> None:
        self.phone.tell(Resume(self.number))

    def press(self, digits: str) -> None:
        self.phone.tell(Press(self.number, digits))

    def update(self) -> None:
        self.phone.tell(SendUpdate(self.number))

    def send_info(self, digit: str) -> None:
        self.phone.tell(SendInfo(self.number, digit))

    def wait_for(self, state: CallState, *, timeout_s: float = ANSWER_TIMEOUT_S) -> CallChanged:
        """The change into a state, also when it has passed. Fails at once when the call has ended instead."""
        change = self._wait(
            CallChanged,
            f"its call to be {state.value}",
            lambda change: change.state in (state, CallState.ENDED),
            timeout_s=timeout_s,
        )
        if change.state is not state:
            name = self.phone.name
            raise PhoneError(
                f"{name}'s call ended with {change.status} {change.reason}, expected {state.value}"
            )
        return change

    def wait_ended(self, *, timeout_s: float = ANSWER_TIMEOUT_S) -> CallChanged:
        return self._wait(
            CallChanged,
            "its call to end",
            lambda change: change.state is CallState.ENDED,
            timeout_s=timeout_s,
        )

    def wait_for_media(
        self, state: MediaState, *, after: int | None = None, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> MediaChanged:
        return self._wait(
            MediaChanged,
            f"its audio to be {state.value}",
            lambda change: change.state is state,
            after=after,
            timeout_s=timeout_s,
        )

    def count_audio(self) -> AudioCounted:
        mark = self.phone.mark()
        self.phone.tell(CountAudio(self.number))
        return self._wait(AudioCounted, "its audio to be counted", after=mark)

    def transfer(self, uri: str) -> None:
        """The other side is to call there (RFC 3515)."""
        self.phone.tell(Transfer(self.number, uri))

    def transfer_to(self, other: "PhoneCall") -> None:
        """The other side is to take this phone's place in another of its calls (RFC 3891)."""
        self.phone.tell(TransferToCall(self.number, other.number))

    def mix(self, other: "PhoneCall") -> None:
        self.phone.tell(Mix(self.number, other.number))

    def wait_transferred(self, *, timeout_s: float = ANSWER_TIMEOUT_S) -> TransferReported:
        """How the transfer came out: a refused REFER, or the last NOTIFY."""
        return self._wait(
            TransferReported,
            "to hear how its transfer came out",
            lambda report: report.is_final or report.status >= 300,
            timeout_s=timeout_s,
        )

    def _wait(
        self,
        kind: type[Found],
        what: str,
        accepts: Callable[[Found], bool] = lambda event: True,  # noqa: ARG005
        *,
        after: int | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> Found:
        return self.phone.wait_for(
            kind,
            what,
            lambda event: getattr(event, "call", None) == self.number and accepts(event),
            after=self._mark if after is None else after,
            timeout_s=timeout_s,
        )
