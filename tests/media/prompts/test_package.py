"""The wheel that is installed has the prompts in it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from media.prompts.catalogue import LANGUAGE, shipped_words

ROOT = Path(__file__).parents[3]


@pytest.mark.wire
def test_the_wheel_has_the_words_and_the_sound_of_every_prompt(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert f"media/prompts/{LANGUAGE}.toml" in names
    assert {f"media/prompts/{LANGUAGE}/{name}.flac" for name in shipped_words()} <= names
    assert not any(name.startswith("voice/") for name in names), "what made them is not shipped"
