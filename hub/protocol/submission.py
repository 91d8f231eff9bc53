"""The hub's check of a submission: from unbelieved bytes to a `VerifiedEnvelope`.

The hub reads no content and performs no HPKE operation; it checks signatures and recomputes every digest. Not for: what
may go where (`hub/policy/`) or what was seen before (`hub/broker/`). Implements `docs/protocol/02-envelope.md` section
6, whose step numbers stand beside the code.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hub.protocol.audience import PAD, AudienceTree, Leaf, check_size, parse_leaf
from hub.protocol.directory import Directory
from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.envelope import Slot, Submission, parse_submission
from hub.protocol.errors import (
    AudienceError,
    DigestError,
    MalformedError,
    MissingSignatureError,
    NoAddresseeKeyError,
    WrongOriginatorError,
)
from hub.protocol.hazmat import SEALED_KEY, WRAPPED_KEY, sha256
from hub.protocol.jws import Jws, parse_jws, verify_jws
from hub.protocol.manifest import (
    MANIFEST_TYP,
    Disclosure,
    Manifest,
    check_descriptor,
    check_suite,
    check_time,
    parse_disclosure,
    parse_manifest,
)
from hub.protocol.vocabulary import LABELS_OF, NOMINAL, REQUIRED_LABEL, Label, PartnerKind

MAX_ATTACHMENTS: Final = 16


@dataclass(frozen=True, slots=True)
class AddressedPart:
    """One addressee's part of a verified envelope.

    `entry` is the leaf's and `path` its path's text as they travel; `index` and `size` say where it stands in the tree.
    """

    leaf: Leaf
    entry: str
    index: int
    size: int
    path: tuple[str, ...]
    sealed_key: str
    wraps: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class VerifiedEnvelope:
    """A submission in which every signature and digest was checked. Only `verify_submission` makes one.

    `part_of` are the `parts` by addressee, `digest_of` the disclosures' digests by compartment.
    """

    mh: str
    kid: str
    manifest: Manifest
    jws: str
    second: str | None
    disclosures: tuple[Disclosure, ...]
    blobs: tuple[bytes, ...]
    parts: tuple[AddressedPart, ...]
    part_of: Mapping[str, AddressedPart]
    digest_of: Mapping[str, str]


def verify_submission(
    data: bytes, directory: Directory, *, originator: str, federation: str, now: int
) -> VerifiedEnvelope:
    """Check a submission.

    Args:
        data: the uploaded frame.
        directory: the believed directory.
        originator: the partner whose session uploads it.
        federation: the exchange's name.
        now: Unix seconds.

    Raises:
        ValiseError: a leaf of the encoding, envelope, signature or directory family.
    """
    submission = parse_submission(data)  # steps 1 and 2: limits, then strict parse
    head = submission.head
    manifest, jws = parse_manifest(head.m)
    if manifest.iss != originator:  # 3: nobody uploads for another
        raise WrongOriginatorError("uploaded by another partner")
    directory.check_active(manifest.iss)
    check_suite(manifest)  # 4
    verify_signatures(manifest, jws, head.s2, directory, times=(manifest.iat, now))  # 5
    check_time(manifest, federation=federation, now=now)  # 6
    disclosures = _check_disclosures(manifest, submission)  # 7
    parts = _check_audience(manifest, head.a, directory, now=now)  # 8
    return VerifiedEnvelope(
        mh=jws.digest,
        kid=jws.kid,
        manifest=manifest,
        jws=head.m,
        second=head.s2,
        disclosures=disclosures,
        blobs=submission.blobs,
        parts=parts,
        part_of={part.leaf.to: part for part in parts},
        digest_of={disclosure.descriptor.id: disclosure.digest for disclosure in disclosures},
    )


def verify_signatures(
    manifest: Manifest, jws: Jws, second: str | None, directory: Directory, *, times: Sequence[int]
) -> None:
    """Check every signature that the manifest (`need`) or the directory (`require`) asks for.

    The directory's word makes a stripped second signature visible even when `need` was rewritten with it. Each key must
    have been valid at all of `times` (Unix seconds): the originator's, and that of whoever took the message in, so that
    a revoked key cannot sign with an old date.

    Raises:
        SignatureError, DirectoryError: a signature is missing, not valid, or not this originator's.
    """
    partner = directory.partner(manifest.iss)
    required = {*manifest.need, *partner.require}
    signatures: list[tuple[Jws, Literal["sign", "sign2"]]] = [(jws, "sign")]
    if second is not None:
        signatures.append((parse_jws(second, typ=MANIFEST_TYP, payload_segment=jws.payload_segment), "sign2"))
    done = set()
    for signed, use in signatures:
        *_, key = (directory.signing_key(signed.kid, iss=manifest.iss, at=at, use=use) for at in times)
        verify_jws(signed, alg=key.alg, public=decode_b64url(key.pub))
        done.add(key.alg)
    if not required <= done:
        raise MissingSignatureError(", ".join(sorted(required - done)))


def check_labels(manifest: Manifest, disclosure: Disclosure) -> None:
    """Check that a compartment's label may stand in this kind of message and tells the truth about its class.

    Raises:
        MalformedError: it may not, or does not.
    """
    descriptor = disclosure.descriptor
    if descriptor.label not in LABELS_OF[manifest.mt] or descriptor.nominal != (descriptor.label in NOMINAL):
        raise MalformedError(f"{descriptor.label} in {manifest.mt}")


def check_each_label_once(disclosures: Sequence[Disclosure]) -> None:
    """Check that only attachments repeat: two `action` compartments could tell two addressees two things.

    Raises:
        MalformedError: a label stands twice, or there are more than `MAX_ATTACHMENTS` attachments.
    """
    counts = Counter(disclosure.descriptor.label for disclosure in disclosures)
    if counts.pop(Label.ATTACHMENT, 0) > MAX_ATTACHMENTS or any(count > 1 for count in counts.values()):
        raise MalformedError("a label twice, or too many attachments")


def _check_disclosures(manifest: Manifest, submission: Submission) -> tuple[Disclosure, ...]:
    disclosures = tuple(parse_disclosure(text) for text in submission.head.d)
    if len(disclosures) != len(manifest.cmp):
        raise DigestError("a disclosure is missing or too many")
    for place, (disclosure, blob) in enumerate(zip(disclosures, submission.blobs, strict=True)):
        descriptor = disclosure.descriptor
        if check_descriptor(manifest, disclosure) != place:
            raise DigestError("order")
        if descriptor.n != len(blob) or descriptor.ct != encode_b64url(sha256(blob)):
            raise DigestError(descriptor.id)
        check_labels(manifest, disclosure)
    check_each_label_once(disclosures)
    if REQUIRED_LABEL[manifest.mt] not in {disclosure.descriptor.label for disclosure in disclosures}:
        raise MalformedError("the required compartment is missing")
    return disclosures


def _check_audience(
    manifest: Manifest, slots: tuple[Slot, ...], directory: Directory, *, now: int
) -> tuple[AddressedPart, ...]:
    check_size(len(slots))
    entries = [decode_b64url(slot.l) for slot in slots]
    tree = AudienceTree(entries)
    if encode_b64url(tree.root) != manifest.rr:
        raise AudienceError("root")
    parts = []
    for index, (entry, slot, path) in enumerate(zip(entries, slots, tree.paths(), strict=True)):
        if slot.k is None and slot.w is None:
            if len(entry) != PAD:
                raise AudienceError("a leaf without its key")
            continue
        if slot.k is None or slot.w is None:
            raise MalformedError("a slot with half of its members")
        leaf = parse_leaf(entry)
        check_part(manifest, leaf, slot.k, slot.w)
        if slot.w.keys() != leaf.w.keys():
            raise DigestError("wraps")
        _check_addressee(manifest, leaf, directory, now=now)
        parts.append(AddressedPart(leaf, slot.l, index, tree.size, path, slot.k, slot.w))
    if not parts or len({part.leaf.to for part in parts}) != len(parts):
        raise AudienceError("no addressee, or one twice")
    return tuple(parts)


def _check_addressee(manifest: Manifest, leaf: Leaf, directory: Directory, *, now: int) -> None:
    if leaf.to == manifest.iss or directory.partner(leaf.to).kind is PartnerKind.HUB:
        raise AudienceError("the originator itself, or a hub")
    key = directory.opening_key(leaf.to, at=manifest.iat, kid=leaf.kid)  # it may have waited in an outbox since
    if key.revoked_at is not None and key.revoked_at <= now:
        raise NoAddresseeKeyError(leaf.kid)


def check_part(manifest: Manifest, leaf: Leaf, sealed_key: str, wraps: Mapping[str, str]) -> None:
    """Check a sealed key and wraps against the digests that the originator signed in the leaf.

    Raises:
        DigestError: one differs, has another length, or belongs to no compartment.
    """
    sealed = decode_b64url(sealed_key)
    if len(sealed) != SEALED_KEY or encode_b64url(sha256(sealed)) != leaf.kw:
        raise DigestError("sealed key")
    for cid, wrap in wraps.items():
        data = decode_b64url(wrap)
        if (
            len(data) != WRAPPED_KEY
            or encode_b64url(sha256(data)) != leaf.w.get(cid)
            or int(cid[1:]) >= len(manifest.cmp)
        ):
            raise DigestError(f"wrap of {cid}")
