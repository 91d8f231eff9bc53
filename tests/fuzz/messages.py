"""Fuzz targets for what crosses the wire as a message, a statement or a receipt, and for what is inside a message.

Nothing that a fuzzer makes is signed, so whatever a `verify_*` accepts must be one of the samples in all that counts.
"""

import json
from collections.abc import Sequence
from functools import cache
from typing import Final

from connectors.kit.at_rest import put_away, take_out
from connectors.kit.client import parse_proven
from hub.protocol import interface
from hub.protocol.audience import parse_leaf, write_leaf
from hub.protocol.content import parse_draft
from hub.protocol.content.compartments import parse_compartment, write_compartment
from hub.protocol.content.shape import parse_content, write_content
from hub.protocol.content.warning import Action
from hub.protocol.copy import verify_copy
from hub.protocol.encoding import decode_b64url, encode_b64url, lp, parse_frame
from hub.protocol.envelope import Proven, parse_copy, parse_submission
from hub.protocol.jws import parse_jws, verify_jws
from hub.protocol.manifest import parse_disclosure, parse_manifest
from hub.protocol.marks import parse_marks
from hub.protocol.operation import verify_operation
from hub.protocol.receipt import RECEIPT_TYP, parse_receipt, verify_receipt
from hub.protocol.session import SessionDesk, SessionKey, make_assertion
from hub.protocol.statements import DECISION_TYP, verify_statement
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.submission import verify_submission
from hub.protocol.subscription import verify_subscription
from hub.protocol.vocabulary import Label, MessageKind
from hub.protocol.wire import Wire, parse_wire, write_wire
from tests.fuzz.target import Target, as_text, hold
from tests.support.agency import keyring_of, warning_draft
from tests.support.content import BODY
from tests.support.exchange import (
    FEDERATION,
    HUB,
    NOW,
    make_directory,
    operation,
    receipt,
    seal_warning,
    signer_of,
    subscription,
    verified,
)
from tests.support.tampering import Copy
from tests.support.vectors import ADDRESSEE, ORIGINATOR

DIRECTORY: Final = make_directory()
URL: Final = "http://127.0.0.1:8420/v1/session"
KINDS: Final = tuple(MessageKind)
SHAPES: Final = tuple(
    sorted((one for one in vars(interface).values() if isinstance(one, type) and issubclass(one, Wire)), key=repr)
)


@cache
def frame() -> bytes:
    """A warning as it is uploaded."""
    return seal_warning(DIRECTORY, to={ADDRESSEE: [0, 1, 2, 3], "de-police": [0]}, seq=1, compartments=BODY)


@cache
def copy_frame() -> bytes:
    """The same as it is delivered."""
    return Copy(verified(DIRECTORY, frame())).frame()


@cache
def proven() -> bytes:
    """A decision with its way to the hub's signature."""
    return Copy(verified(DIRECTORY, frame())).proven[0]


def _read_json(data: bytes) -> None:
    value = parse_json(data)
    hold(parse_json(write_json(value)) == value, "JSON is read otherwise than it is written")
    hold(json.loads(data) == value, "strict JSON differs from JSON")


def _read_frame(data: bytes) -> None:
    hold(lp(*parse_frame(data, max_parts=64)) == data, "a frame has two spellings")


def _read_b64url(data: bytes) -> None:
    text = as_text(data)
    hold(encode_b64url(decode_b64url(text)) == text, "base64url has two spellings")


def _read_submission(data: bytes) -> None:
    parse_submission(data)
    envelope = verify_submission(data, DIRECTORY, originator=ORIGINATOR, federation=FEDERATION, now=NOW)
    hold(envelope.mh == verified(DIRECTORY, frame()).mh, "a forged submission was believed")


def _read_copy(data: bytes) -> None:
    parse_copy(data)
    copy = verify_copy(data, DIRECTORY, addressee=ADDRESSEE, hub=HUB, federation=FEDERATION, now=NOW)
    hold(copy.leaf.to == ADDRESSEE, "a copy for another was believed")


def _read_manifest(data: bytes) -> None:
    text = as_text(data)
    manifest, jws = parse_manifest(text)
    hold(jws.text == text, "another text was parsed")
    hold(parse_wire(type(manifest), write_wire(manifest)) == manifest, "a manifest is not what it says")


def _read_jws(data: bytes) -> None:
    jws = parse_jws(as_text(data), typ=RECEIPT_TYP)
    hold(encode_b64url(jws.payload) == jws.payload_segment, "a payload has two spellings")
    key = signer_of(ADDRESSEE).key
    verify_jws(jws, alg=key.alg, public=key.public)
    hold(jws.text in {one.decode() for one in _receipts()}, "a forged signature was believed")


@cache
def _receipts() -> Sequence[bytes]:
    return [receipt(DIRECTORY, "A" * 43, iss=ADDRESSEE, number=number).jws.encode() for number in (1, 2)]


def _read_receipt(data: bytes) -> None:
    unbelieved = parse_receipt(as_text(data))
    verified = verify_receipt(as_text(data), DIRECTORY, now=NOW)
    hold(verified.jws.encode() in _receipts(), "a forged receipt")
    hold(verified.receipt == unbelieved, "it says something else once it is believed")


@cache
def _operation() -> bytes:
    return operation(DIRECTORY).jws.encode()


@cache
def _subscription() -> bytes:
    return subscription(DIRECTORY).jws.encode()


def _read_operation(data: bytes) -> None:
    hold(verify_operation(as_text(data), DIRECTORY, now=NOW).jws.encode() == _operation(), "a forged operation")


def _read_subscription(data: bytes) -> None:
    hold(verify_subscription(as_text(data), DIRECTORY, now=NOW).jws.encode() == _subscription(), "a forgery")


def _read_proven(data: bytes) -> None:
    believed = verify_statement(parse_proven(data), DIRECTORY, typ=DECISION_TYP, now=NOW)
    hold(encode_b64url(believed.payload) == parse_wire(Proven, proven()).p, "a forged statement was believed")


def _read_marks(data: bytes) -> None:
    marks = parse_marks(parse_json(data))
    hold(parse_marks(parse_json(write_wire(marks))) == marks, "marks have two spellings")


def _read_compartment(data: bytes) -> None:
    """The first byte chooses label and kind."""
    labels = tuple(Label)
    chosen = data[0] if data else 0
    content = parse_compartment(labels[chosen % len(labels)], KINDS[chosen // len(labels) % len(KINDS)], data[1:])
    label, kind = labels[chosen % len(labels)], KINDS[chosen // len(labels) % len(KINDS)]
    hold(parse_compartment(label, kind, write_compartment(content)) == content, "content is not what it says")


def _compartments() -> Sequence[bytes]:
    labels = tuple(Label)
    kind = KINDS.index(MessageKind.WARNING)
    return [bytes([labels.index(label) + kind * len(labels)]) + data for label, data in BODY]


def _read_content(data: bytes) -> None:
    content = parse_content(Action, data)
    hold(parse_content(Action, write_content(content)) == content, "content is not what it says")


def _read_draft(data: bytes) -> None:
    draft = parse_draft(data)
    draft.body()
    draft.facets()


def _read_session(data: bytes) -> None:
    """Assertion and proof, on a line of their own each: nothing but the sample logs in, and no token is made up."""
    assertion, _, proof = as_text(data).partition("\n")
    desk = SessionDesk(hub=HUB)
    token = desk.log_in(assertion, proof, url=URL, body=b"", directory=DIRECTORY, now=NOW)
    hold(token, "no token")
    hold(assertion.encode() == _session().partition(b"\n")[0], "a forged assertion was believed")


def _read_token(data: bytes) -> None:
    """Token and proof, on a line of their own each; the desk's secret is fresh, so none is ever believed."""
    token, _, proof = as_text(data).partition("\n")
    SessionDesk(hub=HUB).check(token, proof, method="POST", url=URL, now=NOW)
    hold(condition=False, what="a token of another desk was believed")


@cache
def _session() -> bytes:
    key = SessionKey()
    made = make_assertion(
        federation=FEDERATION,
        partner=ORIGINATOR,
        hub=HUB,
        thumbprint=key.thumbprint,
        signer=signer_of(ORIGINATOR),
        now=NOW,
    )
    return f"{made}\n{key.prove(method='POST', url=URL, body=b'', token=None, now=NOW)}".encode()


def _token() -> bytes:
    assertion, _, proof = _session().decode().partition("\n")
    token = SessionDesk(hub=HUB).log_in(assertion, proof, url=URL, body=b"", directory=DIRECTORY, now=NOW)
    return f"{token}\n{SessionKey().prove(method='POST', url=URL, body=b'', token=token, now=NOW)}".encode()


def _read_interface(data: bytes) -> None:
    """The first byte chooses one of the interface's shapes."""
    shape = SHAPES[(data[0] if data else 0) % len(SHAPES)]
    value = parse_wire(shape, data[1:])
    hold(parse_wire(shape, write_wire(value)) == value, f"{shape.__name__} is read otherwise than it is written")
    hold(parse_wire(shape, write_json(parse_json(data[1:]))) == value, f"{shape.__name__} is read in two ways")


def _interface() -> Sequence[bytes]:
    samples = {
        "Collected": {"seqs": [1, 2]},
        "HubFacts": {"v": 1, "hub": HUB, "federation": FEDERATION, "protocol": "valise/1", "time": NOW},
        "Token": {"access_token": "x", "token_type": "DPoP", "expires_in": 300},
    }
    names = [shape.__name__ for shape in SHAPES]
    return [bytes([names.index(name)]) + write_json(value) for name, value in samples.items() if name in names]


def _read_put_away(data: bytes) -> None:
    hold(take_out(data, keyring_of(ORIGINATOR)) == b"draft", "an altered draft was opened")


def _put_away() -> bytes:
    return put_away(b"draft", next(key for key in keyring_of(ORIGINATOR).entries() if key.use == "open"))


def _leaves() -> Sequence[bytes]:
    slots = parse_json(parse_frame(frame(), max_parts=33)[0])["a"]
    return [decode_b64url(slot["l"]) for slot in slots if "k" in slot]  # the others are fill, pure chance


def _read_leaf(data: bytes) -> None:
    hold(parse_leaf(write_leaf(parse_leaf(data).model_dump(mode="json"))) == parse_leaf(data), "a leaf changes")


def _manifest() -> bytes:
    return str(parse_json(parse_frame(frame(), max_parts=33)[0])["m"]).encode()


def _disclosures() -> Sequence[bytes]:
    return [str(text).encode() for text in parse_json(parse_frame(frame(), max_parts=33)[0])["d"]]


def targets() -> Sequence[Target]:
    """Return the targets of this module."""
    protocol = "hub.protocol"
    return (
        Target("json", (f"{protocol}.strictjson.parse_json",), _read_json, lambda: [write_json({"a": [1, None, "é"]})]),
        Target("frame", (f"{protocol}.encoding.parse_frame",), _read_frame, lambda: [lp(b"a", b"", b"bc")]),
        Target("base64url", (f"{protocol}.encoding.decode_b64url",), _read_b64url, lambda: [b"AAEC-_8"]),
        Target(
            "submission",
            (f"{protocol}.envelope.parse_submission", f"{protocol}.submission.verify_submission"),
            _read_submission,
            lambda: [frame()],
        ),
        Target(
            "copy",
            (f"{protocol}.envelope.parse_copy", f"{protocol}.copy.verify_copy"),
            _read_copy,
            lambda: [copy_frame()],
        ),
        Target("manifest", (f"{protocol}.manifest.parse_manifest",), _read_manifest, lambda: [_manifest()]),
        Target(
            "disclosure",
            (f"{protocol}.manifest.parse_disclosure",),
            lambda data: parse_disclosure(as_text(data)),
            _disclosures,
        ),
        Target("leaf", (f"{protocol}.audience.parse_leaf",), _read_leaf, _leaves),
        Target("jws", (f"{protocol}.jws.parse_jws", f"{protocol}.jws.verify_jws"), _read_jws, _receipts),
        Target(
            "receipt",
            (f"{protocol}.receipt.parse_receipt", f"{protocol}.receipt.verify_receipt"),
            _read_receipt,
            _receipts,
        ),
        Target("operation", (f"{protocol}.operation.verify_operation",), _read_operation, lambda: [_operation()]),
        Target(
            "subscription",
            (f"{protocol}.subscription.verify_subscription",),
            _read_subscription,
            lambda: [_subscription()],
        ),
        Target(
            "statement",
            ("connectors.kit.client.parse_proven", f"{protocol}.statements.verify_statement"),
            _read_proven,
            lambda: [proven()],
        ),
        Target(
            "marks",
            (f"{protocol}.marks.parse_marks",),
            _read_marks,
            lambda: [write_json({"tlp": "AMBER", "codes": ["H2"], "eval": "B2"})],
        ),
        Target(
            "compartment", (f"{protocol}.content.compartments.parse_compartment",), _read_compartment, _compartments
        ),
        Target("content", (f"{protocol}.content.shape.parse_content",), _read_content, lambda: [BODY[0][1]]),
        Target(
            "draft",
            (f"{protocol}.content.drafts.parse_draft",),
            _read_draft,
            lambda: [write_content(warning_draft())],
        ),
        Target("session", (f"{protocol}.session.SessionDesk.log_in",), _read_session, lambda: [_session()]),
        Target(
            "token",
            (f"{protocol}.session.SessionDesk.check",),
            _read_token,
            lambda: [_token()],
            refused="exchange/unauthenticated",
        ),
        Target("interface", (f"{protocol}.wire.parse_wire",), _read_interface, _interface),
        Target("draft-at-rest", ("connectors.kit.at_rest.take_out",), _read_put_away, lambda: [_put_away()]),
    )
