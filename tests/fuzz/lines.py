"""Fuzz targets for what comes over a line: answers as a connector reads them, words of callers as a hub does."""

from collections.abc import Coroutine, Sequence
from typing import Any, Final

from connectors.kit.client import HubClient
from hub.api.mailbox import read_mark, write_mark
from hub.protocol.encoding import lp
from hub.protocol.errors import JsonError
from hub.protocol.hazmat import end_of_certificate
from hub.protocol.keyring import cost_of
from hub.protocol.strictjson import check_json, parse_json, write_json
from tests.fuzz.target import Target, as_text, hold
from tests.support.exchange import FEDERATION, HUB, NOW, signer_of

PARTNER: Final = "fr-customs"
_PEM: Final = (
    b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"  # no certificate inside: none is made here
)


class _Answered(HubClient):
    """A client whose line gives the bytes that it was made with."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(
            "http://127.0.0.1:1",
            federation=FEDERATION,
            partner=PARTNER,
            hub=HUB,
            signer=lambda: signer_of(PARTNER),
            clock=lambda: NOW,
        )
        self._answer: Final = answer

    async def _exchange(self, *_given: Any, **_named: Any) -> bytes:
        return self._answer


def _result(trip: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine returns that waits for nothing."""
    try:
        trip.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


def _read_answer(data: bytes) -> None:
    """The first byte chooses the question."""
    client, body = _Answered(data[1:]), data[1:]
    chosen = (data[0] if data else 0) % 4
    if chosen == 0:
        hold(all(piece.data in body for piece in _result(client.collect(wait=0))), "a piece that nobody sent")
    elif chosen == 1:
        _result(client.consistency(1, 2))
    elif chosen == 2:
        _result(client.sent())
    else:
        _result(client.matrix("A" * 43))


def _answers() -> Sequence[bytes]:
    head = write_json({"items": [{"seq": 1, "kind": "copy"}, {"seq": 2, "kind": "receipt"}]})
    return [b"\0" + lp(head, b"copy", b"receipt"), b"\1" + write_json({"path": ["A" * 43]})]


def _read_mark(data: bytes) -> None:
    mark = read_mark(as_text(data))
    hold(read_mark(write_mark(mark)) == mark, "a mark is not what it says")


def _read_cost(data: bytes) -> None:
    hold(cost_of(data).memory_kib <= 256 * 1024, "a keystore may take the machine's memory")


def _keystore() -> bytes:
    box = {"salt": "A" * 22, "nonce": "A" * 16, "box": "AAAA"}
    return write_json({"partner": PARTNER, "cost": {"memory_kib": 8, "passes": 1}, **box})


def _read_checked_json(data: bytes) -> None:
    """Whatever `parse_json` takes, `check_json` takes, too; they differ in depth alone."""
    check_json(data)
    try:
        parse_json(data)
    except JsonError as error:
        hold(error.detail == "too deep", "strict JSON is read in two ways")


def targets() -> Sequence[Target]:
    """Return the targets of this module."""
    return (
        Target("answer", ("connectors.kit.client.HubClient.collect",), _read_answer, _answers),
        Target("mailbox-mark", ("hub.api.mailbox.read_mark",), _read_mark, lambda: [b"0.0", b"12.345678"]),
        Target("keystore-cost", ("hub.protocol.keyring.cost_of",), _read_cost, lambda: [_keystore()]),
        Target(
            "checked-json",
            ("hub.protocol.strictjson.check_json",),
            _read_checked_json,
            lambda: [b'{"a":[[1],"\\u00e9"]}'],
        ),
        Target(
            "certificate",
            ("hub.protocol.hazmat.end_of_certificate",),
            end_of_certificate,
            lambda: [_PEM],
            refused="setup/invalid",
        ),
    )
