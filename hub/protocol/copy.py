"""The addressee's check of a copy: from unbelieved bytes to a `VerifiedCopy`, then to plaintext.

A failure at any step is reported in a receipt that names the wire code. Not for: showing content (`connectors/`).
Implements `docs/protocol/02-envelope.md` section 7, whose step numbers stand beside the code.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.protocol.audience import Leaf, check_leaf, parse_leaf
from hub.protocol.chain import verify_chain
from hub.protocol.content import parse_compartment
from hub.protocol.directory import Directory
from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.envelope import Copy, CopyHead, parse_copy
from hub.protocol.errors import (
    DecisionChainError,
    DigestError,
    NotAddressedError,
    WithheldMismatchError,
)
from hub.protocol.hazmat import sha256
from hub.protocol.keys import Opener
from hub.protocol.manifest import (
    Disclosure,
    Manifest,
    check_descriptor,
    check_suite,
    check_time,
    header_hash,
    parse_disclosure,
    parse_manifest,
)
from hub.protocol.sealing import open_compartment, open_kek
from hub.protocol.statements import Decision
from hub.protocol.submission import check_each_label_once, check_labels, check_part, verify_signatures


@dataclass(frozen=True, slots=True)
class VerifiedCopy:
    """A copy in which everything but the plaintext was checked. Only `verify_copy` makes one."""

    mh: str
    manifest: Manifest
    leaf: Leaf
    disclosures: tuple[Disclosure, ...]
    decisions: tuple[Decision, ...]
    decision_digests: tuple[str, ...]
    head: CopyHead
    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class OpenedCompartment:
    """The plaintext of one compartment, of the shape that its label promises."""

    disclosure: Disclosure
    data: bytes


def verify_copy(
    data: bytes, directory: Directory, *, addressee: str, hub: str, federation: str, now: int
) -> VerifiedCopy:
    """Check a copy, short of opening it.

    Args:
        data: the frame as received.
        directory: the believed directory.
        addressee: who received it.
        hub: the addressee's own hub, whose word must be the last.
        federation: the exchange's name.
        now: Unix seconds.

    Raises:
        ValiseError: a leaf of the encoding, envelope, signature or directory family.
    """
    copy = parse_copy(data)  # step 1
    head = copy.head
    manifest, jws = parse_manifest(head.m)
    check_suite(manifest)  # step 4
    check_time(manifest, federation=federation, now=now)  # step 5; jti and seq are the inbox's to compare
    decisions, digests = verify_chain(head.dec, directory, mh=jws.digest, addressee=addressee, now=now)  # step 6
    if decisions[-1].hub != hub or not decisions[-1].rel:
        raise DecisionChainError("not the last word of our hub, or it releases nothing")
    taken_in = decisions[0].iat
    verify_signatures(manifest, jws, head.s2, directory, times=(manifest.iat, taken_in))  # steps 2 and 3
    disclosures = _check_disclosures(manifest, copy)  # step 7
    check_withheld(manifest, disclosures, decisions)  # step 8
    leaf = _check_leaf(manifest, head, addressee)  # steps 9 and 10
    if {disclosure.descriptor.id for disclosure in disclosures} != head.part.w.keys():
        raise DigestError("released compartments and wraps differ")
    return VerifiedCopy(
        mh=jws.digest,
        manifest=manifest,
        leaf=leaf,
        disclosures=disclosures,
        decisions=decisions,
        decision_digests=digests,
        head=head,
        blobs=copy.blobs,
    )


def check_withheld(manifest: Manifest, disclosures: tuple[Disclosure, ...], decisions: tuple[Decision, ...]) -> None:
    """Check that all digests minus the delivered ones are exactly those that the last hub declared withheld.

    Raises:
        WithheldMismatchError: something is missing undeclared, or declared withheld and there.
    """
    last = decisions[-1]
    delivered = {disclosure.digest for disclosure in disclosures}
    declared = {one.d for one in last.wh}
    promised = {disclosure.descriptor.id for disclosure in disclosures}
    missing = {one.digest for one in manifest.cmp} - delivered
    if declared != missing or promised != set(last.rel):
        raise WithheldMismatchError


def _check_disclosures(manifest: Manifest, copy: Copy) -> tuple[Disclosure, ...]:
    disclosures = tuple(parse_disclosure(text) for text in copy.head.d)
    if len({disclosure.descriptor.id for disclosure in disclosures}) != len(disclosures):
        raise DigestError("a disclosure twice")
    for disclosure, blob in zip(disclosures, copy.blobs, strict=True):
        check_descriptor(manifest, disclosure)
        check_labels(manifest, disclosure)
        if disclosure.descriptor.n != len(blob) or disclosure.descriptor.ct != encode_b64url(sha256(blob)):
            raise DigestError(disclosure.descriptor.id)
    check_each_label_once(disclosures)
    return disclosures


def _check_leaf(manifest: Manifest, head: CopyHead, addressee: str) -> Leaf:
    entry = decode_b64url(head.part.l)
    check_leaf(entry, head.part.place, manifest.rr)
    leaf = parse_leaf(entry)
    if leaf.to != addressee:
        raise NotAddressedError(leaf.to)
    check_part(manifest, leaf, head.part.k, head.part.w)
    return leaf


def open_copy(copy: VerifiedCopy, opener: Opener) -> Mapping[str, OpenedCompartment]:
    """Open every released compartment (steps 11 and 12).

    Args:
        copy: a verified copy.
        opener: the private key that the leaf names.

    Raises:
        SealError: something does not open.
        ContentError, EncodingError: a plaintext does not have the shape that its label promises.
    """
    hh, to = header_hash(copy.manifest), copy.leaf.to
    kek = open_kek(hh, to, decode_b64url(copy.head.part.k), opener)
    opened = {}
    for disclosure, blob in zip(copy.disclosures, copy.blobs, strict=True):
        descriptor = disclosure.descriptor
        wrap = decode_b64url(copy.head.part.w[descriptor.id])
        data = open_compartment(hh, to, kek, wrap, descriptor=descriptor, blob=blob)
        parse_compartment(descriptor.label, copy.manifest.mt, data, fmt=descriptor.fmt)
        opened[descriptor.id] = OpenedCompartment(disclosure, data)
    return opened
