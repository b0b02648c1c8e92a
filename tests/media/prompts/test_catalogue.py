"""What is played by name: every shipped prompt and tone in every codec, the operator's files instead, encoded once."""

import threading

import av
import pytest

from media.codecs import CODECS, FRAMES_PER_SECOND, G722, OPUS, PCMA, PCMU, decode_recording
from media.prompts.catalogue import LANGUAGE, SHIPPED, Catalogue, shipped_words
from media.tones import TONES
from media.wav import format_wav
from tests.media.spectrum import level_at, level_dbm0, samples_of, sine

# ITU-T P.56's -26 dBov is -19.9 dBm0; a whole prompt has pauses and so less.
LEVELS_DBM0 = (-27.0, -17.0)
SILENT_DBM0 = -40.0


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    catalogue = Catalogue()
    catalogue.prepare()
    return catalogue


def test_every_name_has_its_sound_and_every_sound_its_name(shipped):
    files = {path.stem for path in (SHIPPED / LANGUAGE).iterdir()}
    assert files == set(shipped_words())
    assert shipped.names() == files | set(TONES)
    assert not shipped.problems


@pytest.mark.parametrize("name", sorted(shipped_words()))
def test_a_shipped_prompt_is_speech_of_its_length_and_level(shipped, name):
    """Some 12 to 20 letters a second; loud as the tones; quiet at its edges; nothing near full scale."""
    text = shipped_words()[name]
    frames = shipped.frames(name, "PCMA")
    pcm = decode_recording(PCMA, frames)
    seconds = len(frames) / FRAMES_PER_SECOND
    assert 0.2 + len(text) / 25 < seconds < 1.4 + len(text) / 10
    assert LEVELS_DBM0[0] < level_dbm0(pcm) < LEVELS_DBM0[1]
    assert max(map(abs, samples_of(pcm))) < 32768 * 0.75
    assert level_dbm0(pcm[:160]) < SILENT_DBM0
    assert level_dbm0(pcm[-160:]) < SILENT_DBM0


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_a_prompt_sounds_the_same_in_every_codec(shipped, codec):
    frames = shipped.frames("no-credit", codec)
    assert len(frames) == pytest.approx(len(shipped.frames("no-credit", "PCMA")), abs=1)
    pcm = decode_recording(codec, frames)
    assert level_dbm0(pcm) == pytest.approx(
        level_dbm0(decode_recording(PCMA, shipped.frames("no-credit", PCMA))), abs=1
    )


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("name", ["dial", "number-unobtainable"])
def test_a_tone_goes_on_over_the_seam_between_two_rounds(shipped, name, codec):
    """Nothing but the tone's own frequencies around the seam: a click would be seen at all the others."""
    frames = shipped.frames(name, codec)
    rate = codec.sample_rate
    pcm = decode_recording(codec, frames * 3)
    around = pcm[2 * (2 * rate - rate // 20) :][
        : 2 * rate // 10
    ]  # 100 ms, the end of the second round in the middle
    for frequency in (1010, 1850, 2650, 3210):
        assert level_at(around, rate, frequency) < -55
    assert level_at(pcm[2 * rate :][: 2 * rate], rate, 440 if name == "dial" else 400) > -24


def test_a_prompt_is_encoded_once(shipped):
    assert shipped.frames("no-credit", "PCMA") is shipped.frames("no-credit", "pcma")
    lazy = Catalogue()
    assert lazy.bytes_held == 0
    first = lazy.frames("please-hold", "G722")
    assert lazy.frames("please-hold", G722) is first
    assert lazy.bytes_held == sum(map(len, first))


def test_what_is_prepared_is_not_read_again(monkeypatch):
    catalogue = Catalogue()
    catalogue.prepare((PCMA, PCMU))
    monkeypatch.setattr("media.prompts.catalogue.load_shipped", lambda *_: pytest.fail("read again"))
    catalogue.prepare((PCMA, PCMU))
    assert all(catalogue.frames(name, law) for name in catalogue.names() for law in ("PCMA", "PCMU"))


def test_preparing_ends_when_it_is_told_to():
    catalogue = Catalogue()
    looks = iter([True, False])
    catalogue.prepare((PCMA,), goes_on=lambda: next(looks))
    (name,) = [name for name in catalogue.names() if (("en_GB", name), PCMA) in catalogue._frames]
    assert catalogue.bytes_held == sum(map(len, catalogue.frames(name, PCMA)))


def test_what_is_not_there_is_none(shipped):
    assert shipped.frames("no-such-prompt", "PCMA") is None
    assert shipped.frames("", "PCMA") is None
    assert shipped.frames("../../etc/passwd", "PCMA") is None
    assert shipped.frames("dial", "G729") is None


def test_a_sequence_is_its_parts(shipped):
    names = ("you-have", "number-12", "no-such-prompt", "new-messages")
    expected = [shipped.frames(name, "PCMU") for name in names if name != "no-such-prompt"]
    assert shipped.sequence(names, "PCMU") == sum(expected, ())


def own(folder, file, frequency, rate=44100):
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(format_wav(sine(frequency, rate, 1.0), rate))
    return path


def pitch(catalogue, name, language=LANGUAGE):
    """The frequency of a recording of `own`; 0 for speech."""
    pcm = decode_recording(PCMA, catalogue.frames(name, "PCMA", language))[:16000]
    return next((f for f in (500, 700, 900) if level_at(pcm, 8000, f) > -12), 0)


def test_an_operators_files_are_heard_instead_by_language(tmp_path, shipped):
    own(tmp_path, "en_GB/no-credit.wav", 500)
    own(tmp_path, "cy_GB/no-credit.wav", 700)
    own(tmp_path, "cy_GB/barred.wav", 900)
    catalogue = Catalogue(tmp_path)
    assert pitch(catalogue, "no-credit") == 500
    assert pitch(catalogue, "no-credit", "cy_GB") == 700
    assert pitch(catalogue, "no-credit", "fr_FR") == 500
    assert pitch(catalogue, "barred", "cy_GB") == 900
    assert catalogue.frames("barred", "PCMA") == shipped.frames("barred", "PCMA")
    assert catalogue.frames("please-hold", "PCMA", "cy_GB") == shipped.frames("please-hold", "PCMA")
    assert catalogue.frames("dial", "PCMA", "cy_GB") == shipped.frames("dial", "PCMA")


def test_an_operators_tone_is_heard_instead(tmp_path):
    own(tmp_path, "en_GB/record-beep.wav", 500)
    assert pitch(Catalogue(tmp_path), "record-beep") == 500


def test_for_a_refused_file_the_shipped_prompt_is_heard(tmp_path, shipped):
    own(tmp_path, "en_GB/no-credit.wav", 500).write_bytes(b"RIFF")
    catalogue = Catalogue(tmp_path)
    assert catalogue.frames("no-credit", "PCMA") == shipped.frames("no-credit", "PCMA")
    assert [problem.file for problem in catalogue.problems] == ["en_GB/no-credit.wav"]


def test_a_file_that_breaks_after_it_was_looked_at_is_replaced_too(tmp_path, shipped):
    gone = own(tmp_path, "en_GB/no-credit.wav", 500)
    own(tmp_path, "cy_GB/dial.wav", 500).write_bytes(format_wav(sine(500, 8000, 0.1), 8000))
    catalogue = Catalogue(tmp_path)
    gone.unlink()
    (tmp_path / "cy_GB/dial.wav").write_bytes(b"")
    assert catalogue.frames("no-credit", "PCMA") == shipped.frames("no-credit", "PCMA")
    assert catalogue.frames("dial", "PCMA", "cy_GB") == shipped.frames("dial", "PCMA")
    assert [problem.file for problem in catalogue.problems] == ["en_GB/no-credit.wav", "cy_GB/dial.wav"]


def test_threads_may_prepare_while_others_ask():
    catalogue = Catalogue()
    thread = threading.Thread(target=catalogue.prepare, args=((OPUS,),))
    thread.start()
    early = catalogue.frames("you-have", "opus")
    thread.join()
    assert catalogue.frames("you-have", "opus") == early
    assert all(catalogue.frames(name, "opus") for name in catalogue.names())


def test_the_shipped_files_are_as_small_as_they_can_be():
    sizes = {path.name: path.stat().st_size for path in (SHIPPED / LANGUAGE).iterdir()}
    assert sum(sizes.values()) < 9_000_000
    for name in sizes:
        with av.open(str(SHIPPED / LANGUAGE / name)) as file:
            stream = file.streams.audio[0]
            assert (stream.rate, stream.layout.name, stream.format.name) == (16000, "mono", "s16")
