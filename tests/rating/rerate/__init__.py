"""A second rater, slow and plain, and random calls that both rate: they must agree to the micro.

`python -m tests.rating.rerate 1000000` (make rerate) does it a million times.
"""
