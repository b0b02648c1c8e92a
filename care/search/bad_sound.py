"""Which rows of call_media are bad sound, as PostgreSQL says it: the same words as in the index (0021_call_search.sql).

A row is what one end of a call sent. media/verdict.py judges a call in full, from its answer on and without what a hold
took; these are its limits as far as one row's totals can tell, which is what a search can ask of millions.
"""

from typing import Final

# One end sent nothing while it was spoken to for four seconds, in packets of 20 ms (ONE_WAY_S_MIN there).
ONE_WAY: Final = "packets = 0 AND packets_sent >= 200"
# LOSS_PERCENT_MAX with LOST_PACKETS_MIN, and JITTER_MS_MAX there.
BAD_SOUND: Final = (
    f"({ONE_WAY}) OR (lost >= 10 AND lost * 100 >= 3 * (packets + lost)) OR jitter_us >= 50000"
)
