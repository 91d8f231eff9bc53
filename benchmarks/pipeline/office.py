"""An exchange on disk with many addressees, and sealed messages for them, all made before the clock runs.

Not for: the load itself (`load.py`).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hub.authority.exchange import RegistryOffice
from hub.host.files import write_private
from hub.host.keystore import write_keystore
from hub.policy.sets import PolicySet, bundle
from hub.protocol.encoding import decode_b64url
from hub.protocol.hazmat import random_bytes
from hub.protocol.keyring import Keyring
from hub.protocol.keys import Signer
from hub.protocol.marks import Marks
from hub.protocol.operation import CountingRules, Operation, sign_operation
from hub.protocol.sealing import Addressee, Compartment, seal
from hub.protocol.vocabulary import (
    Basis,
    Label,
    MessageKind,
    Offence,
    PartnerKind,
    Priority,
    Purpose,
    Status,
    Verb,
)
from tests.support.exchange import message_id
from tests.support.exercise import HUB, OPERATION, WORD, enrolled_hub, policy_files
from tests.support.office import FAST, FEDERATION, PASSPHRASE, prove

ORIGINATOR: Final = "fr-customs"
CONTENT: Final = 3_990  # bytes of plaintext; 4 kB of ciphertext with padding
UNLIMITED: Final = (  # quotas of one partner, which here is the whole world
    "requests_per_minute",
    "messages_per_minute",
    "messages_per_day",
    "bytes_per_day",
    "concurrent_requests",
    "waiting_polls",
    "logins_per_minute",
)


@dataclass(frozen=True)
class Office:
    """An exchange with one hub, one originator and many addressees."""

    hub: Path
    rings: dict[str, Keyring]
    now: int

    @property
    def addressees(self) -> list[str]:
        """Their codes, in order."""
        return [partner for partner in self.rings if partner != ORIGINATOR]

    def signer(self, partner: str) -> Signer:
        """Return a partner's key."""
        return self.rings[partner].signer(at=self.now)

    def operation(self) -> str:
        """Return the signed operation that every message belongs to."""
        shape = Operation(
            v=1,
            fed=FEDERATION,
            iss=ORIGINATOR,
            jti=message_id(0),
            iat=self.now,
            op=OPERATION,
            title="Benchmark",
            opens=self.now - 60,
            closes=self.now + 86_400,
            exercise=True,
            members=tuple(sorted(self.rings)),
            counting=CountingRules(),
        )
        return sign_operation(shape, self.signer(ORIGINATOR))


def found_office(folder: Path, addressees: int) -> Office:
    """Found an exchange; its policy set is the shipped one, with copies of one partner for the addressees."""
    now = int(time.time())
    office = RegistryOffice.found(
        folder / "office", lambda _: PASSPHRASE, federation=FEDERATION, countries=["FR", "DE"], now=now, cost=FAST
    )
    codes = [ORIGINATOR, *(f"de-customs-{number}" for number in range(addressees))]
    rings = {code: Keyring.generate(code, now=now, second_signature=False) for code in codes}
    ask: dict[str, Any] = {"require": ("Ed25519",), "kind": PartnerKind.CUSTOMS}
    office.enrol([prove(office, ring, now=now, **ask) for ring in rings.values()], now=now)
    files = policy_files()
    for code in codes[1:]:
        files[f"partners/{code}/partner.toml"] = files["partners/de-customs/partner.toml"]
    office.publish_policies(PolicySet.load(files).digest, 1, bundle(files), now=now)
    hub = folder / HUB
    hub.mkdir()
    write_keystore(hub / "keys.valise", enrolled_hub(office, now), WORD, cost=FAST)
    write_private(hub / "root.json", office.anchor)
    write_private(hub / "word", PASSPHRASE.encode())
    settings = [f'hub = "{HUB}"', f'federation = "{FEDERATION}"', "port = 0", f'repository = "{office.public}"']
    settings += ['passphrase_file = "word"', *(f"{name} = 0" for name in UNLIMITED)]
    hub.joinpath("hub.toml").write_text("\n".join([*settings, ""]))
    return Office(hub, rings, now)


def seal_messages(office: Office, addressees: Sequence[str], *, first: int, count: int) -> list[bytes]:
    """Seal so many messages of 4 kB to all of these; `first` is the sequence number of the first."""
    keys = {code: office.rings[code] for code in addressees}
    public = {code: next(entry for entry in ring.entries() if entry.use == "open") for code, ring in keys.items()}
    signer = office.signer(ORIGINATOR)
    return [_sealed(office, public, signer, seq) for seq in range(first, first + count)]


def _sealed(office: Office, public: dict[str, Any], signer: Signer, seq: int) -> bytes:
    header: dict[str, Any] = {
        "fed": FEDERATION, "iss": ORIGINATOR, "jti": message_id(seq), "seq": seq, "prev": None, "iat": office.now,
        "exp": office.now + 86_400, "mt": MessageKind.WARNING, "verb": Verb.ALERT, "thread": message_id(seq),
        "irt": None, "refs": (), "op": OPERATION, "purpose": Purpose.CUSTOMS_CONTROL, "offence": Offence.FIREARMS,
        "basis": Basis.OPERATION_PLAN, "pri": Priority.ROUTINE, "status": Status.EXERCISE, "topics": (),
        "marks": Marks.model_validate({"tlp": "AMBER"}, strict=False), "rk": None,
    }  # fmt: skip
    body = [Compartment(Label.ACTION, "application/json", random_bytes(CONTENT))]
    to = [
        Addressee(code, "operation", entry.kid, decode_b64url(entry.pub), seq, frozenset({0}))
        for code, entry in public.items()
    ]
    return seal(header, body, to, signer=signer)
