"""Prompts of accounts: what is taken in, what is refused, what is heard."""

import pytest

from media.codecs import PCMA, decode_recording
from media.wav import WavProblem, format_wav
from tests.media.spectrum import level_at, sine
from voicemail.account_prompts import SECONDS_MAX, AccountPrompts


@pytest.fixture
def prompts(tmp_path):
    return AccountPrompts(tmp_path / "prompts")


def wav(seconds=1.0, frequency=500, rate=44_100):
    return format_wav(sine(frequency, rate, seconds), rate)


def heard(prompts, name, account="7"):
    frames = prompts.frames(account, name, PCMA)
    return next(f for f in (500, 700) if level_at(decode_recording(PCMA, frames)[:16000], 8000, f) > -12)


def test_what_is_put_is_heard_and_what_is_put_again_is_heard_instead(prompts):
    prompts.put("7", "welcome", wav())
    assert heard(prompts, "welcome") == 500
    assert prompts.frames("7", "welcome", PCMA) is prompts.frames("7", "welcome", PCMA)
    prompts.put("7", "welcome", wav(frequency=700))
    assert heard(prompts, "welcome") == 700
    (kept,) = prompts.prompts("7")
    assert (kept.name, round(kept.seconds, 2)) == ("welcome", 1.0)


def test_an_account_has_no_others_prompts(prompts):
    prompts.put("7", "welcome", wav())
    assert prompts.frames("8", "welcome", PCMA) is None
    assert prompts.prompts("8") == []


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ("7", "../7/welcome"),
        ("..", "welcome"),
        ("7", ""),
        ("", "welcome"),
        ("7", "Welcome"),
        ("7/..", "welcome"),
    ],
)
def test_names_lead_nowhere_else(prompts, account, name):
    prompts.put("7", "welcome", wav())
    assert prompts.frames(account, name, PCMA) is None


def test_deleted_is_gone(prompts):
    prompts.put("7", "welcome", wav())
    prompts.frames("7", "welcome", PCMA)
    assert prompts.delete("7", "welcome")
    assert not prompts.delete("7", "welcome")
    assert prompts.frames("7", "welcome", PCMA) is None


def test_what_is_no_recording_leaves_what_was_there(prompts):
    prompts.put("7", "welcome", wav())
    for data in (b"", b"RIFF", wav()[:-5], wav(SECONDS_MAX + 1, rate=8000)):
        with pytest.raises(WavProblem):
            prompts.put("7", "welcome", data)
    assert heard(prompts, "welcome") == 500


def test_an_account_has_so_many_and_so_long(prompts, monkeypatch):
    monkeypatch.setattr("voicemail.account_prompts.PROMPTS_MAX", 2)
    monkeypatch.setattr("voicemail.account_prompts.SECONDS_OF_ACCOUNT_MAX", 2.5)
    prompts.put("7", "a", wav())
    prompts.put("7", "b", wav())
    with pytest.raises(WavProblem, match="2 at most"):
        prompts.put("7", "c", wav())
    with pytest.raises(WavProblem, match="may have 2 s"):
        prompts.put("7", "b", wav(2.0))
    prompts.put("7", "b", wav(1.4))
    prompts.put("8", "c", wav())


def test_what_was_heard_longest_ago_is_forgotten_first(prompts, monkeypatch):
    monkeypatch.setattr("voicemail.account_prompts.BYTES_HELD_MAX", 20_000)
    for name in "abc":
        prompts.put("7", name, wav())
        prompts.frames("7", name, PCMA)
    assert prompts.bytes_held == 16_000
    assert prompts.frames("7", "a", PCMA) is not None
    prompts.delete("7", "b")
    assert prompts.bytes_held == 16_000
