"""An invented log with its keys, two witnesses, and trees over invented leaves."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from hub.protocol.hazmat import SigningKey, sha256
from hub.protocol.merkle import leaf_hash, levels, root_of
from hub.tlog.checkpoint import Checkpoint, Sign, sign_checkpoint
from hub.tlog.note import COSIGNATURE, ED25519, MLDSA44, NoteKey
from hub.tlog.tree import GrowingTree

ORIGIN: Final = "valise.example/int-hub"
AT: Final = 1_800_000_000  # Unix seconds
_ALG: Final = MappingProxyType({ED25519: "Ed25519", COSIGNATURE: "Ed25519", MLDSA44: "ML-DSA-44"})


def signer(name: str, kind: int, seed: str = "") -> tuple[NoteKey, Sign]:
    """Return a key of a type, made from its name, and what signs by it."""
    key = SigningKey(_ALG[kind], sha256(f"{name} {kind} {seed}".encode()))
    return NoteKey(name, kind, key.public), key.sign


LOG: Final[Sequence[tuple[NoteKey, Sign]]] = (signer(ORIGIN, ED25519), signer(ORIGIN, MLDSA44))
LOG_KEYS: Final[Sequence[NoteKey]] = tuple(key for key, _ in LOG)
WITNESSES: Final[Mapping[str, tuple[NoteKey, Sign]]] = MappingProxyType(
    {
        "classical": signer("witness.example/w1", COSIGNATURE),
        "post-quantum": signer("witness.example/w2", MLDSA44),
    }
)


def leaves(count: int, salt: str = "") -> list[bytes]:
    """Return invented leaf hashes."""
    return [leaf_hash(f"{salt}{number}".encode()) for number in range(count)]


def root_over(hashes: Sequence[bytes]) -> bytes:
    """Return the root as the plain algorithm of `hub/protocol/merkle.py` makes it."""
    return root_of(levels(hashes))


def grown(hashes: Sequence[bytes]) -> GrowingTree:
    """Return a tree over leaf hashes, all in memory."""
    tree = GrowingTree()
    for number, leaf in enumerate(hashes):
        assert tree.append(leaf) == number
    return tree


def checkpoint_over(hashes: Sequence[bytes], origin: str = ORIGIN) -> Checkpoint:
    """Return the checkpoint of a log with these leaves."""
    return Checkpoint(origin, len(hashes), root_over(hashes))


def signed(checkpoint: Checkpoint, at: int = AT) -> str:
    """Return it signed by the log's two keys."""
    return sign_checkpoint(checkpoint, LOG, at=at)
