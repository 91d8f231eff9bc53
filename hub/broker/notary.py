"""The notary: signs checkpoints of the log, each of which continues every earlier one.

Only what is durable is signed, so no crash can make the log shorter than a checkpoint says. Not for: the signature
formats (`hub/tlog/checkpoint.py`). Implements `docs/protocol/05-log.md` section 6.
"""

from collections.abc import Callable
from typing import Final

from hub.broker.ports import LogReader
from hub.protocol.keyring import Keyring, KeyringSigner
from hub.tlog.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from hub.tlog.note import ED25519, MLDSA44, NoteKey


def log_origin(federation: str, hub: str) -> str:
    """Return the name of a hub's log, which is also the name of its keys."""
    return f"{federation}/{hub}"


def log_signers(keyring: Keyring, federation: str, *, at: int) -> list[tuple[NoteKey, KeyringSigner]]:
    """Return the log's keys and their signers: Ed25519 over the note, and ML-DSA-44 timestamped.

    Raises:
        MissingKeyError: the keyring is not a hub's.
    """
    origin = log_origin(federation, keyring.partner)
    first, second = keyring.signer("log", at=at), keyring.signer("log2", at=at)
    return [
        (NoteKey(origin, ED25519, first.public), first),
        (NoteKey(origin, MLDSA44, second.public), second),
    ]


class Notary:
    """Signs a hub's checkpoints. There is one for each log at a time."""

    def __init__(self, log: LogReader, keyring: Keyring, *, federation: str, clock: Callable[[], int]) -> None:
        """Take the log, the hub's keys, the exchange's name and the clock (Unix seconds)."""
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
        latest = await self._log.checkpoint()
        if latest is not None:
            signed, _ = parse_checkpoint(latest)
            if signed.size == size:
                return signed, latest
        now = self._clock()
        origin = log_origin(self._federation, self._keyring.partner)
        checkpoint = Checkpoint(origin, size, await self._log.log_root(size))
        signers = [(key, signer.sign) for key, signer in log_signers(self._keyring, self._federation, at=now)]
        note = sign_checkpoint(checkpoint, signers, at=now)
        await self._log.put_checkpoint(size, note)
        return checkpoint, note
