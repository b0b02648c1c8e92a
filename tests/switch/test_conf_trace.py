"""[trace] of offhook.toml: what is read, and what `offhook check` finds wrong with it."""

from pathlib import Path

import pytest

from switch.conf_trace import Keep, Trace
from switch.conf_values import Address
from switch.config import ConfProblems, load_conf
from tests.switch.conf_folder import SHIPPED


def folder(tmp_path: Path, section: str) -> Path:
    tmp_path.joinpath("tariffs").mkdir()
    text = f'[listen]\nudp = ["127.0.0.1:5060"]\n[tariffs.retail]\nvat = "inc_vat"\n[trace]\n{section}\n'
    tmp_path.joinpath("offhook.toml").write_text(text)
    for name in ("trunks.toml", "routing.toml"):
        tmp_path.joinpath(name).write_text("")
    secrets = tmp_path / "trunk_secrets.toml"
    secrets.write_text("")
    secrets.chmod(0o600)
    head = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\n"
    tmp_path.joinpath("tariffs", "retail.csv").write_text(head + "+44,UK,0,0.01,1,1,2020-01-01,\n")
    return tmp_path


def test_what_is_shipped_says_the_defaults() -> None:
    assert load_conf(SHIPPED).trace == Trace()


def test_everything_can_be_set(tmp_path: Path) -> None:
    section = (
        'keep = "all"\nsample_percent = 5\nshort_call_s = 0\nring_mb = 8\ndays = 1\ndisk_mb = 1\n'
        'homer = "udp:[2001:DB8::1]:9060"\nhomer_id = 7\nhomer_password = "p"'
    )
    trace = load_conf(folder(tmp_path, section)).trace
    assert (trace.keep, trace.sample_percent, trace.ring_mb, trace.days) == (Keep.ALL, 5, 8, 1)
    assert trace.homer == Address("2001:db8::1", 9060)
    assert repr(trace.homer_password) == "Secret(***)"


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ('keep = "some"', "keep"),
        ("keep = true", "keep"),
        ("sample_percent = 101", "sample_percent"),
        ("short_call_s = -1", "short_call_s"),
        ("ring_mb = 5000", "ring_mb"),
        ("days = 0", "days"),
        ("disk_mb = 0", "disk_mb"),
        ('homer = "homer.example.com:9060"', "homer"),
        ('homer = "udp:homer.example.com:9060"', "homer"),
        ('homer = "udp:192.0.2.1"', "homer"),
        ('homer = "udp:192.0.2.1:0"', "homer"),
        ('homer = "udp:192.0.2.1:65536"', "homer"),
        ('homer = "udp:192.0.2.1:\u0661"', "homer"),
        ('homer = "tcp:192.0.2.1:9060"', "homer"),
        ("homer_id = 0", "homer_id"),
        ('homer_password = "a\\u0000b"', "homer_password"),
        ('homer = "udp:192.0.2.1:9060"\nring_mb = 0', "ring_mb"),
        ("kept = 1", "kept"),
    ],
)
def test_a_mistake_is_found_by_its_key(tmp_path: Path, section: str, key: str) -> None:
    with pytest.raises(ConfProblems) as found:
        load_conf(folder(tmp_path, section))
    (problem,) = found.value.problems
    assert f"trace.{key}" in str(problem)
