"""Every attack of the threat model on a message in flight, each refused by the addressee or the hub with its wire code.

The attacker here is a hub or a partner with real keys: it may sign whatever it likes with its own.
"""

import random
from collections.abc import Sequence
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest

from hub.broker.exchange import Exchange
from hub.broker.notary import log_origin
from hub.broker.submit import submit
from hub.protocol import sealing
from hub.protocol.copy import open_copy, verify_copy
from hub.protocol.directory import Directory
from hub.protocol.encoding import decode_b64url, encode_b64url, lp, pad, parse_frame
from hub.protocol.enrolment import request_enrolment
from hub.protocol.errors import (
    AudienceError,
    BadSignatureError,
    CommitmentError,
    ConsistencyError,
    DecisionChainError,
    DigestError,
    ExpiredError,
    JwsError,
    KeyNotValidError,
    MalformedError,
    MarksLoosenedError,
    MissingSignatureError,
    NotAddressedError,
    NotYetValidError,
    OpenError,
    ReplayError,
    RollbackError,
    ThreadError,
    ValiseError,
    WeakKeyError,
    WithheldMismatchError,
    WrongFederationError,
    WrongOriginatorError,
    WrongTypeError,
)
from hub.protocol.hazmat import EncryptionKey, SigningKey, random_bytes, sha256
from hub.protocol.manifest import CLOCK_SKEW, parse_manifest, sign_manifest
from hub.protocol.marks import Marks
from hub.protocol.sealing import open_compartment
from hub.protocol.statements import DECISION_TYP, Decision, WithheldDigest, statement_digest
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.submission import VerifiedEnvelope, verify_submission
from hub.protocol.vocabulary import Label, Verb
from hub.protocol.wire import write_wire
from hub.store.sqlite import SqliteStore
from hub.tlog.checkpoint import Checkpoint
from hub.tlog.witness import check_growth
from tests.support.agency import ScriptedSet, scripted_decide
from tests.support.content import BODY
from tests.support.exchange import (
    FEDERATION,
    HUB,
    NOW,
    FileSigner,
    accept_in,
    acceptance,
    make_directory,
    message_id,
    opener_of,
    record_of,
    sign_as_hub,
    signer_of,
    verified,
    warning,
)
from tests.support.memory_store import MemoryStore
from tests.support.office import FEDERATION as OFFICE_FEDERATION
from tests.support.office import found_office, keys_of, record_for
from tests.support.stores import open_sqlite
from tests.support.tampering import OTHER, TO, Copy, full_frame, prove

SECOND_HUB = "zz-hub"


@pytest.fixture(scope="module")
def directory() -> Directory:
    return make_directory(("fr-customs", TO, OTHER, "ke-customs"))


@pytest.fixture(scope="module")
def envelope(directory: Directory) -> VerifiedEnvelope:
    return verified(directory, full_frame(directory))


def test_an_honest_copy_opens(directory: Directory, envelope: VerifiedEnvelope) -> None:
    opened = open_copy(Copy(envelope).verify(directory), opener_of(TO))
    assert [one.data for one in opened.values()] == [data for _, data in BODY]


# --- withholding ---------------------------------------------------------------------------------------------------


def test_silent_strip_of_a_compartment(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    cid = copy.decision.rel[-1]
    copy.disclosures.pop()
    copy.blobs.pop()
    del copy.part["w"][cid]
    with pytest.raises(WithheldMismatchError):
        copy.verify(directory)


def test_strip_of_only_the_blob(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    copy.blobs[0] = b""
    with pytest.raises(DigestError):
        copy.verify(directory)


def test_strip_of_only_the_wrap(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    del copy.part["w"]["c0"]
    with pytest.raises(DigestError):
        copy.verify(directory)


def test_swapped_blobs(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    copy.blobs[0], copy.blobs[1] = copy.blobs[1], copy.blobs[0]
    with pytest.raises(DigestError):
        copy.verify(directory)


def test_swapped_wraps(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    wraps = copy.part["w"]
    wraps["c0"], wraps["c1"] = wraps["c1"], wraps["c0"]
    with pytest.raises(DigestError):
        copy.verify(directory)


def _subsets(ids: Sequence[str]) -> list[tuple[str, ...]]:
    return list(chain.from_iterable(combinations(ids, size) for size in range(1, len(ids) + 1)))


def test_declared_withholding_of_every_subset_passes(directory: Directory, envelope: VerifiedEnvelope) -> None:
    ids = [one.descriptor.id for one in envelope.disclosures]
    for released in _subsets(ids):
        opened = open_copy(Copy(envelope, released=released).verify(directory), opener_of(TO))
        assert tuple(opened) == released


def test_a_withheld_compartment_that_is_there_is_refused(directory: Directory, envelope: VerifiedEnvelope) -> None:
    full, less = Copy(envelope), Copy(envelope, released=("c0",))
    full.proven = less.proven
    with pytest.raises(WithheldMismatchError):
        full.verify(directory)


# --- decisions -----------------------------------------------------------------------------------------------------


def _with_second_hub(directory: Directory) -> Directory:
    second = record_of(SECOND_HUB)
    records = [*directory.partners(), second]
    return Directory(federation=FEDERATION, version=2, digest="1" * 64, records=records)


def _second(first: Decision, **changes: Any) -> Decision:
    members = {"hub": SECOND_HUB, "prev": statement_digest(DECISION_TYP, write_wire(first)), **changes}
    return first.model_copy(update=members)


def _by_second_hub(decision: Decision) -> bytes:
    return prove(decision, signer=signer_of(SECOND_HUB))


def _narrowed(copy: Copy, envelope: VerifiedEnvelope) -> Decision:
    """Let the second hub withhold the last compartment, and take it out of the copy as it should."""
    last = copy.decision.rel[-1]
    copy.disclosures.pop()
    copy.blobs.pop()
    del copy.part["w"][last]
    digest = envelope.disclosures[int(last[1:])].digest
    return _second(
        copy.decision,
        rel=copy.decision.rel[:-1],
        wh=(*copy.decision.wh, WithheldDigest(d=digest, rc="policy/floor")),
    )


def test_a_second_hub_may_narrow(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    copy.proven.append(_by_second_hub(_narrowed(copy, envelope)))
    opened = open_copy(copy.verify(_with_second_hub(directory), hub=SECOND_HUB), opener_of(TO))
    assert tuple(opened) == copy.decision.rel[:-1]


def test_second_hub_widens(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy, full = Copy(envelope, released=("c0",)), Copy(envelope)
    wide = _second(copy.decision, rel=full.decision.rel, wh=())
    full.proven = [copy.proven[0], _by_second_hub(wide)]
    with pytest.raises(DecisionChainError):
        full.verify(_with_second_hub(directory), hub=SECOND_HUB)


def test_chain_reordered(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    second = _by_second_hub(_narrowed(copy, envelope))
    copy.proven = [second, copy.proven[0]]
    with pytest.raises(DecisionChainError):
        copy.verify(_with_second_hub(directory), hub=SECOND_HUB)


def test_first_decision_dropped(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    copy.proven = [_by_second_hub(_narrowed(copy, envelope))]
    with pytest.raises(DecisionChainError):
        copy.verify(_with_second_hub(directory), hub=SECOND_HUB)


def test_another_addressees_decision(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    copy.proven = Copy(envelope, to=OTHER).proven
    with pytest.raises(DecisionChainError):
        copy.verify(directory)


def test_a_partner_that_is_no_hub_cannot_decide(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    forged = copy.decision.model_copy(update={"hub": "ke-customs"})
    copy.proven = [prove(forged, signer=signer_of("ke-customs"))]
    with pytest.raises(WrongOriginatorError):
        copy.verify(directory)


def test_altered_decision(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    proven = parse_json(copy.proven[0])
    forged = copy.decision.model_copy(update={"pol": "f" * 64})
    proven["p"] = encode_b64url(write_wire(forged))
    copy.proven = [write_json(proven)]
    with pytest.raises(BadSignatureError):
        copy.verify(directory)


def test_a_compartment_both_released_and_withheld(directory: Directory, envelope: VerifiedEnvelope) -> None:
    """A decision that says both would let the hub choose afterwards which of the two it meant."""
    for is_delivered in (True, False):
        copy = Copy(envelope, released=None if is_delivered else ("c0", "c1", "c2"))
        full = Copy(envelope)
        both = (WithheldDigest(d=envelope.disclosures[3].digest, rc="policy/floor"),)
        copy.proven = [prove(full.decision.model_copy(update={"wh": both}))]
        with pytest.raises(WithheldMismatchError):
            copy.verify(directory)


def test_decision_dated_ahead(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    copy.proven = [prove(copy.decision, at=NOW + CLOCK_SKEW + 1)]
    with pytest.raises(KeyNotValidError):
        copy.verify(directory)
    copy.proven = [prove(copy.decision.model_copy(update={"iat": NOW + 1}))]
    with pytest.raises(NotYetValidError):
        copy.verify(directory)


def test_decision_under_a_revoked_hub_key(directory: Directory, envelope: VerifiedEnvelope) -> None:
    """Whoever stole the key dates back to before it was revoked; the addressee asks whether it is revoked now."""
    hub = record_of(HUB)
    stolen = hub.keys[0].model_copy(update={"status": "revoked", "revoked_at": NOW + 60})
    records = [one for one in directory.partners() if one.partner != HUB]
    records.append(hub.model_copy(update={"keys": (stolen, *hub.keys[1:])}))
    later = Directory(federation=FEDERATION, version=2, digest="1" * 64, records=records)
    assert Copy(envelope).verify(later, now=NOW + 59).mh == envelope.mh
    with pytest.raises(KeyNotValidError):
        Copy(envelope).verify(later, now=NOW + 60)


def test_second_hub_drops_a_duty(directory: Directory, envelope: VerifiedEnvelope) -> None:
    both = _with_second_hub(directory)
    for kept in (("no-onward", "retention-days:30"), ("retention-days:30",)):
        copy = Copy(envelope)
        owing = copy.decision.model_copy(update={"duties": ("no-onward", "retention-days:30")})
        copy.proven = [prove(owing), _by_second_hub(_second(owing, duties=kept))]
        if kept == owing.duties:
            assert copy.verify(both, hub=SECOND_HUB).decisions[-1].duties == kept
        else:
            with pytest.raises(DecisionChainError):
                copy.verify(both, hub=SECOND_HUB)


# --- disclosures ---------------------------------------------------------------------------------------------------


def test_relabelled_disclosure(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    salt, descriptor = parse_json(decode_b64url(copy.disclosures[0]))
    descriptor["label"] = "company"
    copy.disclosures[0] = encode_b64url(write_json([salt, descriptor]))
    with pytest.raises(DigestError):
        copy.verify(directory)


def test_duplicated_disclosure(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    copy.disclosures.append(copy.disclosures[0])
    copy.blobs.append(copy.blobs[0])
    with pytest.raises(DigestError):
        copy.verify(directory)


def test_foreign_disclosure(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy, foreign = Copy(envelope), Copy(verified(directory, full_frame(directory, seq=2)))
    copy.disclosures[0], copy.blobs[0] = foreign.disclosures[0], foreign.blobs[0]
    with pytest.raises(DigestError):
        copy.verify(directory)


# --- originators and addressees -------------------------------------------------------------------------------------


def test_surreptitious_forwarding(directory: Directory, envelope: VerifiedEnvelope) -> None:
    """An addressee passes its copy on as if it had been sent to another."""
    copy = Copy(envelope)
    with pytest.raises(DecisionChainError):
        copy.verify(directory, addressee="ke-customs")


def test_surreptitious_forwarding_with_a_colluding_hub(directory: Directory, envelope: VerifiedEnvelope) -> None:
    """Even a hub that signs the decision cannot make the originator have addressed somebody."""
    copy = Copy(envelope)
    copy.proven = [prove(copy.decision.model_copy(update={"to": "ke-customs"}))]
    with pytest.raises(NotAddressedError):
        copy.verify(directory, addressee="ke-customs")
    invented = decode_b64url(copy.part["l"]).replace(TO.encode(), b"ke-customs")
    copy.part["l"] = encode_b64url(invented)
    with pytest.raises(AudienceError):
        copy.verify(directory, addressee="ke-customs")


def test_resigning_someone_elses_ciphertext(directory: Directory, envelope: VerifiedEnvelope) -> None:
    """A partner that signs another's ciphertexts as its own cannot make them open: the header is in the keys."""
    manifest, _ = parse_manifest(envelope.jws)
    stolen = manifest.model_copy(update={"iss": "ke-customs"})
    jws = sign_manifest(stolen, signer_of("ke-customs"))
    copy = Copy(envelope)
    copy.manifest = jws
    copy.proven = [prove(copy.decision.model_copy(update={"mh": parse_manifest(jws)[1].digest}))]
    with pytest.raises(OpenError):
        open_copy(copy.verify(directory), opener_of(TO))


def test_uploading_for_another_originator(directory: Directory) -> None:
    with pytest.raises(ValiseError):
        verify_submission(full_frame(directory), directory, originator=TO, federation=FEDERATION, now=NOW)


# --- signatures ----------------------------------------------------------------------------------------------------


def _second_signer() -> FileSigner:
    kid = "fr-customs#m1"
    return FileSigner(kid, SigningKey("ML-DSA-65", sha256(kid.encode())))


@pytest.fixture(scope="module")
def demanding() -> Directory:
    """A directory that demands two signatures of the originator."""
    record = record_of("fr-customs")
    entry = record.keys[0].model_copy(
        update={
            "kid": "fr-customs#m1",
            "use": "sign2",
            "alg": "ML-DSA-65",
            "pub": encode_b64url(_second_signer().key.public),
        }
    )
    both = record.model_copy(update={"require": ("Ed25519", "ML-DSA-65"), "keys": (*record.keys, entry)})
    records = [both, *(record_of(code) for code in (TO, OTHER, HUB))]
    return Directory(federation=FEDERATION, version=1, digest="0" * 64, records=records)


def test_two_signatures_pass(demanding: Directory) -> None:
    envelope = verified(demanding, full_frame(demanding, second=_second_signer()))
    assert Copy(envelope).verify(demanding).mh == envelope.mh


def test_stripped_second_signature(demanding: Directory) -> None:
    copy = Copy(verified(demanding, full_frame(demanding, second=_second_signer())))
    copy.second = None
    with pytest.raises(MissingSignatureError):
        copy.verify(demanding)


def test_flipped_second_signature(demanding: Directory) -> None:
    copy = Copy(verified(demanding, full_frame(demanding, second=_second_signer())))
    assert copy.second is not None
    header, _, signature = copy.second.split(".")
    raw = bytearray(decode_b64url(signature))
    raw[100] ^= 1
    copy.second = f"{header}..{encode_b64url(bytes(raw))}"
    with pytest.raises(BadSignatureError):
        copy.verify(demanding)


def test_ed25519_only_where_directory_demands_both(demanding: Directory) -> None:
    with pytest.raises(MissingSignatureError):
        verified(demanding, full_frame(demanding))


def _with_header(jws: str, **members: str) -> str:
    header, payload, signature = jws.split(".")
    changed = {**parse_json(decode_b64url(header)), **members}
    return f"{encode_b64url(write_json(changed))}.{payload}.{signature}"


def test_alg_none(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    copy.manifest = _with_header(copy.manifest, alg="none")
    with pytest.raises(JwsError):
        copy.verify(directory)


def test_type_confusion(directory: Directory, envelope: VerifiedEnvelope) -> None:
    copy = Copy(envelope)
    copy.manifest = _with_header(copy.manifest, typ="valise-receipt+jwt")
    with pytest.raises(WrongTypeError):
        copy.verify(directory)
    proven = Copy(envelope).proven[0].replace(DECISION_TYP.encode(), b"valise-accept+jwt")
    copy = Copy(envelope)
    copy.proven = [proven]
    with pytest.raises(WrongTypeError):
        copy.verify(directory)


def test_another_partners_key(directory: Directory) -> None:
    with pytest.raises(WrongOriginatorError):
        verified(directory, full_frame(directory, signer=signer_of("ke-customs")))


def test_expired(directory: Directory, envelope: VerifiedEnvelope) -> None:
    with pytest.raises(ExpiredError):
        Copy(envelope).verify(directory, now=envelope.manifest.exp)


def test_other_federation(directory: Directory) -> None:
    with pytest.raises(WrongFederationError):
        verified(directory, full_frame(directory, fed="another-exchange"))


# --- what one hub is shown in another order, or twice ----------------------------------------------------------------


@pytest.fixture
def exchange(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """A hub whose policy lets everything go, so that only the checks of the trip stand in the way."""
    monkeypatch.setattr("hub.broker.submit.decide", scripted_decide)
    store = MemoryStore(federation=FEDERATION, hub=HUB, sign_batch=sign_as_hub, clock=lambda: NOW)
    policies: Any = ScriptedSet()
    return Exchange(HUB, FEDERATION, store, lambda: directory, lambda: policies, lambda: NOW)


async def _take(exchange: Exchange, frame: bytes, originator: str = "fr-customs") -> str:
    proven = await submit(exchange, originator, frame)
    return accept_in(exchange.directory(), proven).mh


async def test_replay(directory: Directory, exchange: Exchange) -> None:
    """The same bytes get the same accept and no second copy; other bytes under the same name are refused."""
    frame = full_frame(directory)
    accepts = [await submit(exchange, "fr-customs", frame) for _ in range(3)]
    assert len(set(accepts)) == 1
    assert len(await exchange.store.waiting(TO, limit=10)) == 1
    with pytest.raises(ReplayError):
        await submit(exchange, "fr-customs", full_frame(directory, seq=2, jti=message_id(1)))
    assert len(await exchange.store.waiting(TO, limit=10)) == 1
    late = Exchange(HUB, FEDERATION, exchange.store, lambda: directory, exchange.policies, lambda: NOW + 86_400)
    assert await submit(late, "fr-customs", frame) == accepts[0], "what was accepted stays so, and goes to nobody again"
    assert len(await exchange.store.waiting(TO, limit=10)) == 1
    with pytest.raises(ExpiredError):
        await submit(late, "fr-customs", full_frame(directory, seq=3))


async def test_thread_injection(directory: Directory, exchange: Exchange) -> None:
    """Nobody speaks in a thread that it was not let into, nor for the originator of what it refers to."""
    places = range(len(BODY))
    mh = await _take(exchange, full_frame(directory, to={TO: places}))
    thread = message_id(1)
    outsider = {"originator": "ke-customs", "to": {TO: places, "fr-customs": places}, "seq": 7}
    for injected in (
        {"thread": thread},  # without any reference
        {"thread": thread, "irt": mh},  # answers what it did not receive
        {"thread": thread, "refs": (mh,), "verb": Verb.UPDATE},  # updates another's message
        {"thread": thread, "refs": (mh,), "verb": Verb.CANCEL},
        {"thread": thread, "refs": (mh,)},  # an alert that replaces
        {"verb": Verb.CANCEL},  # cancels nothing that is named
        {"thread": thread, "irt": "A" * 43},  # answers what nobody knows
    ):
        with pytest.raises(ThreadError):
            await _take(exchange, full_frame(directory, **outsider, **injected), "ke-customs")
    addressee = {"originator": TO, "to": {"fr-customs": places}, "seq": 1, "irt": mh, "jti": message_id(9)}
    with pytest.raises(ThreadError):
        await _take(exchange, full_frame(directory, **addressee, thread=message_id(9)), TO)
    loose = Marks.model_validate({"tlp": "GREEN"}, strict=False)
    with pytest.raises(MarksLoosenedError):
        await _take(exchange, full_frame(directory, **addressee, thread=thread, marks=loose), TO)
    await _take(exchange, full_frame(directory, **addressee, thread=thread), TO)


def test_two_actions_for_two_addressees(directory: Directory) -> None:
    """One signed message must not tell one addressee 'detain' and another 'no action'."""
    twice = ((Label.ACTION, b'{"say": "detain"}'), (Label.ACTION, b'{"say": "no action"}'))
    with pytest.raises(MalformedError):
        verified(directory, full_frame(directory, to={TO: [0], OTHER: [1]}, compartments=twice))


# --- the log ---------------------------------------------------------------------------------------------------------


async def _checkpoint(store: SqliteStore) -> Checkpoint:
    size = await store.log_size()
    return Checkpoint(log_origin(FEDERATION, HUB), size, await store.log_root(size))


async def _record(store: SqliteStore, directory: Directory, *seqs: int) -> Checkpoint:
    for seq in seqs:
        await store.commit(acceptance(warning(directory, to={TO: [0]}, seq=seq)))
    return await _checkpoint(store)


async def test_forked_log(directory: Directory, tmp_path: Path) -> None:
    """A hub that keeps two books, both honest in themselves, cannot show the second to who saw the first."""
    for book in ("one", "two"):
        (tmp_path / book).mkdir()
    async with open_sqlite(tmp_path / "one") as one, open_sqlite(tmp_path / "two") as two:
        seen = await _record(one, directory, 1, 2)
        grown = await _record(one, directory, 3)
        check_growth(seen, grown, await one.consistency(seen.size, grown.size))
        same_size = await _record(two, directory, 1, 2)
        other = await _record(two, directory, 3)
        assert (same_size.size, other.size) == (seen.size, grown.size)
        with pytest.raises(ConsistencyError):
            check_growth(seen, same_size, [])
        for path in (await two.consistency(seen.size, other.size), await one.consistency(seen.size, grown.size)):
            with pytest.raises(ConsistencyError):
                check_growth(seen, other, path)


async def test_rolled_back_log(directory: Directory, tmp_path: Path) -> None:
    """A hub that restores yesterday's backup, and so forgets what it accepted since."""
    async with open_sqlite(tmp_path) as store:
        yesterday = await _record(store, directory, 1)
    backup = (tmp_path / "hub.sqlite").read_bytes()
    async with open_sqlite(tmp_path) as store:
        today = await _record(store, directory, 2)
        check_growth(yesterday, today, await store.consistency(yesterday.size, today.size))
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored" / "hub.sqlite").write_bytes(backup)
    async with open_sqlite(tmp_path / "restored") as store:
        restored = await _checkpoint(store)
        assert restored == yesterday
        with pytest.raises(RollbackError):
            check_growth(today, restored, [])
        rewritten = await _record(store, directory, 3, 4)
        with pytest.raises(ConsistencyError):
            check_growth(today, rewritten, await store.consistency(today.size, rewritten.size))


# --- enrolment -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point",
    [
        "01" + 31 * "00",  # the identity: one signature fits any message
        32 * "00",  # of order four
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",  # of order eight
        "ee" + 30 * "ff" + "7f",  # the identity in another spelling
    ],
)
def test_repudiation_key_at_enrolment(point: str, tmp_path: Path) -> None:
    """Under such a key its owner could show later that its signature fits another message as well."""
    ring, office = keys_of("fr-customs"), found_office(tmp_path)
    sign, *others = ring.entries()
    weak = sign.model_copy(update={"pub": encode_b64url(bytes.fromhex(point))})
    record = record_for(ring, keys=(weak, *others))
    request = request_enrolment(record, ring.signers(), federation=OFFICE_FEDERATION, now=NOW)
    with pytest.raises(WeakKeyError):
        office.challenge(request, country="FR", now=NOW)


# --- ciphertexts ---------------------------------------------------------------------------------------------------


def test_salamander_ciphertext(envelope: VerifiedEnvelope) -> None:
    """A key other than the committed one is refused even where it opens the ciphertext.

    The originator commits to one key and wraps another for this addressee, which is how one ciphertext is made to read
    'DETAIN' to one and 'no action' to another. AES-GCM itself does not notice.
    """
    hh, kek = bytes(32), random_bytes(32)
    descriptor = envelope.disclosures[0].descriptor
    committed, other = random_bytes(32), random_bytes(32)
    encryption, _ = sealing._compartment_keys(hh, "c0", descriptor.label, other)
    _, commitment = sealing._compartment_keys(hh, "c0", descriptor.label, committed)
    aad = lp("valise1 aad", hh, "c0", descriptor.label.value)
    blob = EncryptionKey(encryption).encrypt(bytes(12), pad(b"DETAIN"), aad)
    wrap = EncryptionKey(kek).encrypt(bytes(12), other, sealing._wrap_aad(hh, TO) + lp("c0"))
    lying = descriptor.model_copy(update={"kc": encode_b64url(commitment)})
    with pytest.raises(CommitmentError):
        open_compartment(hh, TO, kek, wrap, descriptor=lying, blob=blob)


# --- mutation ------------------------------------------------------------------------------------------------------


def _mutations(frame: bytes, draw: random.Random, count: int) -> list[bytes]:
    """Flip, cut, double and shuffle bytes, half of them inside the JSON head, where the structure is."""
    head = len(parse_frame(frame, max_parts=64)[0]) + 4
    made = []
    for number in range(count):
        data = bytearray(frame)
        at = draw.randrange(4, head) if number % 2 else draw.randrange(len(data))
        kind = draw.randrange(4)
        if kind == 0:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del data[at : at + draw.randrange(1, 9)]
        elif kind == 2:
            data[at:at] = data[at : at + draw.randrange(1, 9)]
        else:
            data[at] = draw.randrange(256)
        if bytes(data) != frame:
            made.append(bytes(data))
    return made


def test_random_mutation_of_every_part(directory: Directory, envelope: VerifiedEnvelope) -> None:
    """Whatever one changes in a copy or a submission, it is refused with an error of ours, or opens to the same words.

    (A change that leaves every signed word alone exists: another order of members in the unsigned head.)
    """
    draw = random.Random(20261124)
    honest = [data for _, data in BODY]
    accepted = 0
    for frame in _mutations(Copy(envelope).frame(), draw, 600):
        try:
            copy = verify_copy(frame, directory, addressee=TO, hub=HUB, federation=FEDERATION, now=NOW)
            opened = open_copy(copy, opener_of(TO))
        except ValiseError:
            continue
        accepted += 1
        assert copy.mh == envelope.mh
        assert [one.data for one in opened.values()] == honest
    assert accepted == 0
    original = full_frame(directory)
    for frame in _mutations(original, draw, 600):
        with pytest.raises(ValiseError):
            verify_submission(frame, directory, originator="fr-customs", federation=FEDERATION, now=NOW)
