"""The accounting checker finds each planted loss, repetition and forgery, and nothing in honest books."""

from dataclasses import replace
from typing import Final

import pytest

from tests.faults.accounting import AgencyBook, Entry, Got, HubBook, Message, Sent, account

ROOTS: Final = {3: b"three", 7: b"seven"}
ENTRIES: Final = (
    Entry(0, "accept", None),
    Entry(1, "decision", "b"),
    Entry(2, "decision", "c"),
    Entry(6, "receipt", "b", state="opened"),
)
FIRST: Final = Message("m1", "a", ENTRIES, (("b", "opened"), ("c", "waiting")))
SECOND: Final = Message(
    "m2",
    "a",
    (Entry(3, "accept", None), Entry(4, "decision", "b"), Entry(5, "decision", "c")),
    (("b", "withheld"), ("c", "collected")),
)
HUB: Final = HubBook((FIRST, SECOND), {"b": (), "c": ("m1",)}, 7, ROOTS)
SENT: Final = (
    Sent("1", "accepted", None, "m1", (("b", "opened"),)),
    Sent("2", "accepted", None, "m2"),
    Sent("3", "waiting", None, None),
    Sent("4", "refused", "exchange/denied", "m4"),
)
A: Final = AgencyBook("a", sent=SENT, checkpoints=((3, b"three"), (7, b"seven")))
B: Final = AgencyBook("b", got=(Got("m1", "opened"),))
C: Final = AgencyBook("c", got=(Got(None, "refused", "seal/not-openable"),))
HANDED: Final = {"a": ["1", "2", "3", "4"]}


def test_honest_books_balance() -> None:
    result = account(HANDED, [A, B, C], HUB)
    assert result.problems == []
    assert result.counts["lost"] == 0
    assert {name: result.counts[name] for name in ("handed over", "accepted", "pending", "refused")} == {
        "handed over": 4,
        "accepted": 2,
        "pending": 1,
        "refused": 1,
    }
    assert str(result).endswith("lost=0, problems=0")


def _entries(*entries: Entry) -> HubBook:
    return replace(HUB, messages=(replace(FIRST, entries=entries), SECOND))


def _deliveries(*rows: tuple[str, str]) -> HubBook:
    return replace(HUB, messages=(replace(FIRST, deliveries=rows), SECOND))


PLANTED: Final[dict[str, tuple[AgencyBook, AgencyBook, HubBook, str]]] = {
    "gone from the outbox": (replace(A, sent=SENT[1:]), B, HUB, "gone from its outbox"),
    "acknowledged and not kept": (A, B, replace(HUB, messages=(FIRST,)), "the hub does not know it"),
    "kept twice by the hub": (A, B, replace(HUB, messages=(FIRST, FIRST, SECOND)), "a message twice"),
    "in the outbox twice": (replace(A, sent=(*SENT, SENT[0])), B, HUB, "in the outbox twice"),
    "refused without a code": (replace(A, sent=(*SENT[:3], replace(SENT[3], code=None))), B, HUB, "without a code"),
    "refused and accepted": (replace(A, sent=(*SENT[:3], replace(SENT[3], mh="m2"))), B, HUB, "accepted by the hub"),
    "invented by the hub": (replace(A, sent=SENT[:1]), B, HUB, "never sealed it"),
    "copy lost by the hub": (A, B, replace(HUB, mailboxes={"c": ()}), "its mailbox holds 0"),
    "copy kept after delivery": (A, B, replace(HUB, mailboxes={"c": ("m1", "m2")}), "still in its mailbox"),
    "withheld and waiting": (A, B, replace(HUB, mailboxes={"b": ("m2",), "c": ("m1",)}), "still in its mailbox"),
    "copy waits twice": (A, B, replace(HUB, mailboxes={"c": ("m1", "m1")}), "2 times"),
    "copy of nothing waits": (A, B, replace(HUB, mailboxes={"c": ("m1", "m9")}), "was never accepted"),
    "copy for a stranger waits": (A, B, replace(HUB, mailboxes={"c": ("m1",), "d": ("m1",)}), "nothing was decided"),
    "confirmed and not kept": (A, replace(B, got=()), HUB, "does not have it"),
    "delivered twice": (A, replace(B, got=(Got("m1", "opened"), Got("m1", "opened"))), HUB, "2 times"),
    "delivered and never accepted": (A, replace(B, got=(*B.got, Got("m9", "opened"))), HUB, "never accepted"),
    "delivered though withheld": (A, replace(B, got=(*B.got, Got("m2", "opened"))), HUB, "withheld for b"),
    "opened by receipt only": (A, replace(B, got=(Got("m1", "refused", "x/y"),)), HUB, "has it as refused"),
    "a copy refused silently": (A, replace(B, got=(*B.got, Got(None, "refused"))), HUB, "refused without a code"),
    "no accept recorded": (A, B, _entries(*ENTRIES[1:]), "0 accepts"),
    "no decision recorded": (A, B, _entries(ENTRIES[0], *ENTRIES[2:]), "no decision about b"),
    "no receipt recorded": (A, B, _entries(*ENTRIES[:3]), "no receipt in the record"),
    "expired without a record": (A, B, _deliveries(("b", "opened"), ("c", "expired")), "without a record"),
    "not in the log": (A, B, _entries(replace(ENTRIES[0], is_logged=False), *ENTRIES[1:]), "not in the log"),
    "two entries in one place": (A, B, _entries(*ENTRIES[:3], replace(ENTRIES[3], index=5)), "place 5"),
    "beyond the log": (A, B, replace(HUB, size=6, roots={3: b"three"}), "beyond the log's 6"),
    "a forged receipt": (
        replace(A, sent=(replace(SENT[0], receipts=(("c", "opened"),)), *SENT[1:])),
        B,
        HUB,
        "did not record",
    ),
    "a log rewritten": (A, B, replace(HUB, roots={**ROOTS, 3: b"other"}), "another log of 3"),
    "a log cut short": (replace(A, checkpoints=((9, b"nine"),)), B, HUB, "a log of 9 entries"),
    "an alarm": (replace(A, alarms=1), B, HUB, "contradict"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str) -> None:
    a, b, hub, words = PLANTED[name]
    result = account(HANDED, [a, b, C], hub)
    assert [problem for problem in result.problems if words in problem], result.problems


@pytest.mark.parametrize("name", ["gone from the outbox", "acknowledged and not kept", "copy lost by the hub"])
def test_what_is_lost_is_counted(name: str) -> None:
    a, b, hub, _ = PLANTED[name]
    assert account(HANDED, [a, b, C], hub).counts["lost"] == 1
