"""Fuzz targets for what is published or kept in files: directory, policy, log, evidence, keystores, settings.

What is signed or encrypted cannot be made by a fuzzer, so whatever is believed must say what the samples say.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from connectors.customs.arrivals import Arrival
from connectors.kit.agency import Agency
from connectors.kit.evidence import make_evidence
from connectors.kit.register import read_register
from connectors.kit.settings import read_settings
from hub.app import running_hub
from hub.policy.duties import parse_duties
from hub.policy.engine import Schema, parse_rules
from hub.policy.facts import parse_inputs, write_inputs
from hub.policy.registry import Agreement, PartnerPolicy, parse_table, read_toml
from hub.policy.sets import PolicySet, bundle, unbundle
from hub.protocol.directory import parse_partner_record
from hub.protocol.encoding import encode_b64url
from hub.protocol.enrolment import (
    answer_challenge,
    challenge_enrolment,
    fingerprint,
    request_enrolment,
    verify_enrolment,
)
from hub.protocol.keyring import open_keyring, seal_keyring
from hub.protocol.strictjson import write_json
from hub.protocol.wire import parse_wire, write_wire
from hub.settings import HubSettings
from hub.tlog.checkpoint import cosign, parse_checkpoint, verify_checkpoint
from hub.tlog.entry import parse_entry, write_entry
from hub.tlog.note import add_signatures, parse_key, parse_note
from hub.tlog.proof import LogProof, parse_proof, verify_proof, write_proof
from hub.tlog.tiles import parse_bundle, parse_tile_path, write_bundle
from hub.verify.evidence import EvidenceFile, parse_evidence, verify_evidence
from hub.verify.metadata import parse_metadata
from hub.verify.trust import verify_directory
from tests.fuzz.target import Target, as_text, hold
from tests.support.agency import warning_draft
from tests.support.exercise import OPERATION, PARTNERS, WORD, found_exercise
from tests.support.log import AT, LOG_KEYS, WITNESSES, checkpoint_over, leaves, signed
from tests.support.office import FAST, FEDERATION, NOW, PASSPHRASE, enrol, found_office, keys_of, published, record_for
from tests.support.policy import addressee, compartments, message, shipped_files, shipped_set

CHECKPOINT: Final = checkpoint_over(leaves(5))
PROVEN: Final = leaves(2)[0]
METADATA: Final[Sequence[Callable[[bytes], object]]] = (
    lambda data: parse_metadata(Root, data),
    lambda data: parse_metadata(Timestamp, data),
    lambda data: parse_metadata(Snapshot, data),
    lambda data: parse_metadata(Targets, data),
)


# --- the log ---------------------------------------------------------------------------------------------------------


@cache
def _note() -> str:
    return add_signatures(signed(CHECKPOINT), [cosign(CHECKPOINT, *WITNESSES["classical"], at=AT)])


def _read_note(data: bytes) -> None:
    text = as_text(data)
    parse_note(text)
    checkpoint, note = parse_checkpoint(text)
    hold(checkpoint.text == note.text, "a checkpoint has two spellings")
    hold(verify_checkpoint(text, LOG_KEYS) == CHECKPOINT, "a forged checkpoint was believed")


def _read_proof(data: bytes) -> None:
    text = as_text(data)
    proof = parse_proof(text)
    hold(write_proof(proof) == text, "a proof has two spellings")
    checkpoint = verify_proof(proof, PROVEN, log_keys=LOG_KEYS)
    hold(proof.index == 0 and checkpoint is not None, "a leaf was proven into another place")


def _proof() -> bytes:
    return write_proof(LogProof(0, (leaves(2)[1],), signed(checkpoint_over(leaves(2))))).encode()


def _read_entry(data: bytes) -> None:
    hold(write_entry(*parse_entry(data)) == data, "an entry has two spellings")


def _read_tile(data: bytes) -> None:
    text = as_text(data)
    hold(parse_tile_path(text).path == text, "a tile has two names")


def _read_bundle(data: bytes) -> None:
    hold(write_bundle(parse_bundle(data)) == data, "a bundle has two spellings")


def _read_key(data: bytes) -> None:
    text = as_text(data)
    hold(parse_key(text).text == text, "a key has two spellings")


# --- directory and enrolment -----------------------------------------------------------------------------------------


@cache
def _office() -> tuple[Mapping[str, bytes], bytes]:
    with tempfile.TemporaryDirectory() as folder:
        office = found_office(Path(folder) / "exchange")
        enrol(office, "fr-customs")
        return published(office), office.anchor


def _read_directory(data: bytes) -> None:
    """The first byte chooses the published file that the others replace."""
    files, anchor = _office()
    paths = sorted(files)
    altered = {**files, paths[(data[0] if data else 0) % len(paths)]: data[1:]}
    believed = verify_directory(altered, anchor, now=NOW).directory
    whole = verify_directory(files, anchor, now=NOW).directory
    hold(believed.partners() == whole.partners(), "a forged directory was believed")


def _published() -> Sequence[bytes]:
    files, _ = _office()
    return [bytes([place]) + files[path] for place, path in enumerate(sorted(files))]


def _read_metadata(data: bytes) -> None:
    """The first byte chooses the kind."""
    METADATA[(data[0] if data else 0) % len(METADATA)](data[1:])


def _metadata() -> Sequence[bytes]:
    _, anchor = _office()
    return [b"\0" + anchor]


@dataclass(frozen=True)
class _Enrolment:
    request: bytes
    challenge: bytes
    answer: bytes
    verify: Callable[[bytes], object]
    answered: Callable[[bytes], bytes]


@cache
def _enrolment() -> _Enrolment:
    ring = keys_of("fr-customs")
    request = request_enrolment(record_for(ring), ring.signers(), federation=FEDERATION, now=NOW)
    challenge, pending = challenge_enrolment(request, federation=FEDERATION, authority="national-fr", now=NOW)

    def answered(data: bytes) -> bytes:
        return answer_challenge(request, data, ring.signers(), ring.openers())

    answer = answered(challenge)
    return _Enrolment(
        request, challenge, answer, lambda data: verify_enrolment(request, data, pending, now=NOW), answered
    )


def _read_request(data: bytes) -> None:
    fingerprint(data)
    challenge_enrolment(data, federation=FEDERATION, authority="national-fr", now=NOW)


def _read_record(data: bytes) -> None:
    record = parse_partner_record(data)
    hold(parse_partner_record(write_wire(record)) == record, "a record is not what it says")


def _record() -> bytes:
    return write_wire(record_for(keys_of("fr-customs")))


# --- keystores, settings, registers ----------------------------------------------------------------------------------


@cache
def _keystore() -> bytes:
    return seal_keyring(keys_of("fr-customs"), PASSPHRASE, cost=FAST)


def _read_keystore(data: bytes) -> None:
    ring = open_keyring(data, PASSPHRASE)
    hold(ring.keys == open_keyring(_keystore(), PASSPHRASE).keys, "an altered keystore was opened")


@cache
def _scratch() -> tuple[tempfile.TemporaryDirectory[str], Path]:
    folder = tempfile.TemporaryDirectory(prefix="valise-fuzz-")
    return folder, Path(folder.name)  # the first lives as long as the process


def _in_file(name: str, data: bytes) -> Path:
    file = _scratch()[1] / name
    file.write_bytes(data)
    return file


def _hub_settings() -> bytes:
    return b'hub = "int-hub"\nfederation = "exercise"\nport = 0\npassphrase_file = "word"\n'


def _agency_settings() -> bytes:
    return (
        b'partner = "fr-customs"\nfederation = "exercise"\nhub = "int-hub"\nhub_url = "https://hub.example"\n'
        b"poll_seconds = 1\n"
    )


def _register() -> bytes:
    return (
        write_json(
            {
                "container": "CSQU3054383",
                "outcome": "inspected-negative",
                "at": "2027-01-01T00:00:00+00:00",
                "location": "NLRTM",
                "office": "Exercise office",
            }
        )
        + b"\n"
    )


def _read_agency_settings(data: bytes) -> None:
    read_settings(_in_file("agency.toml", data).parent)


# --- policy ----------------------------------------------------------------------------------------------------------


@cache
def _small_set() -> bytes:
    """The shipped set without what is not needed, so that a mutation often hits something."""
    files = shipped_files()
    kept = {path: files[path] for path in files if path in ("VERSION", "schema.cedarschema") or path.startswith("hub/")}
    return write_json({path: encode_b64url(data) for path, data in kept.items()})


def _read_bundle_of_policies(data: bytes) -> None:
    files = unbundle(data)
    hold(unbundle(bundle(files)) == files, "a bundle is not what it says")
    PolicySet.load(files)


def _read_rules(data: bytes) -> None:
    parse_rules("fuzz.cedar", as_text(data), shipped_set().schema)


def _read_schema(data: bytes) -> None:
    Schema("fuzz.cedarschema", as_text(data))


def _read_table(data: bytes) -> None:
    """The first byte chooses the shape."""
    read_toml("fuzz.toml", data[1:])
    shape, known = ((PartnerPolicy, "code"), (Agreement, "id"))[(data[0] if data else 0) % 2]
    parse_table(shape, "fuzz.toml", data[1:], {known: "fr-customs"})


def _tables() -> Sequence[bytes]:
    files = shipped_files()
    return [b"\0" + files["partners/fr-customs/partner.toml"], b"\1" + files["agreements/eu-naples.toml"]]


def _inputs() -> bytes:
    return write_inputs("0" * 64, message(), compartments("action", "narrative"), [addressee("de-customs")])[0]


def _read_inputs(data: bytes) -> None:
    inputs = parse_inputs(data)
    hold(parse_inputs(write_wire(inputs)) == inputs, "inputs are not what they say")


# --- evidence --------------------------------------------------------------------------------------------------------


async def _deliver(folder: Path) -> tuple[bytes, bytes]:
    exercise = found_exercise(folder)
    async with running_hub(HubSettings.read(exercise.hub / "hub.toml")) as hub:
        exercise.place_agencies(hub.url)
        async with (
            Agency.open(exercise.agency("fr-customs"), passphrase=WORD) as customs,
            Agency.open(exercise.agency("de-customs"), passphrase=WORD) as other,
        ):
            now, members = int(time.time()), sorted(PARTNERS)
            opens, closes = now - 60, now + 3_600
            await customs.open_operation(
                OPERATION, title="Exercise", members=members, opens=opens, closes=closes, exercise=True
            )
            sent = await customs.send(warning_draft(operation=OPERATION), to=["de-customs"])
            await other.receive_once()
            data, _ = await make_evidence(customs.connector, sent.mh, "de-customs", anchor=exercise.anchor)
    return data, exercise.anchor


@cache
def _evidence() -> tuple[bytes, bytes]:
    """The evidence of one delivery, and the root to check it by."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_deliver(Path(folder)))


def _read_evidence(data: bytes) -> None:
    file = parse_evidence(data)
    hold(parse_wire(EvidenceFile, write_wire(file)) == file, "evidence is not what it says")
    whole, anchor = _evidence()
    hold(verify_evidence(data, anchor).mh == verify_evidence(whole, anchor).mh, "forged evidence was believed")


def _log_targets() -> Sequence[Target]:
    return (
        Target(
            "note",
            (
                "hub.tlog.note.parse_note",
                "hub.tlog.checkpoint.parse_checkpoint",
                "hub.tlog.checkpoint.verify_checkpoint",
            ),
            _read_note,
            lambda: [_note().encode()],
        ),
        Target("log-proof", ("hub.tlog.proof.parse_proof",), _read_proof, lambda: [_proof()]),
        Target("entry", ("hub.tlog.entry.parse_entry",), _read_entry, lambda: [write_entry("accept", bytes(32))]),
        Target(
            "tile", ("hub.tlog.tiles.parse_tile_path",), _read_tile, lambda: [b"tile/0/x001/234.p/7", b"tile/1/000"]
        ),
        Target("entry-bundle", ("hub.tlog.tiles.parse_bundle",), _read_bundle, lambda: [write_bundle([b"a", b""])]),
        Target("log-key", ("hub.tlog.note.parse_key",), _read_key, lambda: [LOG_KEYS[0].text.encode()]),
    )


def _directory_targets() -> Sequence[Target]:
    return (
        Target("directory", ("hub.verify.trust.verify_directory",), _read_directory, _published),
        Target("metadata", ("hub.verify.metadata.parse_metadata",), _read_metadata, _metadata),
        Target("record", ("hub.protocol.directory.parse_partner_record",), _read_record, lambda: [_record()]),
        Target(
            "enrolment-request",
            ("hub.protocol.enrolment.challenge_enrolment",),
            _read_request,
            lambda: [_enrolment().request],
        ),
        Target(
            "enrolment-challenge",
            ("hub.protocol.enrolment.answer_challenge",),
            lambda data: _enrolment().answered(data),
            lambda: [_enrolment().challenge],
        ),
        Target(
            "enrolment-answer",
            ("hub.protocol.enrolment.verify_enrolment",),
            lambda data: _enrolment().verify(data),
            lambda: [_enrolment().answer],
        ),
    )


def _policy_targets() -> Sequence[Target]:
    return (
        Target(
            "policy-set",
            ("hub.policy.sets.unbundle", "hub.policy.sets.PolicySet.load"),
            _read_bundle_of_policies,
            lambda: [_small_set()],
        ),
        Target(
            "rules",
            ("hub.policy.engine.parse_rules",),
            _read_rules,
            lambda: [shipped_files()["partners/fr-customs/outbound.cedar"]],
        ),
        Target("schema", ("hub.policy.engine.Schema",), _read_schema, lambda: [shipped_files()["schema.cedarschema"]]),
        Target(
            "policy-table", ("hub.policy.registry.parse_table", "hub.policy.registry.read_toml"), _read_table, _tables
        ),
        Target(
            "duties",
            ("hub.policy.duties.parse_duties",),
            lambda data: parse_duties(as_text(data)),
            lambda: [b"retention-days:90; caveat:no-attribution", b"mask:name:initials; answer:hit-only"],
        ),
        Target("policy-inputs", ("hub.policy.facts.parse_inputs",), _read_inputs, lambda: [_inputs()]),
    )


def targets() -> Sequence[Target]:
    """Return the targets of this module."""
    return (
        *_log_targets(),
        *_directory_targets(),
        *_policy_targets(),
        Target("keystore", ("hub.protocol.keyring.open_keyring",), _read_keystore, lambda: [_keystore()]),
        Target(
            "hub-settings",
            ("hub.settings.HubSettings.read",),
            lambda data: HubSettings.read(_in_file("hub.toml", data)),
            lambda: [_hub_settings()],
        ),
        Target(
            "agency-settings",
            ("connectors.kit.settings.read_settings",),
            _read_agency_settings,
            lambda: [_agency_settings()],
        ),
        Target(
            "register",
            ("connectors.kit.register.read_register",),
            lambda data: read_register(_in_file("register.jsonl", data), Arrival),
            lambda: [_register()],
        ),
        Target(
            "evidence",
            ("hub.verify.evidence.parse_evidence", "hub.verify.evidence.verify_evidence"),
            _read_evidence,
            lambda: [_evidence()[0]],
        ),
    )
