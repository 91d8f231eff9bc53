"""What every store promises (`hub/broker/ports.py`); `test_sqlite.py` has what only a store on disk can promise."""

import asyncio
import json
from dataclasses import replace

import pytest

from hub.broker.ports import MailCopy, MailMark, MailNotice, MailReceipt, Store
from hub.protocol.directory import Directory
from hub.protocol.envelope import Proven, write_copy
from hub.protocol.errors import (
    DecisionChainError,
    ForkError,
    LogRangeError,
    NotFoundError,
    ReplayError,
)
from hub.protocol.merkle import leaf_hash, levels, root_of, verify_consistency, verify_inclusion
from hub.protocol.statements import DECISION_TYP, Expiry, fresh_salt, verify_statement
from hub.protocol.submission import VerifiedEnvelope
from hub.protocol.vocabulary import Priority
from hub.protocol.wire import parse_wire, write_wire
from tests.support.exchange import (
    FEDERATION,
    HUB,
    NOW,
    accept_in,
    acceptance,
    message_id,
    operation,
    receipt,
    subscription,
    warning,
)
from tests.support.memory_store import MemoryStore
from tests.support.stores import CountingStore, leaf_of

BOTH = {"de-police": [0, 1], "rilo-we": [0]}


async def chain(store: Store, directory: Directory, count: int) -> list[VerifiedEnvelope]:
    """Commit messages of one key that name each other as predecessors."""
    envelopes: list[VerifiedEnvelope] = []
    for seq in range(1, count + 1):
        prev = envelopes[-1].mh if envelopes else None
        envelopes.append(warning(directory, to={"de-police": [0]}, seq=seq, prev=prev))
        await store.commit(acceptance(envelopes[-1]))
    return envelopes


class TestCommit:
    async def test_returns_an_accept_that_anyone_can_verify(self, store: Store, directory: Directory) -> None:
        envelope = warning(directory, to=BOTH, seq=7)
        accept = accept_in(directory, await store.commit(acceptance(envelope)))
        assert (accept.mh, accept.seq, accept.after) == (envelope.mh, 7, None)

    async def test_tells_the_accept_what_was_recorded_before(self, store: Store, directory: Directory) -> None:
        await store.commit(acceptance(warning(directory, to=BOTH, seq=7)))
        later = await store.commit(acceptance(warning(directory, to=BOTH, seq=9)))
        assert accept_in(directory, later).after == 7

    async def test_keeps_what_is_known_of_a_message(self, store: Store, directory: Directory) -> None:
        envelope = warning(directory, to=BOTH, seq=1, op="op-canute")
        await store.commit(acceptance(envelope))
        known = await store.find(mh=envelope.mh)
        assert known is not None
        jtis = [message_id(2), message_id(1)]
        assert await store.find_submissions(iss="fr-customs", jtis=jtis) == {message_id(1): known}
        assert (known.manifest, known.kid, known.operation) == (envelope.jws, "fr-customs#s1", "op-canute")
        assert known.accepted_at == NOW
        assert await store.find(mh="A" * 43) is None
        assert await store.find_submissions(iss="de-police", jtis=jtis) == {}

    async def test_the_same_again_changes_nothing(self, store: Store, directory: Directory) -> None:
        once = acceptance(warning(directory, to=BOTH, seq=1))
        first = await store.commit(once)
        size = await store.log_size()
        await store.commit(acceptance(warning(directory, to=BOTH, seq=2)))
        again = acceptance(once.envelope)  # decided anew, with other salts
        assert await store.commit(once) == first == await store.commit(again)
        assert await store.log_size() == 2 * size
        assert len(await store.waiting("rilo-we", limit=9)) == 2

    async def test_the_same_twice_at_once_is_one(self, store: Store, directory: Directory) -> None:
        envelope = warning(directory, to=BOTH, seq=1)
        accepts = await asyncio.gather(*(store.commit(acceptance(envelope)) for _ in range(8)))
        assert len(set(accepts)) == 1
        assert await store.log_size() == 3

    async def test_records_every_decision_and_releases_only_copies(self, store: Store, directory: Directory) -> None:
        envelope = warning(directory, to=BOTH, seq=1)
        await store.commit(acceptance(envelope, {"rilo-we": []}))
        rows = {row.to: row for row in await store.deliveries(envelope.mh)}
        assert (rows["rilo-we"].state, rows["rilo-we"].released) == ("withheld", ())
        assert (rows["de-police"].state, rows["de-police"].released) == ("waiting", ("c0", "c1"))
        assert not await store.waiting("rilo-we", limit=9)
        assert await store.inputs_of(envelope.mh, "rilo-we") == b"inputs of rilo-we"
        assert await store.inputs_of(envelope.mh, "int-bureau") is None
        assert next((to, entry.kind) for to, entry in await store.entries_of(envelope.mh)) == (None, "accept")
        assert {to for to, entry in await store.entries_of(envelope.mh) if entry.kind == "decision"} == set(BOTH)

    async def test_refuses_a_copy_without_its_decision(self, store: Store, directory: Directory) -> None:
        good = acceptance(warning(directory, to=BOTH, seq=1))
        for bad in (
            replace(good, decisions=good.decisions[:1]),
            replace(good, copies=(*good.copies, good.copies[0])),
            replace(good, decisions=(*good.decisions, good.decisions[0])),
            replace(good, envelope=warning(directory, to=BOTH, seq=2)),
        ):
            with pytest.raises(DecisionChainError):
                await store.commit(bad)
        assert await store.log_size() == 0

    async def test_several_are_each_as_if_alone(self, store: Store, directory: Directory) -> None:
        first, second = (acceptance(warning(directory, to=BOTH, seq=seq)) for seq in (1, 2))
        fork = acceptance(warning(directory, to=BOTH, seq=1, jti=message_id(9)))
        outcomes = await store.commit_many([first, fork, first, second])
        assert [type(outcome) for outcome in outcomes] == [bytes, ForkError, bytes, bytes]
        assert outcomes[0] == outcomes[2] == await store.commit(first)
        assert [item.seq for item in await store.waiting("rilo-we", limit=9)] == [1, 2]
        assert await store.commit_many([]) == []

    async def test_latest_messages_first(self, store: Store, directory: Directory) -> None:
        for seq, op in enumerate([None, "op-a", None, "op-a"], 1):
            await store.commit(acceptance(warning(directory, to=BOTH, seq=seq, op=op)))
        latest = await store.messages_of(iss="fr-customs", operation=None, limit=3)
        assert [known.seq for known in latest] == [4, 3, 2]
        assert [known.seq for known in await store.messages_of(iss="fr-customs", operation="op-a", limit=9)] == [4, 2]
        assert not await store.messages_of(iss="de-police", operation=None, limit=9)
        older = await store.messages_of(iss="fr-customs", operation=None, limit=9, before=latest[1].mh)
        assert [known.seq for known in older] == [2, 1], "what came after that message moves nothing"
        older = await store.messages_of(iss="fr-customs", operation="op-a", limit=9, before=latest[1].mh)
        assert [known.seq for known in older] == [2]


class TestSequence:
    async def test_an_identifier_is_used_once(self, store: Store, directory: Directory) -> None:
        await store.commit(acceptance(warning(directory, to=BOTH, seq=1)))
        with pytest.raises(ReplayError):
            await store.commit(acceptance(warning(directory, to=BOTH, seq=2, jti=message_id(1))))
        assert await store.log_size() == 3

    @pytest.mark.parametrize("jti", [message_id(1), message_id(2)])
    async def test_a_number_used_twice_is_kept_as_evidence_once(
        self, store: Store, directory: Directory, jti: str
    ) -> None:
        first = warning(directory, to=BOTH, seq=1)
        second = warning(directory, to=BOTH, seq=1, jti=jti)
        await store.commit(acceptance(first))
        for _ in range(2):
            with pytest.raises(ForkError):
                await store.commit(acceptance(second))
        *_, (to, denial) = await store.entries_of(first.mh)
        evidence = json.loads(denial.payload)
        assert (to, denial.kind, denial.proven) == (None, "denial", b"")
        assert (evidence["recorded"], evidence["refused"]) == (first.jws, second.jws)
        assert await store.log_size() == 4
        assert await store.find(mh=second.mh) is None
        assert len(await store.waiting("de-police", limit=9)) == 1

    async def test_a_predecessor_that_is_another_is_a_fork(self, store: Store, directory: Directory) -> None:
        first, *_ = await chain(store, directory, 3)
        with pytest.raises(ForkError):
            await store.commit(acceptance(warning(directory, to=BOTH, seq=4, prev=first.mh)))
        assert await store.log_size() == 7

    async def test_a_gap_is_accepted_and_filled_later(self, store: Store, directory: Directory) -> None:
        await store.commit(acceptance(warning(directory, to=BOTH, seq=9, prev="A" * 43)))
        late = await store.commit(acceptance(warning(directory, to=BOTH, seq=4)))
        assert accept_in(directory, late).after == 9

    async def test_each_key_counts_for_itself(self, store: Store, directory: Directory) -> None:
        await store.commit(acceptance(warning(directory, to=BOTH, seq=1)))
        other = warning(directory, to=BOTH, seq=1, originator="de-customs")
        assert accept_in(directory, await store.commit(acceptance(other))).after is None


class TestMailbox:
    async def test_a_copy_carries_what_was_released_and_its_decision(self, store: Store, directory: Directory) -> None:
        envelope = warning(directory, to=BOTH, seq=1)
        await store.commit(acceptance(envelope))
        [item] = await store.waiting("rilo-we", limit=9)
        assert isinstance(item, MailCopy)
        assert item.disclosures == (envelope.disclosures[0].text,)
        assert item.blobs == envelope.blobs[:1]
        assert (item.manifest, item.second, item.mh) == (envelope.jws, None, envelope.mh)
        decision = verify_statement(parse_wire(Proven, item.decision), directory, typ=DECISION_TYP, now=None)
        assert (decision.hub, json.loads(decision.payload)["to"]) == (HUB, "rilo-we")
        entries = await store.entries_of(envelope.mh)
        assert [entry.proven for to, entry in entries if to == "rilo-we"] == [item.decision]
        assert write_copy(
            manifest=item.manifest,
            second=item.second,
            disclosures=item.disclosures,
            part=item.part,
            decisions=[item.decision],
            blobs=item.blobs,
        )

    async def test_urgent_first_then_oldest(self, store: Store, directory: Directory) -> None:
        for seq, pri in enumerate("rurur", 1):
            urgency = Priority.URGENT if pri == "u" else Priority.ROUTINE
            await store.commit(acceptance(warning(directory, to=BOTH, seq=seq, pri=urgency)))
        assert [item.seq for item in await store.waiting("rilo-we", limit=9)] == [2, 4, 1, 3, 5]
        assert [item.seq for item in await store.waiting("rilo-we", limit=3)] == [2, 4, 1]

    async def test_reading_goes_on_from_a_mark(self, store: Store, directory: Directory) -> None:
        for seq, pri in enumerate("rurur", 1):
            urgency = Priority.URGENT if pri == "u" else Priority.ROUTINE
            await store.commit(acceptance(warning(directory, to=BOTH, seq=seq, pri=urgency)))
        for mark, rest in (((0, 0), [2, 4, 1, 3, 5]), ((2, 0), [4, 1, 3, 5]), ((2, 3), [4, 5]), ((9, 5), [])):
            after = MailMark(*mark)
            items = await store.waiting("rilo-we", limit=9, after=after)
            assert [item.seq for item in items] == rest
            assert [isinstance(item, MailCopy) and item.urgent for item in items] == [seq in {2, 4} for seq in rest]
        async with asyncio.timeout(9):
            await store.wait("rilo-we", seconds=60, after=MailMark(2, 5))
            await store.wait("rilo-we", seconds=0.01, after=MailMark(4, 5))

    async def test_reading_takes_nothing_and_confirming_may_be_repeated(
        self, store: Store, directory: Directory
    ) -> None:
        envelopes = await chain(store, directory, 3)
        assert await store.waiting("de-police", limit=9) == await store.waiting("de-police", limit=9)
        for at in (NOW + 1, NOW + 2):
            await store.confirm("de-police", [1, 3, 77], at=at)
        await store.confirm("rilo-we", [2], at=NOW)  # not its mailbox
        assert [item.seq for item in await store.waiting("de-police", limit=9)] == [2]
        [row] = await store.deliveries(envelopes[0].mh)
        assert (row.state, row.collected_at) == ("collected", NOW + 1)

    async def test_numbers_are_never_given_twice(self, store: Store, directory: Directory) -> None:
        await chain(store, directory, 2)
        await store.confirm("de-police", [1, 2], at=NOW)
        await store.commit(acceptance(warning(directory, to={"de-police": [0]}, seq=3)))
        assert [item.seq for item in await store.waiting("de-police", limit=9)] == [3]

    async def test_wait_ends_when_something_comes(self, store: Store, directory: Directory) -> None:
        waiter = asyncio.create_task(store.wait("rilo-we", seconds=60))
        other = asyncio.create_task(store.wait("int-bureau", seconds=60))
        await asyncio.wait({waiter, other}, timeout=0)
        await store.commit(acceptance(warning(directory, to=BOTH, seq=1)))
        async with asyncio.timeout(5):
            await waiter
            await store.wait("de-police", seconds=60)  # something is there already
        assert not other.done()
        other.cancel()

    async def test_wait_ends_by_itself(self, store: Store) -> None:
        await store.wait("rilo-we", seconds=0.01)
        assert not await store.waiting("rilo-we", limit=9)


class TestReceipts:
    async def test_goes_into_the_record_the_matrix_and_the_originators_mailbox(
        self, store: Store, directory: Directory
    ) -> None:
        envelope = warning(directory, to=BOTH, seq=1)
        await store.commit(acceptance(envelope))
        signed = receipt(directory, envelope.mh, iss="rilo-we")
        for _ in range(2):
            await store.add_receipt(signed)
        [item] = await store.waiting("fr-customs", limit=9)
        assert item == MailReceipt(1, envelope.mh, signed.jws)
        *_, (to, entry) = await store.entries_of(envelope.mh)
        assert (to, entry.kind, entry.payload, entry.proven) == ("rilo-we", "receipt", signed.jws.encode(), b"")
        row = next(row for row in await store.deliveries(envelope.mh) if row.to == "rilo-we")
        assert (row.state, row.receipt, row.collected_at) == ("opened", signed.jws, None)
        await store.confirm("rilo-we", [1], at=NOW + 5)
        row = next(row for row in await store.deliveries(envelope.mh) if row.to == "rilo-we")
        assert (row.state, row.collected_at) == ("opened", NOW + 5)
        await store.confirm("fr-customs", [1], at=NOW)
        assert not await store.waiting("fr-customs", limit=9)

    async def test_a_later_receipt_counts(self, store: Store, directory: Directory) -> None:
        envelope = warning(directory, to={"de-police": [0]}, seq=1)
        await store.commit(acceptance(envelope))
        await store.add_receipt(receipt(directory, envelope.mh, iss="de-police", number=1, state="refused"))
        await store.add_receipt(receipt(directory, envelope.mh, iss="de-police", number=2))
        [row] = await store.deliveries(envelope.mh)
        assert row.state == "opened"
        assert [entry.kind for _, entry in await store.entries_of(envelope.mh)][2:] == ["receipt", "receipt"]

    async def test_that_says_opened_is_never_taken_back(self, store: Store, directory: Directory) -> None:
        envelope = warning(directory, to={"de-police": [0]}, seq=1)
        await store.commit(acceptance(envelope))
        opened = receipt(directory, envelope.mh, iss="de-police", number=1)
        await store.add_receipt(opened)
        await store.add_receipt(receipt(directory, envelope.mh, iss="de-police", number=2, state="refused"))
        (row,) = await store.deliveries(envelope.mh)
        assert (row.state, row.receipt) == ("opened", opened.jws)

    async def test_is_refused_where_nothing_was_released(self, store: Store, directory: Directory) -> None:
        envelope = warning(directory, to=BOTH, seq=1)
        await store.commit(acceptance(envelope, {"rilo-we": []}))
        for mh, iss in ((envelope.mh, "rilo-we"), (envelope.mh, "int-bureau"), ("A" * 43, "de-police")):
            with pytest.raises(NotFoundError):
                await store.add_receipt(receipt(directory, mh, iss=iss))
        assert await store.log_size() == 3

    async def test_an_identifier_is_used_once(self, store: Store, directory: Directory) -> None:
        envelope = warning(directory, to=BOTH, seq=1)
        await store.commit(acceptance(envelope))
        await store.add_receipt(receipt(directory, envelope.mh, iss="rilo-we"))
        with pytest.raises(ReplayError):
            await store.add_receipt(receipt(directory, envelope.mh, iss="rilo-we", state="refused"))

    async def test_states_only_move_forward(self, store: Store, directory: Directory) -> None:
        envelope = warning(directory, to={"de-police": [0]}, seq=1)
        await store.commit(acceptance(envelope))
        told = [("read", None), ("refused", None), ("opened", None), ("acted", "checked"), ("acted", "seized")]
        told += [("purged", None), ("read", None), ("acted", "checked")]
        states, receipts = [], []
        for number, (state, act) in enumerate(told):
            receipts.append(receipt(directory, envelope.mh, iss="de-police", number=number + 1, state=state, act=act))
            await store.add_receipt(receipts[-1])
            [row] = await store.deliveries(envelope.mh)
            states.append(row.state)
        assert states == ["read", "read", "read", "acted", "acted", "acted", "acted", "acted"]
        assert row.receipt == receipts[2].jws, "what evidence is made of says opened"
        assert row.later == tuple(receipts[at].jws for at in (0, 3, 4, 5)), "the first of each, in order"
        assert len(await store.waiting("fr-customs", limit=64)) == len(told), "all of them are told"


class TestExpiry:
    """What `Record.expire` promises."""

    def _write(self, mh: str, to: str, exp: int) -> bytes:
        at = exp + 1
        return write_wire(Expiry(v=1, s=fresh_salt(), fed=FEDERATION, hub=HUB, mh=mh, iat=at, to=to, exp=exp))

    async def test_leaves_the_mailbox_with_an_entry_and_tells_the_originator(
        self, store: Store, directory: Directory
    ) -> None:
        late, alive = warning(directory, to=BOTH, seq=1), warning(directory, to=BOTH, seq=2, exp=NOW + 90_000)
        for envelope in (late, alive):
            await store.commit(acceptance(envelope))
        await store.confirm("rilo-we", [1], at=NOW)
        exp = late.manifest.exp
        assert await store.expire(now=exp - 1, limit=9, write=self._write) == 0
        size = await store.log_size()
        assert await store.expire(now=exp, limit=9, write=self._write) == 1
        assert await store.expire(now=exp, limit=9, write=self._write) == 0, "once"
        assert await store.log_size() == size + 1
        assert [item.mh for item in await store.waiting("de-police", limit=9)] == [alive.mh]
        rows = {row.to: row for row in await store.deliveries(late.mh)}
        assert {to: row.state for to, row in rows.items()} == {"de-police": "expired", "rilo-we": "collected"}
        [notice] = await store.waiting("fr-customs", limit=9)
        assert isinstance(notice, MailNotice)
        assert (notice.mh, notice.proven) == (late.mh, rows["de-police"].expiry)
        *_, (to, entry) = await store.entries_of(late.mh)
        assert (to, entry.kind, entry.proven) == ("de-police", "expiry", notice.proven)
        root = await store.log_root(size + 1)
        verify_inclusion(leaf_of(entry), entry.index, size + 1, await store.inclusion(entry.index, size + 1), root)
        assert await store.inputs_of(late.mh, "de-police") == b"inputs of de-police", "decisions are found as before"

    async def test_what_is_receipted_after_all_moves_on(self, store: Store, directory: Directory) -> None:
        envelope = warning(directory, to={"de-police": [0]}, seq=1)
        await store.commit(acceptance(envelope))
        await store.expire(now=envelope.manifest.exp, limit=9, write=self._write)
        await store.add_receipt(receipt(directory, envelope.mh, iss="de-police"))
        [row] = await store.deliveries(envelope.mh)
        assert row.state == "opened"

    async def test_many_are_done_in_steps(self, store: Store, directory: Directory) -> None:
        for seq in range(1, 6):
            await store.commit(acceptance(warning(directory, to=BOTH, seq=seq)))
        counts = []
        while found := await store.expire(now=NOW + 86_400, limit=4, write=self._write):
            counts.append(found)
        assert sum(counts) == 10
        assert max(counts) <= 4 + len(BOTH)
        assert not await store.waiting("de-police", limit=9)


class TestStanding:
    async def test_own_messages_and_figures_of_the_mailbox(self, store: Store, directory: Directory) -> None:
        assert await store.highest("fr-customs#s1") is None
        envelopes = [warning(directory, to=BOTH, seq=seq) for seq in (1, 2, 5)]
        accepts = [await store.commit(acceptance(envelope)) for envelope in envelopes]
        own = await store.own_messages("fr-customs#s1", after=1, limit=9)
        assert [(one.seq, one.manifest, one.accept) for one in own] == [
            (2, envelopes[1].jws, accepts[1]),
            (5, envelopes[2].jws, accepts[2]),
        ]
        assert set(own[0].to) == set(BOTH)
        assert len(await store.own_messages("fr-customs#s1", after=0, limit=1)) == 1
        assert await store.highest("fr-customs#s1") == 5
        assert await store.own_messages("de-police#s1", after=0, limit=9) == []
        assert (await store.collected("rilo-we"), await store.last_collected("rilo-we")) == (0, None)
        await store.confirm("rilo-we", [1, 3, 99], at=NOW + 7)
        await store.confirm("rilo-we", [1], at=NOW + 8)
        assert (await store.collected("rilo-we"), await store.last_collected("rilo-we")) == (2, NOW + 7)

    async def test_only_what_was_offered_to_a_group(self, store: Store, directory: Directory) -> None:
        for seq, named in ((1, True), (2, False)):
            once = acceptance(warning(directory, to=BOTH, seq=seq))
            said = b'{"v":1,"to":{"partner":"x","named":%s}}' % str(named).lower().encode()
            decisions = tuple(replace(one, inputs=said) for one in once.decisions)
            await store.commit(replace(once, decisions=decisions))
        found = await store.offered(since=NOW, limit=9)
        assert [(one.iss, b"false" in one.inputs) for one in found] == [("fr-customs", True)]
        assert await store.offered(since=NOW + 1, limit=9) == []
        assert len(await store.offered(since=NOW, limit=1)) == 1, "the newest are looked at first"


class TestGroups:
    async def test_an_operations_name_is_used_once(self, store: Store, directory: Directory) -> None:
        verified = operation(directory)
        for _ in range(2):
            await store.put_operation(verified)
        with pytest.raises(ReplayError):
            await store.put_operation(operation(directory, title="Another"))
        assert await store.operation("op-canute") == verified
        assert await store.operation("op-none") is None
        assert list(await store.operations()) == [verified]

    async def test_the_newest_subscription_counts(self, store: Store, directory: Directory) -> None:
        newer = subscription(directory, iat=NOW, topics=("hs:24",))
        await store.put_subscription(newer)
        await store.put_subscription(subscription(directory, iat=NOW - 1))
        assert list(await store.subscriptions()) == [newer]
        await store.put_subscription(subscription(directory, iat=NOW, active=False))
        assert not await store.subscriptions()


class TestLog:
    async def test_every_entry_is_proven_into_every_later_root(self, store: Store, directory: Directory) -> None:
        envelopes = await chain(store, directory, 5)
        await store.add_receipt(receipt(directory, envelopes[0].mh, iss="de-police"))
        size = await store.log_size()
        assert size == 11
        leaves = {}
        for envelope in envelopes:
            for _, entry in await store.entries_of(envelope.mh):
                leaves[entry.index] = leaf_of(entry)
                assert len(entry.salt) == 16
        assert sorted(leaves) == list(range(size))
        for upto in range(1, size + 1):
            root = await store.log_root(upto)
            assert root == root_of(levels([leaves[index] for index in range(upto)]))
            for index in range(upto):
                verify_inclusion(leaves[index], index, upto, await store.inclusion(index, upto), root)
            for old in range(upto + 1):
                before = (old, await store.log_root(old))
                verify_consistency(before, (upto, root), await store.consistency(old, upto))

    async def test_serves_tiles_and_bundles(self, store: Store, directory: Directory) -> None:
        to = {"de-police": [0], "rilo-we": [0], "int-bureau": [0]}
        for seq in range(1, 68):
            await store.commit(acceptance(warning(directory, to=to, seq=seq)))
        size = await store.log_size()
        assert size == 268
        hashes = [(await store.tile(0, 0, 256))[start : start + 32] for start in range(0, 256 * 32, 32)]
        tail = await store.tile(0, 1, 12)
        hashes += [tail[start : start + 32] for start in range(0, 12 * 32, 32)]
        assert root_of(levels(hashes)) == await store.log_root(size)
        assert await store.tile(1, 0, 1) == await store.log_root(256)
        bundle, cut = await store.entry_bundle(1, 12), 0
        entries = []
        while cut < len(bundle):
            end = cut + 2 + int.from_bytes(bundle[cut : cut + 2], "big")
            entries.append(bundle[cut + 2 : end])
            cut = end
        assert [leaf_hash(entry) for entry in entries] == hashes[256:]
        for index, size_ in ((255, 256), (0, 257), (256, 268), (100, 268)):
            proof = await store.inclusion(index, size_)
            verify_inclusion(hashes[index], index, size_, proof, await store.log_root(size_))

    async def test_nothing_outside(self, store: Store, directory: Directory) -> None:
        await store.commit(acceptance(warning(directory, to=BOTH, seq=1)))
        for question in (
            store.log_root(4),
            store.log_root(-1),
            store.inclusion(3, 3),
            store.inclusion(-1, 3),
            store.inclusion(0, 4),
            store.consistency(2, 4),
            store.consistency(3, 2),
            store.tile(0, 0, 4),
            store.tile(0, 0, 0),
            store.tile(0, -1, 1),
            store.tile(1, 0, 1),
            store.entry_bundle(0, 4),
            store.entry_bundle(0, 257),
            store.entry_bundle(-1, 1),
        ):
            with pytest.raises(LogRangeError):
                await question

    async def test_the_last_checkpoint_of_a_size_wins(self, store: Store) -> None:
        assert await store.checkpoint() is None
        await store.put_checkpoint(2, "two")
        await store.put_checkpoint(1, "one")
        await store.put_checkpoint(2, "two again")
        assert await store.checkpoint() == "two again"


async def test_many_at_once_are_each_committed_once_in_few_transactions(
    store: CountingStore, directory: Directory
) -> None:
    keys = ("fr-customs", "de-customs", "int-bureau", "de-police")
    envelopes = [
        warning(directory, to={"rilo-we": [0]}, seq=seq, originator=key) for key in keys for seq in range(1, 51)
    ]
    proven = await asyncio.gather(*(store.commit(acceptance(envelope)) for envelope in envelopes))
    accepts = [accept_in(directory, one) for one in proven]
    assert [accept.mh for accept in accepts] == [envelope.mh for envelope in envelopes]
    for key in keys:  # the accepts of a key are a chain
        assert sorted(accept.after or 0 for accept in accepts if accept.iss == key) == list(range(50))
    assert await store.log_size() == 400
    assert sorted(item.seq for item in await store.waiting("rilo-we", limit=999)) == list(range(1, 201))
    if not isinstance(store, MemoryStore):
        assert store.transactions <= 20
