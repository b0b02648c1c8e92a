"""What the bench of tracing makes of its rounds."""

import pytest

from bench.tracing import Round, report


def test_a_ratio_leaves_postgresql_out_and_a_noisy_round_does_not_decide() -> None:
    calm = Round({"switch": 2.06, "traces": 0.0, "postgres": 9.0}, {"switch": 2.0, "postgres": 1.0})
    noisy = Round({"switch": 9.0, "traces": 0.0}, {"switch": 2.0})
    assert calm.ratio() == pytest.approx(1.03)
    assert "+3.0 %" in report([calm, noisy, calm])
