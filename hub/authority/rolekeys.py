"""The keys of the directory's roles: one keystore for each key, so that each can lie with another person.

Not for: partners' keys (those never leave the partner). Implements `docs/protocol/09-directory.md` section 3.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from securesystemslib.signer import Key, SecretsHandler, Signature, Signer, SSlibKey

from hub.authority.files import read_file, write_file
from hub.host.files import PRIVATE
from hub.protocol.errors import MissingKeyError
from hub.protocol.hazmat import sha256
from hub.protocol.keyring import Cost, Keyring, KeyringSigner, open_keyring, seal_keyring

Passphrases = Callable[[str], str]
"""Returns the passphrase of a keystore, by its name such as `root-2`."""


class RoleSigner(Signer):
    """A TUF signer over one of our keys: the keystore, not a library, decides where the key lies."""

    def __init__(self, signer: KeyringSigner) -> None:
        self._signer: Final = signer
        public = signer.public
        self._public: Final = SSlibKey(sha256(public).hex(), "ed25519", "ed25519", {"public": public.hex()})

    @property
    def public_key(self) -> Key:
        """The public key as TUF metadata names it."""
        return self._public

    @classmethod
    def from_priv_key_uri(  # the library's abstract method
        cls,
        priv_key_uri: str,  # noqa: ARG003 - see above
        public_key: Key,  # noqa: ARG003
        secrets_handler: SecretsHandler | None = None,  # noqa: ARG003
    ) -> Self:
        """Not offered, though the library asks for it: keys come from keystores."""
        raise MissingKeyError("keys come from keystores")

    def sign(self, payload: bytes) -> Signature:
        """Return the signature over `payload`."""
        return Signature(self._public.keyid, self._signer.sign(payload).hex())


class RoleKeys:
    """The folder with the roles' keystores. Each is opened once, when it is first needed."""

    def __init__(self, folder: Path, passphrases: Passphrases, *, cost: Cost | None = None) -> None:
        """Take the folder, whom to ask for passphrases, and the cost of new keystores."""
        self._folder: Final = folder
        self._passphrases: Final = passphrases
        self._cost: Final = cost
        self._opened: Final[dict[str, RoleSigner]] = {}

    def make(self, role: str, count: int, *, now: int) -> list[RoleSigner]:
        """Make keys for a role and write a keystore for each.

        Raises:
            SetupError: a keystore cannot be written.
        """
        taken = len(list(self._folder.glob(f"{role}-*.keys")))
        return [self._make(f"{role}-{taken + place}", now) for place in range(1, count + 1)]

    def _make(self, name: str, now: int) -> RoleSigner:
        ring = Keyring(name, ()).rotate("sign", now=now)
        sealed = seal_keyring(ring, self._passphrases(name), cost=self._cost)
        write_file(self._path(name), sealed, mode=PRIVATE)
        self._opened[name] = RoleSigner(KeyringSigner(ring.keys[0]))
        return self._opened[name]

    def signers(self, role: str, keyids: list[str], threshold: int) -> list[RoleSigner]:
        """Return as many of a role's signers as its threshold asks for; the other keystores need not be here.

        Raises:
            MissingKeyError: too few keystores are here.
            PassphraseError, CorruptKeystoreError: as `open_keyring`.
        """
        found: list[RoleSigner] = []
        for path in sorted(self._folder.glob(f"{role}-*.keys")):
            if len(found) == threshold:
                break
            signer = self._open(path.stem)
            if signer.public_key.keyid in keyids:
                found.append(signer)
        if len(found) < threshold:
            raise MissingKeyError(f"{len(found)} of {threshold} keystores of {role}")
        return found

    def _open(self, name: str) -> RoleSigner:
        if name not in self._opened:
            ring = open_keyring(read_file(self._path(name)), self._passphrases(name))
            self._opened[name] = RoleSigner(KeyringSigner(ring.keys[0]))
        return self._opened[name]

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.keys"
