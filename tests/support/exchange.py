"""An exchange in memory for tests: partners with keys, a directory, sealed messages and decisions about them.

Everything is made with the real functions of `hub.protocol`; keys follow from their names, so two runs have the same.
Not for: policy - here the test says what is released.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from hub.broker.ports import Acceptance, DecisionEntry
from hub.protocol.directory import Directory, KeyEntry, PartnerRecord, country_of
from hub.protocol.encoding import encode_b64url
from hub.protocol.envelope import Proven
from hub.protocol.hazmat import OpeningKey, SigningKey, seal_public, sha256
from hub.protocol.keys import Signer
from hub.protocol.marks import Marks
from hub.protocol.operation import CountingRules, Operation, VerifiedOperation, sign_operation, verify_operation
from hub.protocol.receipt import Receipt, VerifiedReceipt, sign_receipt, verify_receipt
from hub.protocol.release import ReleasedCopy, openable, release, withheld
from hub.protocol.sealing import Addressee, Compartment, seal
from hub.protocol.statements import (
    ACCEPT_TYP,
    Accept,
    Decision,
    fresh_salt,
    read_statement,
    sign_batch,
    verify_statement,
)
from hub.protocol.submission import VerifiedEnvelope, verify_submission
from hub.protocol.subscription import (
    Criteria,
    Subscription,
    VerifiedSubscription,
    sign_subscription,
    verify_subscription,
)
from hub.protocol.vocabulary import (
    Basis,
    Label,
    MessageKind,
    Offence,
    PartnerKind,
    Priority,
    Purpose,
    Status,
    Topic,
    Verb,
)
from hub.protocol.wire import parse_wire, write_wire

FEDERATION: Final = "test-exchange"
HUB: Final = "int-hub"
NOW: Final = 1_800_000_000  # Unix seconds
POLICY: Final = "0" * 64
PARTNERS: Final = ("fr-customs", "de-customs", "de-police", "int-bureau", "rilo-we")


@dataclass(frozen=True)
class FileSigner:
    """A signing key under its name."""

    kid: str
    key: SigningKey

    @property
    def alg(self) -> str:
        return self.key.alg

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data)


@dataclass(frozen=True)
class FileOpener:
    """An opening key under its name."""

    kid: str
    key: OpeningKey

    def open(self, sealed: bytes, info: bytes) -> bytes:
        return self.key.open(sealed, info)


def signer_of(partner: str) -> FileSigner:
    """Return a partner's signing key `#s1`."""
    kid = f"{partner}#s1"
    return FileSigner(kid, SigningKey("Ed25519", sha256(kid.encode())))


def opener_of(partner: str) -> FileOpener:
    """Return a partner's opening key `#e1`."""
    kid = f"{partner}#e1"
    return FileOpener(kid, OpeningKey(_opening_bytes(kid)))


def _opening_bytes(kid: str) -> bytes:
    return b"".join(sha256(kid.encode() + bytes([part])) for part in range(3))


def record_of(partner: str) -> PartnerRecord:
    """Return a partner's directory record; its kind is the last word of its code."""
    word = partner.rpartition("-")[2]
    kind = PartnerKind(word) if word in set(PartnerKind) else PartnerKind.RILO
    keys = (
        _key(f"{partner}#s1", "sign", signer_of(partner).key.public),
        _key(f"{partner}#e1", "open", seal_public(_opening_bytes(f"{partner}#e1"))),
    )
    return PartnerRecord(partner=partner, name=partner, kind=kind, country=country_of(partner), keys=keys)


def _key(kid: str, use: Literal["sign", "open"], public: bytes) -> KeyEntry:
    alg: Literal["Ed25519", "HPKE-9-KE"] = "Ed25519" if use == "sign" else "HPKE-9-KE"
    year = 366 * 86_400  # seconds
    return KeyEntry(kid=kid, use=use, alg=alg, pub=encode_b64url(public), nbf=NOW - year, exp=NOW + year)


def make_directory(partners: Sequence[str] = PARTNERS) -> Directory:
    """Return a directory of these partners and the hub."""
    records = [record_of(partner) for partner in (*partners, HUB)]
    return Directory(federation=FEDERATION, version=1, digest="0" * 64, records=records)


def sign_as_hub(payload: bytes) -> str:
    """Sign a batch of statements as the hub."""
    return sign_batch(payload, signer_of(HUB))


def message_id(number: int) -> str:
    """Return a UUIDv7 made of a number."""
    digits = f"{number:012x}70008{0:015x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def seal_warning(
    directory: Directory,
    *,
    to: Mapping[str, Sequence[int]],
    seq: int,
    originator: str = "fr-customs",
    jti: str | None = None,
    compartments: Sequence[tuple[Label, bytes]] = ((Label.ACTION, b"{}"), (Label.NARRATIVE, b"{}")),
    signer: Signer | None = None,
    second: Signer | None = None,
    **header: Any,
) -> bytes:
    """Seal a warning and return the frame to upload.

    Args:
        directory: has the addressees' keys.
        to: the addressees, each with the places of the compartments that it may open.
        seq: the sequence number; the identifier follows from it unless `jti` is given.
        originator: the partner that signs.
        jti: the message's identifier.
        compartments: labels and plaintexts.
        signer: another key than the originator's first.
        second: the key of a second signature.
        header: members of the manifest that differ from those here.
    """
    members: dict[str, Any] = {
        "fed": FEDERATION,
        "iss": originator,
        "jti": jti or message_id(seq),
        "seq": seq,
        "prev": None,
        "iat": NOW,
        "exp": NOW + 86_400,
        "mt": MessageKind.WARNING,
        "verb": Verb.ALERT,
        "thread": message_id(seq),
        "irt": None,
        "refs": (),
        "op": None,
        "purpose": Purpose.CUSTOMS_CONTROL,
        "offence": Offence.DRUGS,
        "basis": Basis.NATIONAL_LAW,
        "pri": Priority.ROUTINE,
        "status": Status.EXERCISE,
        "topics": (),
        "marks": Marks.model_validate({"tlp": "AMBER"}, strict=False),
        "rk": None,
        **header,
    }
    addressees = []
    for partner, grants in to.items():
        key = directory.opening_key(partner, at=NOW)
        public = seal_public(_opening_bytes(key.kid))
        addressees.append(Addressee(partner, "named", key.kid, public, seq, frozenset(grants)))
    parts = [Compartment(label, "application/json", data) for label, data in compartments]
    return seal(members, parts, addressees, signer=signer or signer_of(originator), second=second)


def verified(directory: Directory, frame: bytes, *, originator: str = "fr-customs") -> VerifiedEnvelope:
    """Verify a frame as the hub does."""
    return verify_submission(frame, directory, originator=originator, federation=FEDERATION, now=NOW)


def warning(directory: Directory, **message: Any) -> VerifiedEnvelope:
    """Seal and verify a warning; the arguments are those of `seal_warning`."""
    frame = seal_warning(directory, **message)
    return verified(directory, frame, originator=message.get("originator", "fr-customs"))


def decide(
    envelope: VerifiedEnvelope, permitted: Mapping[str, Sequence[str]] | None = None
) -> tuple[tuple[DecisionEntry, ...], tuple[ReleasedCopy, ...]]:
    """Return decisions and copies for all addressees; everything is permitted where `permitted` names no partner."""
    every = [disclosure.descriptor.id for disclosure in envelope.disclosures]
    entries, copies = [], []
    for part in envelope.parts:
        to = part.leaf.to
        allowed = every if permitted is None else permitted.get(to, every)
        released = openable(part, allowed)
        decision = _decision(envelope, to, released, {cid: "policy/test" for cid in every if cid not in allowed})
        entries.append(DecisionEntry(to, write_wire(decision), f"inputs of {to}".encode(), b"[]"))
        if released:
            copies.append(release(envelope, part, decision))
    return tuple(entries), tuple(copies)


def _decision(envelope: VerifiedEnvelope, to: str, released: tuple[str, ...], reasons: dict[str, str]) -> Decision:
    return Decision(
        v=1,
        s=fresh_salt(),
        fed=FEDERATION,
        hub=HUB,
        mh=envelope.mh,
        iat=NOW,
        to=to,
        pol=POLICY,
        rules=(),
        agr=None,
        rel=released,
        wh=withheld(envelope, released, reasons),
        duties=(),
        inp=encode_b64url(sha256(f"inputs of {to}".encode())),
        prev=None,
        sup=None,
    )


def writes_accept(envelope: VerifiedEnvelope) -> Callable[[int | None], bytes]:
    """Return what writes the accept of a message, when it is told the highest sequence number before."""
    salt = fresh_salt()

    def write(after: int | None) -> bytes:
        manifest = envelope.manifest
        return write_wire(
            Accept(
                v=1,
                s=salt,
                fed=FEDERATION,
                hub=HUB,
                mh=envelope.mh,
                iat=NOW,
                iss=manifest.iss,
                jti=manifest.jti,
                seq=manifest.seq,
                after=after,
            )
        )

    return write


def acceptance(envelope: VerifiedEnvelope, permitted: Mapping[str, Sequence[str]] | None = None) -> Acceptance:
    """Return what the hub records of a message that was decided."""
    decisions, copies = decide(envelope, permitted)
    return Acceptance(envelope, writes_accept(envelope), decisions, copies)


def accept_in(directory: Directory, proven: bytes) -> Accept:
    """Return the accept that a hub proved, after checking it as anybody would."""
    return read_statement(
        Accept, verify_statement(parse_wire(Proven, proven), directory, typ=ACCEPT_TYP, now=None), directory
    )


def receipt(
    directory: Directory, mh: str, *, iss: str, number: int = 1, state: str = "opened", act: str | None = None
) -> VerifiedReceipt:
    """Return an addressee's receipt; `number` makes its identifier."""
    shape = Receipt.model_validate(
        {
            "v": 1,
            "fed": FEDERATION,
            "iss": iss,
            "jti": message_id(number),
            "mh": mh,
            "iat": NOW,
            "state": state,
            "act": act,
            "error": "seal/not-openable" if state == "refused" else None,
            "rel": (),
            "dec": (),
            "cps": (),
        },
        strict=False,
    )
    return verify_receipt(sign_receipt(shape, signer_of(iss)), directory, now=NOW)


def operation(
    directory: Directory, name: str = "op-canute", *, iss: str = "int-bureau", title: str = "Exercise"
) -> VerifiedOperation:
    """Return an open exercise operation of all partners of the directory."""
    members = tuple(record.partner for record in directory.partners() if record.kind is not PartnerKind.HUB)
    shape = Operation(
        v=1,
        fed=FEDERATION,
        iss=iss,
        jti=message_id(1),
        iat=NOW,
        op=name,
        title=title,
        opens=NOW,
        closes=NOW + 86_400,
        exercise=True,
        members=members,
        counting=CountingRules(),
    )
    return verify_operation(sign_operation(shape, signer_of(iss)), directory, now=NOW)


def criteria(**given: Any) -> Criteria:
    """Return what a subscription wants: anything, narrowed by what is given."""
    return Criteria.model_validate({name: given.get(name, ()) for name in Criteria.model_fields}, strict=False)


def subscription(
    directory: Directory, *, iss: str = "rilo-we", iat: int = NOW, active: bool = True, topics: tuple[Topic, ...] = ()
) -> VerifiedSubscription:
    """Return a partner's subscription."""
    shape = Subscription(
        v=1,
        fed=FEDERATION,
        iss=iss,
        jti=message_id(iat),
        iat=iat,
        active=active,
        want=criteria(topics=topics),
    )
    return verify_subscription(sign_subscription(shape, signer_of(iss)), directory, now=NOW)
