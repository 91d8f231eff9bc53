"""Tile paths and entry bundles, spelled as c2sp.org/tlog-tiles spells them."""

import pytest

from hub.protocol.errors import LogRangeError
from hub.tlog.tiles import WIDTH, Tile, parse_bundle, parse_tile_path, write_bundle


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0, WIDTH), "tile/0/000"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(1, 1_234_067, WIDTH), "tile/1/x001/x234/067"),
        (Tile(63, 1_000, 1), "tile/63/x001/000.p/1"),
        (Tile(None, 999, 255), "tile/entries/999.p/255"),
    ],
)
def test_a_tile_has_one_path(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_tile_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0",
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/067",
        "tile/0/x001/x067",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/300",
        "tile/0/000.p/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/\u0660\u0660\u0660",
        "tile/data/000",
        "tile/0/../../checkpoint",
        "tile/0/x001/x001/x001/x001/x001/x001/000",
    ],
)
def test_any_other_spelling_is_refused(path: str) -> None:
    with pytest.raises(LogRangeError):
        parse_tile_path(path)


def test_a_bundle_holds_its_entries() -> None:
    entries = [b"", b"a", bytes(300)]
    assert write_bundle(entries) == b"\0\0" + b"\0\x01a" + b"\x01\x2c" + bytes(300)
    assert parse_bundle(write_bundle(entries)) == entries
    assert parse_bundle(b"") == []


@pytest.mark.parametrize("data", [b"\0", b"\0\x01", b"\0\x02a", b"\0\0" * (WIDTH + 1)])
def test_what_is_cut_short_or_too_much_is_no_bundle(data: bytes) -> None:
    with pytest.raises(LogRangeError):
        parse_bundle(data)
