"""Seal a message to many addressees, and open one compartment of it.

One hybrid post-quantum HPKE operation per addressee seals a key (KEK); the KEK wraps each compartment's key apart, so a
hub withholds one compartment from one addressee by leaving out a wrap. Not for: who may get what (`hub/policy/`) or the
checks before opening (`copy.py`). Implements `docs/protocol/03-keys.md`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from hub.protocol.audience import MAX_ADDRESSEES, AudienceTree, Via, fill_audience, write_leaf
from hub.protocol.encoding import encode_all_b64url, encode_b64url, lp, pad, unpad
from hub.protocol.envelope import MAX_CIPHERTEXT, write_submission
from hub.protocol.errors import AudienceError, CommitmentError, NoAddresseeKeyError, OpenError, TooLargeError
from hub.protocol.hazmat import (
    KEY,
    EncryptionKey,
    SealingKey,
    decrypt,
    derive,
    is_same,
    random_bytes,
    sha256,
)
from hub.protocol.jws import sign_detached
from hub.protocol.keys import Opener, Signer
from hub.protocol.manifest import (
    MANIFEST_TYP,
    MAX_COMPARTMENTS,
    SUITE,
    CompartmentDigest,
    Descriptor,
    Disclosure,
    Manifest,
    header_hash_of,
    sign_manifest,
    write_disclosure,
)
from hub.protocol.vocabulary import NOMINAL, Label

_NONCE: Final = bytes(12)  # each compartment key encrypts once
_RECIPIENT: Final = b"JOSE-HPKE rcpt\xffA256GCM\xff"  # Recipient_structure, draft-ietf-jose-hpke-encrypt


@dataclass(frozen=True, slots=True)
class Compartment:
    """Plaintext to be sealed as a whole: its label, media type and bytes."""

    label: Label
    fmt: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom to seal to: its key, how it came to be addressed, its count, and the places in `cmp` that it may open."""

    partner: str
    via: Via
    kid: str
    public: bytes
    rseq: int
    grants: frozenset[int]


@dataclass(frozen=True, slots=True)
class _SealedCompartment:
    key: bytes
    blob: bytes
    disclosure: Disclosure


_Job = tuple[bytes, bytes, bytes]  # public key, KEK, HPKE info
Mapper = Callable[[Callable[[_Job], bytes], Iterable[_Job]], Iterable[bytes]]


def seal(
    header: dict[str, Any],
    compartments: Sequence[Compartment],
    addressees: Sequence[Addressee],
    *,
    signer: Signer,
    second: Signer | None = None,
    run: Mapper = map,
) -> bytes:
    """Seal, sign and frame a message.

    Args:
        header: the members of `Manifest` that say what the message is: all but v, suite, need, cmp, rr and _sd_alg.
        compartments: at most 32; their places become c0, c1, ...
        addressees: at most 1,024, each with its key.
        signer: the originator's Ed25519 key.
        second: the originator's ML-DSA-65 key, where the directory requires it.
        run: maps the HPKE operations; a process pool's `map` for a broadcast, since HPKE holds the interpreter lock.

    Returns:
        The frame to upload.

    Raises:
        TooLargeError: too many compartments or addressees, or too much ciphertext.
        NoAddresseeKeyError: nobody to seal to, or nothing for an addressee.
        AudienceError: an addressee twice.
        WeakKeyError: an addressee's key is not one.
    """
    if not 0 < len(compartments) <= MAX_COMPARTMENTS or len(addressees) > MAX_ADDRESSEES:
        raise TooLargeError("compartments or addressees")
    if not addressees or not all(addressee.grants for addressee in addressees):
        raise NoAddresseeKeyError("no addressee, or one without a compartment")
    if len({addressee.partner for addressee in addressees}) != len(addressees):
        raise AudienceError("an addressee twice")
    names = ("fed", "iss", "jti", "seq", "iat", "exp", "mt")
    hh = header_hash_of(suite=SUITE, **{name: header[name] for name in names})
    sealed = [_seal_compartment(hh, place, compartment) for place, compartment in enumerate(compartments)]
    if sum(len(one.blob) for one in sealed) > MAX_CIPHERTEXT:
        raise TooLargeError("ciphertext")
    slots = _seal_to_all(hh, sealed, addressees, run)
    entries = fill_audience(list(slots))
    manifest = Manifest.model_validate(
        {
            **header,
            "v": 1,
            "suite": SUITE,
            "need": ("Ed25519", "ML-DSA-65") if second else ("Ed25519",),
            "_sd_alg": "sha-256",
            "cmp": tuple(CompartmentDigest.model_validate({"...": one.disclosure.digest}) for one in sealed),
            "rr": encode_b64url(AudienceTree(entries).root),
        }
    )
    jws = sign_manifest(manifest, signer)
    return write_submission(
        manifest=jws,
        second=sign_detached(jws, typ=MANIFEST_TYP, signer=second) if second else None,
        disclosures=[one.disclosure.text for one in sealed],
        slots=[{"l": encode_b64url(entry), **slots.get(entry, {})} for entry in entries],
        blobs=[one.blob for one in sealed],
    )


def _seal_compartment(hh: bytes, place: int, compartment: Compartment) -> _SealedCompartment:
    cid, key = f"c{place}", random_bytes(KEY)
    encryption, commitment = _compartment_keys(hh, cid, compartment.label, key)
    aad = lp("valise1 aad", hh, cid, compartment.label.value)
    blob = EncryptionKey(encryption).encrypt(_NONCE, pad(compartment.data), aad)
    descriptor = Descriptor(
        id=cid,
        label=compartment.label,
        nominal=compartment.label in NOMINAL,
        fmt=compartment.fmt,
        ct=encode_b64url(sha256(blob)),
        n=len(blob),
        kc=encode_b64url(commitment),
    )
    return _SealedCompartment(key, blob, write_disclosure(descriptor))


def _compartment_keys(hh: bytes, cid: str, label: Label, key: bytes) -> tuple[bytes, bytes]:
    """Return the encryption key and the commitment to it; AES-GCM alone commits to no key."""
    both = derive(key, lp("valise1 cmp", hh, cid, label.value), 2 * KEY)
    return both[:KEY], both[KEY:]


def _seal_to_all(
    hh: bytes, sealed: Sequence[_SealedCompartment], addressees: Sequence[Addressee], run: Mapper
) -> dict[bytes, dict[str, Any]]:
    """Return each addressee's leaf entry and what goes with it: each step for all of them, which is far faster."""
    drawn = random_bytes(KEY * len(addressees))
    keks = [drawn[at : at + KEY] for at in range(0, len(drawn), KEY)]
    jobs = ((a.public, kek, kek_info(hh, a.partner, a.kid)) for a, kek in zip(addressees, keks, strict=True))
    sealed_keks = list(run(seal_kek, jobs))
    cids = [[f"c{place}" for place in sorted(addressee.grants)] for addressee in addressees]
    wraps = _wrap_for_all(hh, sealed, addressees, keks)
    wrap_texts, wrap_digests = (iter(encode_all_b64url(items)) for items in (wraps, [sha256(wrap) for wrap in wraps]))
    kek_texts, kek_digests = (encode_all_b64url(items) for items in (sealed_keks, [*map(sha256, sealed_keks)]))
    slots = {}
    for addressee, granted, text, digest in zip(addressees, cids, kek_texts, kek_digests, strict=True):
        leaf = {
            "to": addressee.partner,
            "via": addressee.via,
            "kid": addressee.kid,
            "rseq": addressee.rseq,
            "kw": digest,
            "w": {cid: next(wrap_digests) for cid in granted},
        }
        slots[write_leaf(leaf)] = {"k": text, "w": {cid: next(wrap_texts) for cid in granted}}
    return slots


def _wrap_for_all(
    hh: bytes, sealed: Sequence[_SealedCompartment], addressees: Sequence[Addressee], keks: Sequence[bytes]
) -> list[bytes]:
    """Return the wraps of all addressees, one addressee after the other, each in the order of the places."""
    places = [(_wrap_nonce(place), one.key, lp(f"c{place}")) for place, one in enumerate(sealed)]
    wraps = []
    for addressee, kek in zip(addressees, keks, strict=True):
        encrypt, bound = EncryptionKey(kek).encrypt, _wrap_aad(hh, addressee.partner)
        for place in sorted(addressee.grants):
            nonce, key, suffix = places[place]
            wraps.append(encrypt(nonce, key, bound + suffix))
    return wraps


@lru_cache(maxsize=MAX_ADDRESSEES)
def _sealing_key(public: bytes) -> SealingKey:
    """Return the loaded key; the partners of one broadcast are mostly those of the last."""
    return SealingKey(public)


def seal_kek(job: _Job) -> bytes:
    """Seal one KEK; a function of the module, so that a process pool can run it.

    Args:
        job: the addressee's public key (1,216 bytes), the KEK, and the HPKE info.

    Raises:
        WeakKeyError: not a public key.
    """
    public, kek, info = job
    return _sealing_key(public).seal(kek, info)


def kek_info(hh: bytes, to: str, kid: str) -> bytes:
    """Return the HPKE info that binds a sealed KEK to its message, addressee and key."""
    return _RECIPIENT + sha256(lp("valise1 kek", hh, to, kid))


def _wrap_nonce(place: int) -> bytes:
    return place.to_bytes(12, "big")


def _wrap_aad(hh: bytes, to: str) -> bytes:
    return lp("valise1 wrap", hh, to)


def open_kek(hh: bytes, to: str, sealed_kek: bytes, opener: Opener) -> bytes:
    """Return the KEK that was sealed to this addressee.

    Raises:
        OpenError: it was sealed to another key or for another message.
    """
    kek = opener.open(sealed_kek, kek_info(hh, to, opener.kid))
    if len(kek) != KEY:
        raise OpenError("key length")
    return kek


def open_compartment(hh: bytes, to: str, kek: bytes, wrap: bytes, *, descriptor: Descriptor, blob: bytes) -> bytes:
    """Return the plaintext of one compartment.

    Raises:
        OpenError: wrap or ciphertext do not open.
        CommitmentError: the key is not the one that the originator committed to.
        PaddingError: the padding is wrong.
    """
    place, cid = int(descriptor.id[1:]), descriptor.id
    key = decrypt(kek, _wrap_nonce(place), wrap, _wrap_aad(hh, to) + lp(cid))
    encryption, commitment = _compartment_keys(hh, cid, descriptor.label, key)
    if not is_same(encode_b64url(commitment).encode(), descriptor.kc.encode()):
        raise CommitmentError(cid)
    return unpad(decrypt(encryption, _NONCE, blob, lp("valise1 aad", hh, cid, descriptor.label.value)))
