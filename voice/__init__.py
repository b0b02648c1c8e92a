"""How the shipped prompts are made (`make prompts`): the words of media/prompts/en_GB.toml, spoken into files.

Nothing here runs in an exchange or is part of its package. The voice is Kokoro-82M (Apache-2.0), run by ONNX Runtime;
its packages are in requirements.in. docs/sound.md says why this voice.
"""
