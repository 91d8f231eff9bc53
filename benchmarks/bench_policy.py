"""How long policy takes for one broadcast: 70 and 30 addressees, six compartments, the shipped rules.

    python benchmarks/bench_policy.py [messages]

More partners than the shipped set has are copies of its own with other codes. Beside the time per message stands the
ratio to plain Cedar in the same run: one `is_authorized_batch` over every cell with the whole slice, no explanation, no
duties, no records. *Cold* is the first message of its view (offence, marks, operation ...), the memory being emptied
before each; *warm* is the next that rules cannot tell from it, a second later.
"""

import sys
import time
from itertools import cycle, islice
from pathlib import Path
from statistics import quantiles
from typing import Final

import cedarpy

from hub.policy.decide import decide
from hub.policy.engine import Compiled
from hub.policy.entities import candidate, candidate_entity, message_entities
from hub.policy.facts import AddresseeFacts, CompartmentFacts, MessageFacts
from hub.policy.sets import PolicySet
from hub.protocol.marks import HandlingCode, Tlp
from hub.protocol.vocabulary import Basis, Label, MessageKind, Offence, Priority, Purpose, Status, Verb

POLICIES: Final = Path(__file__).resolve().parents[1] / "policies"
LABELS: Final = ("action", "consignment", "conveyance", "identity", "company", "narrative")
START: Final = 1_798_761_600  # 2027-01-01, Unix seconds
MESSAGES: Final = 60
ORIGINATOR: Final = "fr-customs"


def load(partners: int) -> PolicySet:
    """Return the shipped set with at least so many partners beside the originator."""
    files = {path.relative_to(POLICIES).as_posix(): path.read_bytes() for path in POLICIES.rglob("*") if path.is_file()}
    codes = sorted(path.split("/")[1] for path in files if path.endswith("partner.toml"))
    copies = cycle(code for code in codes if code != ORIGINATOR)
    for number, code in enumerate(islice(copies, max(0, partners + 1 - len(codes)))):
        files[f"partners/{code}-{number}/partner.toml"] = files[f"partners/{code}/partner.toml"]
    return PolicySet.load(files)


def message(at: int) -> MessageFacts:
    """Return a French exercise warning."""
    return MessageFacts(
        originator=ORIGINATOR,
        mt=MessageKind.WARNING,
        verb=Verb.ALERT,
        status=Status.EXERCISE,
        tlp=Tlp.AMBER,
        codes=(HandlingCode.H2,),
        caveats=(),
        retain=7_776_000,
        purpose=Purpose.CUSTOMS_CONTROL,
        offence=Offence.FIREARMS,
        basis=Basis.OPERATION_PLAN,
        priority=Priority.ROUTINE,
        topics=("hs:93", "mode:air"),
        operation="exercise-lantern",
        operation_open=True,
        originator_member=True,
        operation_exercise=True,
        relayed=False,
        at=at,
    )


def plain_cedar(policies: PolicySet, addressees: list[AddresseeFacts], at: int) -> float:
    """Return the milliseconds that plain Cedar takes for the release of every cell; parsing is not counted."""
    origin = policies.partners[ORIGINATOR]
    entities = [
        candidate_entity(
            f"{to.partner}/{agreement}", candidate(to, policies.partners[to.partner], origin, agreement, ())
        )
        for to in addressees
        for agreement in policies.agreements_between(ORIGINATOR, to.partner) or (None,)
    ]
    labels = [Label(label) for label in LABELS]
    store = policies.store.plus([*entities, *message_entities(message(at), labels)])
    rules = Compiled(tuple(policies.release_slice(ORIGINATOR).rules.values()))
    action = {"type": "Action", "id": "release"}
    requests = [
        {"principal": entity["uid"], "action": action, "resource": {"type": "Compartment", "id": label}}
        for entity in entities
        for label in labels
    ]
    begin = time.perf_counter()
    cedarpy.is_authorized_batch(requests, rules.handle, store._entities)  # noqa: SLF001 - the engine itself is measured
    return (time.perf_counter() - begin) * 1e3


def measure(partners: int, messages: int) -> None:
    begin = time.perf_counter()
    policies = load(partners)
    loaded = (time.perf_counter() - begin) * 1e3
    codes = [code for code in policies.partners if code != ORIGINATOR][:partners]
    addressees = [AddresseeFacts(partner=code, named=False, member=True, suspended=False) for code in codes]
    compartments = [CompartmentFacts(cid=f"c{place}", label=Label(label)) for place, label in enumerate(LABELS)]
    decide(policies, message(START), compartments, addressees)  # slices are built at the first message
    times: dict[str, list[float]] = {"cold": [], "warm": []}
    plain = []
    for number in range(messages):
        policies.memory.forget()
        for way, at in (("cold", START + 2 * number), ("warm", START + 2 * number + 1)):
            facts = message(at)
            begin = time.perf_counter()
            decide(policies, facts, compartments, addressees)
            times[way].append((time.perf_counter() - begin) * 1e3)
        if number % 10 == 0:
            plain.append(plain_cedar(policies, addressees, START + number))
    cells = partners * len(LABELS)
    for way, found in times.items():
        cuts = quantiles(found, n=100)
        print(
            f"{partners} x {len(LABELS)} {way}: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms, "
            f"{cuts[49] * 1e3 / cells:.2f} us a decision, {cuts[49] / min(plain):.2f} of plain Cedar "
            f"({min(plain):.1f} ms); loading the set {loaded:.0f} ms"
        )


if __name__ == "__main__":
    for size in (30, 70):
        measure(size, int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES)
