"""A line without a call: how it stands, and why it does not ring.

`gather_line` puts together what is known of it, `explain_line` says it in words.
"""

from care.lines.explanation import LineExplanation, explain_line
from care.lines.story import LineStory, gather_line

__all__ = ["LineExplanation", "LineStory", "explain_line", "gather_line"]
