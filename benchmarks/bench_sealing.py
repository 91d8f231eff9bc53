"""What one broadcast costs: sealing it, opening one copy, taking it in and releasing it, six compartments to 200.

    python -m benchmarks.bench_sealing [ROUNDS]

Sealing is measured beside its own 200 hybrid HPKE operations, in turns, so the ratio is of one machine at one time.
Not for: the store (`bench_store.py`) and the log (`bench_log.py`).
"""

import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from statistics import median
from typing import Any, Final

from benchmarks.bench_policy import load
from hub.broker.exchange import Exchange
from hub.broker.submit import decide_all
from hub.protocol.copy import open_copy, verify_copy
from hub.protocol.directory import Directory
from hub.protocol.encoding import decode_b64url
from hub.protocol.envelope import write_copy
from hub.protocol.hazmat import SealingKey, random_bytes
from hub.protocol.marks import Marks
from hub.protocol.sealing import Addressee, Compartment, Mapper, kek_info, seal, seal_kek
from hub.protocol.statements import ACCEPT_TYP, DECISION_TYP, Batch
from hub.protocol.strictjson import write_json
from hub.protocol.submission import VerifiedEnvelope
from hub.protocol.vocabulary import Basis, Label, MessageKind, Offence, Priority, Purpose, Status, Verb
from tests.support.agency import keyring_of
from tests.support.content import ACTION, COMPANY, CONSIGNMENT, NARRATIVE
from tests.support.exchange import (
    FEDERATION,
    HUB,
    NOW,
    decide,
    make_directory,
    message_id,
    operation,
    sign_as_hub,
    signer_of,
    verified,
)
from tests.support.memory_store import MemoryStore

ADDRESSEES: Final = 200
ROUNDS: Final = 9
PROCESSES: Final = 2
CHUNK: Final = 16  # operations that a process takes at a time, as the connector has it
ORIGINATOR: Final = "fr-customs"
BODY: Final[Mapping[Label, object]] = {
    Label.ACTION: ACTION,
    Label.CONSIGNMENT: CONSIGNMENT,
    Label.CONVEYANCE: {"vehicles": [{"mode": "sea", "name": "EXERCISE", "imo": "9074729"}]},
    Label.IDENTITY: {"persons": [{"role": "courier", "reason": "Exercise.", "surname": "LAMPWICK"}]},
    Label.COMPANY: COMPANY,
    Label.NARRATIVE: NARRATIVE,
}
HEADER: Final[dict[str, Any]] = {
    "fed": FEDERATION,
    "iss": ORIGINATOR,
    "jti": message_id(1),
    "seq": 1,
    "prev": None,
    "iat": NOW,
    "exp": NOW + 86_400,
    "mt": MessageKind.WARNING,
    "verb": Verb.ALERT,
    "thread": message_id(1),
    "irt": None,
    "refs": (),
    "op": "exercise-lantern",
    "purpose": Purpose.CUSTOMS_CONTROL,
    "offence": Offence.FIREARMS,
    "basis": Basis.OPERATION_PLAN,
    "pri": Priority.ROUTINE,
    "status": Status.EXERCISE,
    "topics": (),
    "marks": Marks.model_validate({"tlp": "AMBER"}, strict=False),
    "rk": None,
}
PARTS: Final = [Compartment(label, "application/json", write_json(content)) for label, content in BODY.items()]

Job = tuple[bytes, bytes, bytes]


def load_and_seal(job: Job) -> bytes:
    """Seal one KEK as to a partner that was never written to before: its public key is loaded first."""
    public, kek, info = job
    return SealingKey(public).seal(kek, info)


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def addressees_in(directory: Directory, codes: Iterable[str]) -> list[Addressee]:
    keys = [(code, directory.opening_key(code, at=NOW)) for code in codes]
    every = frozenset(range(len(PARTS)))
    return [Addressee(code, "operation", key.kid, decode_b64url(key.pub), 1, every) for code, key in keys]


def compare(name: str, addressees: list[Addressee], rounds: int, operate: Callable[[Job], bytes], run: Mapper) -> None:
    """Seal, and do the HPKE operations alone, in turns."""
    jobs = [(one.public, random_bytes(32), kek_info(bytes(32), one.partner, one.kid)) for one in addressees]

    def whole() -> None:
        seal(HEADER, PARTS, addressees, signer=signer_of(ORIGINATOR), run=lambda _, given: run(operate, given))

    def alone() -> None:
        list(run(operate, jobs))

    for work in (whole, alone):
        work()
    pairs = [(milliseconds(whole), milliseconds(alone)) for _ in range(rounds)]
    sealed, operations = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    print(f"{name:<34}{sealed:>9.1f} ms{operations:>9.1f} ms{ratio:>7.2f}  target 1.30")


def show(name: str, value: float, target: str = "") -> None:
    print(f"{name:<46}{value:>9.3f} ms  {target}")


def sealing(addressees: list[Addressee], rounds: int) -> None:
    print(f"{'seal to ' + str(len(addressees)):<34}{'seal':>12}{'HPKE alone':>12}{'ratio':>7}")
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        pooled: Mapper = partial(pool.map, chunksize=CHUNK)
        for place, run in (("one process", map), (f"{PROCESSES} processes", pooled)):
            compare(f"{place}, keys known", addressees, rounds, seal_kek, run)
            compare(f"{place}, keys loaded each time", addressees, rounds, load_and_seal, run)


def opening(directory: Directory, envelope: VerifiedEnvelope, rounds: int) -> None:
    _, copies = decide(envelope)
    copy = copies[0]
    opener = keyring_of(copy.to).opener(f"{copy.to}#e1")
    frame = frames(envelope)[0]

    def once() -> None:
        given = {"addressee": copy.to, "hub": HUB, "federation": FEDERATION}
        open_copy(verify_copy(frame, directory, **given, now=NOW), opener)

    times = [milliseconds(once) for _ in range(20 * rounds)]
    show("verify and open one copy", median(times), "target 2 ms")


def frames(envelope: VerifiedEnvelope) -> list[bytes]:
    """Decide, release, prove and write every addressee's copy, as the hub does between verdict and delivery."""
    entries, copies = decide(envelope)
    statements = [(ACCEPT_TYP, b"{}"), *((DECISION_TYP, entry.payload) for entry in entries)]
    batch = Batch(statements, federation=FEDERATION, hub=HUB, at=NOW)
    jws = sign_as_hub(batch.payload)
    proofs = {entry.to: batch.prove(place, jws) for place, entry in enumerate(entries, 1)}
    return [
        write_copy(
            manifest=envelope.jws,
            second=envelope.second,
            disclosures=[one.text for one in envelope.disclosures],
            part=copy.part,
            decisions=[proofs[copy.to]],
            blobs=envelope.blobs,
        )
        for copy in copies
    ]


def hub(directory: Directory, codes: list[str], frame: bytes, envelope: VerifiedEnvelope, rounds: int) -> None:
    policies = load(len(codes))
    store = MemoryStore(federation=FEDERATION, hub=HUB, sign_batch=sign_as_hub, clock=lambda: NOW)
    exchange = Exchange(HUB, FEDERATION, store, lambda: directory, lambda: policies, lambda: NOW)
    group = operation(directory, "exercise-lantern", iss=ORIGINATOR).operation
    count = len(envelope.parts)

    def settle(number: int) -> None:
        decide_all(exchange, envelope, group, policies, NOW + number)

    taking = median(milliseconds(lambda: verified(directory, frame)) for _ in range(rounds))
    settle(0)
    policy = median(milliseconds(partial(settle, number)) for number in range(1, rounds + 1)) / count
    release = median(milliseconds(lambda: frames(envelope)) for _ in range(rounds)) / count
    show(f"verify a submission to {count}", taking)
    show("  of that, an addressee", taking / count)
    show("policy, an addressee (six compartments)", policy)
    show("decision, proof and copy, an addressee", release)
    show("release in all, an addressee", policy + release, "target 0.25 ms")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    print(f"python {platform.python_version()}, {platform.system()} {platform.machine()}; {len(PARTS)} compartments")
    codes = sorted(set(load(ADDRESSEES).partners) - {ORIGINATOR, HUB})[:ADDRESSEES]
    directory = make_directory((ORIGINATOR, *codes))
    addressees = addressees_in(directory, codes)
    sealing(addressees, rounds)
    frame = seal(HEADER, PARTS, addressees, signer=signer_of(ORIGINATOR))
    envelope = verified(directory, frame)
    opening(directory, envelope, rounds)
    hub(directory, codes, frame, envelope, rounds)


if __name__ == "__main__":
    main()
