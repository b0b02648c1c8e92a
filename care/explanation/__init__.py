"""What happened to a call and why, in plain English: facts, signs in them, and the table of patterns."""

from care.explanation.explanation import Explanation, Finding, explain
from care.explanation.patterns import PATTERNS_FILE, Pattern, Where, load_patterns

__all__ = ["PATTERNS_FILE", "Explanation", "Finding", "Pattern", "Where", "explain", "load_patterns"]
