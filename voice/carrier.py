"""Short prompts spoken at the end of a sentence and cut out of it, where the model swallows half of them alone.

"press hash." alone is heard as "breath harshy"; "To end the call, press hash." has a pause where it is cut.
"""

import numpy as np

from voice.finish import WINDOW_S, speech_spans
from voice.kokoro import RATE, Kokoro, Sound

# Other short ones are understood as they are.
BEGINNING = "press "
CARRIERS = ("To end the call, {text}.", "To end the call. {text}.")
# The voice rests 130 ms and more at a comma; within a word it closes its lips for less.
PAUSE_MIN_S = 0.09
# What the lexicon reads weakly between other words, in its alphabet.
PRONUNCIATIONS = {"at": "[at](/\u02c8at/)"}


def speak_within(kokoro: Kokoro, text: str) -> Sound:
    """The sound of the text, out of a carrier if it needs one."""
    spoken = PRONUNCIATIONS.get(text, text)
    if not text.startswith(BEGINNING) and text not in PRONUNCIATIONS:
        return kokoro.speak(spoken)
    for carrier in CARRIERS:
        sound = kokoro.speak(carrier.format(text=spoken.rstrip(".,:")))
        pause_end = _end_of_longest_pause(sound)
        if pause_end:
            return sound[int((pause_end - 2) * WINDOW_S * RATE) :]
    raise ValueError(f"{text!r} cannot be cut out of its sentence")


def _end_of_longest_pause(sound: Sound) -> int:
    """In windows of 10 ms; 0 if there is none."""
    spoken = np.flatnonzero(speech_spans(sound, RATE))
    gaps = np.diff(spoken) - 1
    longest = int(gaps.argmax())
    return int(spoken[longest + 1]) if gaps[longest] * WINDOW_S >= PAUSE_MIN_S else 0
