"""`python -m demo`: a fresh exchange, two softphones, five calls; exit status 0 only if all of it happened exactly."""

import contextlib
import importlib.util
import io
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from demo import scenes
from demo.exchange import ExchangeError, LocalExchange
from demo.pages import Pages
from demo.phone import Phone, PhoneError
from demo.scenes import DemoError

FAILED = 1
INTERRUPTED = 130


def main() -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without arrows or pounds still gets its demo
    pages = Pages()
    if importlib.util.find_spec("pjsua2") is None:
        pages.say("The demo needs pjsua2 for its softphones: pip install 'offhook[dev]'.")
        return FAILED
    signal.signal(signal.SIGTERM, _interrupt)
    directory = Path(tempfile.mkdtemp(prefix="offhook-demo-"))
    try:
        _play(directory, pages)
    except (DemoError, ExchangeError, PhoneError) as problem:
        pages.failure(str(problem), str(directory))
        return FAILED
    except KeyboardInterrupt:
        pages.say("\nInterrupted; everything that was started has been ended.")
        shutil.rmtree(directory, ignore_errors=True)
        return INTERRUPTED
    shutil.rmtree(directory, ignore_errors=True)
    return 0


def _play(directory: Path, pages: Pages) -> None:
    exchange = LocalExchange(directory, scenes.CONF)
    try:
        _run(exchange, directory, pages)
    except BaseException:
        with contextlib.suppress(ExchangeError):  # what went wrong first is what counts
            exchange.stop()
        raise
    began = time.monotonic()
    exchange.stop()
    pages.say(
        f"\nPhones unregistered, exchange ended in {time.monotonic() - began:.1f} s. "
        "[bold green]All of it happened exactly.[/]"
    )


def _run(exchange: LocalExchange, logs: Path, pages: Pages) -> None:
    pages.title("An exchange on an empty directory")
    began = time.monotonic()
    exchange.start()
    pages.set_up(exchange.address, time.monotonic() - began)
    passwords = scenes.provision(exchange)
    alice, bob = scenes.start_phones(exchange, passwords, logs)
    try:
        _calls(exchange, alice, bob, logs, pages)
    finally:
        alice.stop()
        bob.stop()
    scenes.check_nothing_left(exchange)


def _calls(exchange: LocalExchange, alice: Phone, bob: Phone, logs: Path, pages: Pages) -> None:
    pages.registrations(scenes.registrations(exchange))

    pages.title("1. Alice calls Bob's number and hangs up after a few seconds")
    first = scenes.a_call(exchange, alice, bob)
    pages.ladder(first.steps, since=first.began_at)
    if first.audio is not None:
        ours, theirs = first.audio
        pages.say(f"Audio ({ours.codec}): Alice heard {ours.received} packets, Bob {theirs.received}.")

    pages.title("2. She calls again, nobody answers, and she leaves a message; the lamp of Bob's phone lights")
    message = scenes.a_message(exchange, alice, bob)

    pages.title("3. Bob dials 1571 and hears it")
    retrieval = scenes.the_message_heard(exchange, bob, logs)
    if retrieval.heard is not None:
        heard = retrieval.heard
        pages.say(
            f"Her tone of {scenes.ALICE_HZ} Hz came back for {heard.seconds:.2f} s at {heard.level_dbfs:.1f} dBFS,"
            " as long and as loud as it was kept."
        )

    paid_s = scenes.PRICE.paid_s(retrieval.balance_after_micros)
    pages.title(f"4. She calls once more; the credit lasts for {paid_s} s and the call is cut there")
    cut = scenes.a_cut_call(exchange, alice, bob)
    answered = next(step.at for step in cut.steps if step.is_left and step.text.startswith("200"))
    byes = [step for step in cut.steps if step.at > answered and "ACK" not in step.text]
    pages.say("The times are seconds since the answer.")
    pages.ladder(byes, since=answered)

    pages.title("5. She tries again: she is told why not, then 402, and Bob's phone stays silent")
    refused = scenes.a_refused_call(exchange, alice, bob)

    played = [first, message, retrieval, cut, refused]
    _, total = scenes.books_in_postgresql(exchange, played)
    pages.records([row for scene in played for row in scene.cdrs])
    pages.sums(played, total)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal's own arguments
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
