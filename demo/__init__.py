"""The demo: the real exchange, two real softphones, and what an operator would look at. `python -m demo`."""
