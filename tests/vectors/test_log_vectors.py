"""The log against public figures: RFC 6962's reference tree, transparency-dev's proofs, the examples of C2SP and Go.

Where the shared vectors are absent, the figures typed in here remain, so no run is without vectors.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from hub.protocol.errors import ConsistencyError, InclusionError, NoteError
from hub.protocol.merkle import (
    EMPTY_ROOT,
    leaf_hash,
    levels,
    path_in,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from hub.tlog.checkpoint import parse_checkpoint
from hub.tlog.note import parse_key, parse_note
from hub.tlog.proof import parse_proof
from tests.support.log import grown

# The tree of eight leaves that tests implementations of RFC 6962 (certificate-transparency, merkle_tree_test).
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}

# A "root" of 12 bytes, equal on both sides: transparency-dev compares, we refuse what is no SHA-256.
DIFFERENT = {"additional/sizes-are-equal-one-and-proof-is-empty.json"}


@pytest.mark.parametrize(("size", "root"), list(enumerate(ROOTS)))
def test_roots_of_the_reference_tree(size: int, root: str) -> None:
    assert root_of(levels(LEAVES[:size])).hex() == root
    assert grown(LEAVES[:size]).view().root(size).hex() == root
    assert EMPTY_ROOT.hex() == ROOTS[0]


@pytest.mark.parametrize(("place", "path"), INCLUSION.items())
def test_inclusion_in_the_reference_tree(place: tuple[int, int], path: list[str]) -> None:
    index, size = place
    assert [node.hex() for node in grown(LEAVES).view().inclusion(index, size)] == path
    assert [node.hex() for node in path_in(levels(LEAVES[:size]), index)] == path
    verify_inclusion(LEAVES[index], index, size, [bytes.fromhex(node) for node in path], bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("sizes", "path"), CONSISTENCY.items())
def test_consistency_in_the_reference_tree(sizes: tuple[int, int], path: list[str]) -> None:
    assert [node.hex() for node in grown(LEAVES).view().consistency(*sizes)] == path
    (before, after), nodes = [(size, bytes.fromhex(ROOTS[size])) for size in sizes], [*map(bytes.fromhex, path)]
    verify_consistency(before, after, nodes)


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _path(vector: dict[str, Any]) -> list[bytes]:
    return [_bytes(node) for node in vector["proof"] or []]


def _is_consistent(vector: dict[str, Any]) -> bool:
    old, new = ((vector[f"size{at}"], _bytes(vector[f"root{at}"])) for at in (1, 2))
    try:
        verify_consistency(old, new, _path(vector))
    except ConsistencyError:
        return False
    return True


def _is_included(vector: dict[str, Any]) -> bool:
    index, size, root = vector["leafIdx"], vector["treeSize"], _bytes(vector["root"])
    try:
        verify_inclusion(_bytes(vector["leafHash"]), index, size, _path(vector), root)
    except InclusionError:
        return False
    return True


@pytest.mark.parametrize(("folder", "is_good"), [("consistency", _is_consistent), ("inclusion", _is_included)])
def test_proofs_of_transparency_dev(shared: Path | None, folder: str, is_good: Any) -> None:
    if shared is None:
        return  # the reference tree above, which most of these proofs are about, has been checked
    top = shared / "vectors/tlog-merkle/testdata" / folder
    vectors = {file.relative_to(top).as_posix(): json.loads(file.read_text("utf-8")) for file in top.rglob("*.json")}
    assert len(vectors) > 80
    differing = {name for name, vector in vectors.items() if is_good(vector) == vector["wantErr"]}
    assert differing == DIFFERENT & vectors.keys()


NOTES = {
    "c2sp.org/signed-note": (
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""",
    ),
    "golang.org/x/mod/sumdb/note": (
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
""",
    ),
}


@pytest.mark.parametrize(("key", "text"), NOTES.values(), ids=NOTES)
def test_notes_that_others_signed(key: str, text: str) -> None:
    note, verifier = parse_note(text), parse_key(key)
    (signature,) = note.signatures_of(verifier)
    verifier.verify(signature, note.text.encode())
    assert verifier.text == key


COSIGNED = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 \
jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""


def test_the_example_of_c2sp_cosignatures_is_a_checkpoint() -> None:
    """Its keys are not published; its time is that of the specification's text."""
    checkpoint, note = parse_checkpoint(COSIGNED)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert COSIGNED.startswith(checkpoint.text)
    assert [line.name for line in note.signatures] == ["example.com/behind-the-sofa", "witness.example.com/w1"]
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == 1_679_315_147


def test_the_examples_in_the_texts_of_c2sp_parse(shared: Path | None) -> None:
    """Every complete checkpoint that stands in the specifications; abridged ones ([...]) are no notes."""
    if shared is None:
        return  # the one typed in above has been checked
    texts = [file.read_text("utf-8") for file in (shared / "vectors/c2sp").glob("tlog-*.md")]
    blocks = [block.strip("\n") + "\n" for text in texts for block in text.split("```")[1::2] if "\n— " in block]
    parsed = 0
    for block in blocks:
        start = block.find("example.com/behind-the-sofa\n")
        if start < 0 or "[...]" in block:
            with pytest.raises(NoteError):
                parse_checkpoint(block)
            continue
        parse_checkpoint(block[start:])
        parsed += 1
    assert parsed >= 2


def test_the_example_of_c2sp_proofs_has_the_shape_of_a_proof() -> None:
    text = (
        "c2sp.org/tlog-proof@v1\nextra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6\nindex 73894\n"
        "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\nB95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n\n"
    )
    proof = parse_proof(text + COSIGNED)
    assert (proof.index, len(proof.path), proof.extra) == (73_894, 2, b"age-v1.2.1-darwin-arm64.tar.gz")
    assert proof.checkpoint == COSIGNED
