"""The notary: signs checkpoints of the log, each of which continues every earlier one.

Only what is durable is signed, so no crash can make the log shorter than a checkpoint says. Not for: the signature
formats (`hub/tlog/checkpoint.py`). Implements `docs/protocol/05-log.md` section 6.
"""

from collections.abc import Callable
from typing import Final

from hub.broker.ports import LogReader
from hub.protocol.errors import MissingKeyError
from hub.protocol.keyring import Keyring, KeyringSigner, KeyUse
from hub.tlog.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from hub.tlog.note import ED25519, MLDSA44, NoteKey

_KINDS: Final[tuple[tuple[KeyUse, int], ...]] = (("log", ED25519), ("log2", MLDSA44))
PUBLISHED: Final = 2  # keys of each kind in the directory; a record has room for four verifier keys
_SIGNING: Final = PUBLISHED + 1  # keys of each kind that sign: the newest may not be enrolled yet


def log_origin(federation: str, hub: str) -> str:
    """Return the name of a hub's log, which is also the name of its keys."""
    return f"{federation}/{hub}"


def log_signers(
    keyring: Keyring, federation: str, *, at: int, most: int = PUBLISHED
) -> list[tuple[NoteKey, KeyringSigner]]:
    """Return the log's newest keys and their signers: Ed25519 over the note, and ML-DSA-44 timestamped.

    A checkpoint must bear the signatures of all keys that are published, and one key more of each kind signs than is
    published. So a log's key is replaced by adding one: whoever knows the old ones finds their signatures, and so does
    whoever knows the new one. They end when they are no longer published and not by a date: what is listed must sign.

    Args:
        keyring: the hub's.
        federation: the exchange's name.
        at: Unix seconds.
        most: keys of each kind.

    Raises:
        MissingKeyError: the keyring is not a hub's.
    """
    origin = log_origin(federation, keyring.partner)
    found: list[tuple[NoteKey, KeyringSigner]] = []
    for use, kind in _KINDS:
        keys = [key for key in keyring.keys if key.use == use and key.nbf <= at][-most:]
        if not keys:
            raise MissingKeyError(f"{keyring.partner}: no key to {use}")
        found += [(NoteKey(origin, kind, signer.public), signer) for signer in map(KeyringSigner, keys)]
    return found


class Notary:
    """Signs a hub's checkpoints. There is one for each log at a time."""

    def __init__(
        self, log: LogReader, keyring: Callable[[], Keyring], *, federation: str, clock: Callable[[], int]
    ) -> None:
        """Take the log, the hub's keys as they are now, the exchange's name and the clock (Unix seconds)."""
        self._log: Final = log
        self._keyring: Final = keyring
        self._federation: Final = federation
        self._clock: Final = clock

    async def checkpoint(self) -> tuple[Checkpoint, str]:
        """Return the checkpoint over all durable entries, signed and kept.

        Raises:
            StoreError: the log cannot be read, or the checkpoint cannot be kept.
        """
        size = await self._log.log_size()
        now, keyring = self._clock(), self._keyring()
        signing = log_signers(keyring, self._federation, at=now, most=_SIGNING)
        latest = await self._log.checkpoint()
        if latest is not None:
            signed, note = parse_checkpoint(latest)
            if signed.size == size and all(note.signatures_of(key) for key, _ in signing):
                return signed, latest
        origin = log_origin(self._federation, keyring.partner)
        checkpoint = Checkpoint(origin, size, await self._log.log_root(size))
        text = sign_checkpoint(checkpoint, [(key, signer.sign) for key, signer in signing], at=now)
        await self._log.put_checkpoint(size, text)
        return checkpoint, text
