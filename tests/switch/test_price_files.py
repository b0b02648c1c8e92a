"""Large price lists: packed apart, taken by the switch as they are, and never in the way of what is right."""

import asyncio
import os
import random
from pathlib import Path

import pytest

from rating.calendar import parse_start_ms
from rating.packed_tariff import PackedTariff
from rating.tariff import Tariff
from switch import price_files
from switch.conf_versions import BIG_CONTENT_CHARS, content_for_books
from switch.config import Conf, ConfProblems, load_conf
from switch.price_files import BIG_BYTES, PriceFiles
from switch.price_packer import has_big_prices, pack_apart
from tests.switch.conf_folder import ConfFolder, problems_of
from tests.switch.house import House, make_conf, make_line, make_trunk

HEADER = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\n"
NOW = parse_start_ms("2026-06-01")


@pytest.fixture
def folder(tmp_path: Path) -> ConfFolder:
    folder = ConfFolder(tmp_path)
    folder.write("decks/own.toml", 'currency = "USD"\nprefix = "p"\nprice = "c"\n')
    folder.write("exchange-rates.toml", '[USD]\n2026-01-01 = "0.8"\n')
    return folder


def rows(count: int, seed: int = 1) -> str:
    draw = random.Random(seed)
    prefixes = {str(draw.randint(100_000, 99_999_999)) for _ in range(count)}
    return HEADER + "".join(
        f"+{prefix},to {prefix[:2]},0,0.0{prefix[:3]},1,1,2026-01-01,\n" for prefix in prefixes
    )


BIG = rows(8_000)


def files(folder: ConfFolder, **options: bool) -> PriceFiles:
    return PriceFiles(folder.path.parent / "prices", **options)


def packed(folder: ConfFolder) -> list[Path]:
    place = folder.path.parent / "prices"
    return sorted(place.iterdir()) if place.exists() else []


def agree(one: Conf, other: Conf) -> None:
    draw = random.Random(5)
    for _ in range(2_000):
        number = f"+{draw.randint(10**8, 10**11)}"
        assert one.tariffs["retail"].rate_for(number, NOW) == other.tariffs["retail"].rate_for(number, NOW)
        assert one.decks["own"].rate_for(number, NOW) == other.decks["own"].rate_for(number, NOW)
    assert one.tariffs["retail"].version == other.tariffs["retail"].version
    assert one.decks["own"].version == other.decks["own"].version


def test_what_is_packed_says_what_was_read(folder: ConfFolder) -> None:
    assert len(BIG) > BIG_BYTES
    folder.write("tariffs/retail.csv", BIG)
    folder.write("decks/own.csv", rows(8_000, seed=2))
    read = folder.load()
    load_conf(folder.path, files(folder, packs=True))
    assert [path.suffix for path in packed(folder)] == [".prices"] * 2
    taken = load_conf(folder.path, files(folder))
    assert isinstance(taken.tariffs["retail"], PackedTariff) and type(read.tariffs["retail"]) is Tariff
    agree(taken, read)


def test_small_price_lists_are_read_where_they_are_wanted(folder: ConfFolder) -> None:
    folder.write("decks/own.csv", rows(10))
    assert not has_big_prices(folder.path)
    load_conf(folder.path, files(folder, packs=True))
    assert packed(folder) == []


def test_what_was_not_packed_is_read(folder: ConfFolder) -> None:
    folder.write("tariffs/retail.csv", BIG)
    folder.write("decks/own.csv", BIG)
    agree(load_conf(folder.path, files(folder)), folder.load())
    assert packed(folder) == []


@pytest.mark.parametrize("damage", [b"", b"ohprice1", b"x" * 4096])
def test_a_damaged_file_is_passed_over_and_packed_anew(folder: ConfFolder, damage: bytes) -> None:
    folder.write("tariffs/retail.csv", BIG)
    folder.write("decks/own.csv", BIG)
    load_conf(folder.path, files(folder, packs=True))
    for path in packed(folder):
        path.write_bytes(damage)
    agree(load_conf(folder.path, files(folder)), folder.load())
    load_conf(folder.path, files(folder, packs=True))
    again = load_conf(folder.path, files(folder, packs=True))
    assert isinstance(again.tariffs["retail"], PackedTariff)


def test_what_is_wrong_in_a_large_file_is_said_without_reading_it_again(
    folder: ConfFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("tariffs/retail.csv", BIG + "+44x,wrong,0,1,1,1,2026-01-01,\n")
    folder.write("decks/own.csv", BIG + "+44,wrong,0,y,1,1,2026-01-01,\n")
    expected = problems_of(folder.path)
    with pytest.raises(ConfProblems):
        load_conf(folder.path, files(folder, packs=True))
    assert [path.suffix for path in packed(folder)] == [".problems"] * 2
    for reader in ("load_tariff", "pack_deck"):
        monkeypatch.setattr(price_files, reader, None)  # whoever reads fails
    with pytest.raises(ConfProblems) as caught:
        load_conf(folder.path, files(folder))
    assert [str(problem) for problem in caught.value.problems] == expected and len(expected) == 2


def test_files_of_yesterdays_configurations_are_deleted(folder: ConfFolder) -> None:
    folder.write("tariffs/retail.csv", BIG)
    load_conf(folder.path, files(folder, packs=True))
    (old,) = packed(folder)
    folder.write("tariffs/retail.csv", rows(8_000, seed=9))
    prices = files(folder, packs=True)
    load_conf(folder.path, prices)
    prices.delete_unused(old.stat().st_mtime + 100)
    assert len(packed(folder)) == 2
    os.utime(old, (0, 0))
    prices.delete_unused(1_000_000)
    assert len(packed(folder)) == 1 and not old.exists()
    agree_with = load_conf(folder.path, files(folder))
    assert isinstance(agree_with.tariffs["retail"], PackedTariff)


@pytest.mark.wire
def test_a_process_of_its_own_packs_them(folder: ConfFolder) -> None:
    folder.write("tariffs/retail.csv", BIG)
    folder.write("decks/own.csv", BIG)
    asyncio.run(pack_apart(folder.path, folder.path.parent / "prices"))
    assert len(packed(folder)) == 2
    assert isinstance(load_conf(folder.path, files(folder)).tariffs["retail"], PackedTariff)


def test_calls_go_on_while_a_large_price_list_is_swapped_and_keep_what_they_began_with(
    folder: ConfFolder,
) -> None:
    trunk = make_trunk("one", "192.0.2.50", deck="own")
    house = House(conf=make_conf(trunks=[trunk]), lines=[make_line("alice")])
    alice, _ = house.phone("alice", "192.0.2.10"), house.phone("one", "192.0.2.50")
    alice.register()
    alice.invite("01632960123")
    house.run(10)
    own = [f"+44{number},UK,0,0.09,1,1,2020-01-01,\n" for number in range(1_000, 9_000)]
    folder.write("tariffs/retail.csv", HEADER + "+44,UK,0,0.06,1,1,2020-01-01,\n" + "".join(own))
    folder.write("decks/own.csv", HEADER + "+44,UK,0,0.03,1,1,2020-01-01,\n" + "".join(own))
    load_conf(folder.path, files(folder, packs=True))
    loaded = load_conf(folder.path, files(folder))
    conf = make_conf(trunks=[trunk], tariff=loaded.tariffs["retail"])
    conf.versions.extend(loaded.versions)
    conf.decks.update(loaded.decks)
    house.exchange.take_over(conf, house.clock.now)
    house.run(10)
    alice.hang_up()
    alice.invite("07700900123")
    house.run(10)
    alice.hang_up()
    house.run(40)
    first, _, second, leg = house.journal.cdrs()
    assert (first.per_minute_micros, second.per_minute_micros) == (12_000, 90_000)
    assert second.tariff_version == loaded.tariffs["retail"].version
    assert (leg.buy_prefix, leg.deck_version) == ("+447700", loaded.decks["own"].version)
    assert leg.buy_micros == -(-leg.duration_ms // 1000) * 72_000 // 60
    house.assert_clean()


def test_the_books_get_small_texts_whole_and_word_of_large_ones() -> None:
    assert content_for_books("tariff", "x" * 6_000_000) == "x" * 6_000_000
    assert content_for_books("tariff", "x" * 9_000_000) == "# 9000000 characters, not kept in the books\n"
    assert content_for_books("deck", "x" * BIG_CONTENT_CHARS) == "x" * BIG_CONTENT_CHARS
    assert content_for_books("deck", "x" * 300_000).startswith("# 300000")


def test_a_large_version_is_a_record_of_its_own() -> None:
    house = House()
    conf = house.exchange.board.conf
    before = house.journal.seq
    texts = [("trunks", "a"), ("tariff", "b" * 300_000), ("tariff", "c" * 300_000)]
    conf.versions.extend(
        type("Text", (), {"kind": kind, "name": text[0], "version": text[0], "content": text})()
        for kind, text in texts
    )
    house.exchange.record_conf(0.0)
    assert house.journal.seq == before + 3
    assert [version.name for version in house.journal.conf_versions()] == ["a", "b", "c"]
