"""How facts become the entities that rules see; the one place that knows both the facts and the schema.

A candidate has no name here: addressees that no rule can tell apart are the same entity and are decided once. Not for:
where facts come from. Implements `docs/protocol/06-decisions.md` section 4, step 3.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from hub.policy.engine import Entity, Schema
from hub.policy.facts import AddresseeFacts, MessageFacts
from hub.policy.registry import Agreement, Assurance, Clearance, PartnerPolicy, Quota
from hub.protocol.errors import PolicySetError
from hub.protocol.marks import Caveat, HandlingCode, Tlp
from hub.protocol.vocabulary import (
    NOMINAL,
    Basis,
    Label,
    MessageKind,
    Offence,
    PartnerKind,
    Priority,
    Purpose,
    Status,
    Verb,
    nearest,
)

MESSAGE: Final = "message"  # the id of the one message in a store
_WORDS: Final[tuple[type[StrEnum], ...]] = (
    Assurance, Basis, Caveat, Clearance, HandlingCode, Label, MessageKind, Offence, PartnerKind,
    Priority, Purpose, Status, Tlp, Verb,
)  # fmt: skip


def check_fits(schema: Schema) -> None:
    """Check that a schema is the one that this module writes entities for: the closed lists, then one of everything.

    Raises:
        PolicySetError: a list differs (names the words), or an entity does not fit.
    """
    for words in _WORDS:
        name = "Kind" if words is PartnerKind else words.__name__
        theirs, ours = set(schema.words.get(name, ())), {str(word) for word in words}
        if theirs != ours:
            wrong = sorted(theirs ^ ours)
            line = next((at for at, text in enumerate(schema.text.splitlines(), 1) if f"entity {name} " in text), 1)
            hint = nearest(wrong[0], ours - theirs or ours)
            raise PolicySetError(f"{schema.path}:{line}: {name} is not this program's list: {', '.join(wrong)}{hint}")
    schema.store(_one_of_everything())


@dataclass(frozen=True, slots=True)
class Candidate:
    """An addressee under one agreement, as rules see it; equal when no rule can tell two apart."""

    partner: str | None  # its code, but only when a rule of the slice names it
    agreement: str | None
    kind: PartnerKind
    groups: tuple[str, ...]
    clearance: Clearance
    assurances: tuple[Assurance, ...]
    has_adequacy: bool
    has_capital_risk: bool
    is_domestic: bool
    is_named: bool
    is_member: bool
    is_suspended: bool
    is_originator: bool


FIELD_OF: Final[Mapping[str, str]] = {
    "agreement": "agreement",
    "kind": "kind",
    "clearance": "clearance",
    "assurances": "assurances",
    "hasAdequacy": "has_adequacy",
    "hasCapitalRisk": "has_capital_risk",
    "isDomestic": "is_domestic",
    "isNamed": "is_named",
    "isMember": "is_member",
    "isSuspended": "is_suspended",
    "isOriginator": "is_originator",
}
"""Where each attribute of `Addressee` in the schema comes from."""


MESSAGE_FIELD_OF: Final[Mapping[str, str]] = {
    "originator": "originator",
    "originatorIsMember": "originator_member",
    "messageKind": "mt",
    "verb": "verb",
    "status": "status",
    "priority": "priority",
    "tlp": "tlp",
    "codes": "codes",
    "caveats": "caveats",
    "retain": "retain",
    "purpose": "purpose",
    "offence": "offence",
    "basis": "basis",
    "topics": "topics",
    "operation": "operation",
    "operationIsOpen": "operation_open",
    "operationIsExercise": "operation_exercise",
    "isRelayed": "relayed",
    "at": "at",
}
"""The same for `Message`."""


def candidate(
    facts: AddresseeFacts,
    partner: PartnerPolicy,
    originator: PartnerPolicy,
    agreement: str | None,
    named_by_rules: Collection[str],
) -> Candidate:
    """Return an addressee as the rules of a slice see it."""
    return Candidate(
        partner=partner.code if partner.code in named_by_rules else None,
        agreement=agreement,
        kind=partner.kind,
        groups=partner.groups,
        clearance=partner.clearance,
        assurances=partner.assurances,
        has_adequacy=partner.adequacy,
        has_capital_risk=partner.capital_risk,
        is_domestic=partner.country == originator.country,
        is_named=facts.named,
        is_member=facts.member,
        is_suspended=facts.suspended or partner.suspended,
        is_originator=partner.code == originator.code,
    )


def candidate_entity(name: str, seen: Candidate) -> Entity:
    """Return a candidate under the id `name`."""
    parents = [_uid("Group", group) for group in seen.groups]
    if seen.partner is not None:
        parents.append(_uid("Partner", seen.partner))
    attrs = {
        "kind": _ref("Kind", seen.kind),
        "clearance": _ref("Clearance", seen.clearance),
        "assurances": _refs("Assurance", seen.assurances),
        "hasAdequacy": seen.has_adequacy,
        "hasCapitalRisk": seen.has_capital_risk,
        "isDomestic": seen.is_domestic,
        "isNamed": seen.is_named,
        "isMember": seen.is_member,
        "isSuspended": seen.is_suspended,
        "isOriginator": seen.is_originator,
    }
    if seen.agreement is not None:
        attrs["agreement"] = _ref("Agreement", seen.agreement)
    return {"uid": _uid("Addressee", name), "attrs": attrs, "parents": parents}


def partner_entity(partner: PartnerPolicy) -> Entity:
    """Return a partner as an originator, or as one that a rule names."""
    return {
        "uid": _uid("Partner", partner.code),
        "attrs": {"kind": _ref("Kind", partner.kind), "isSuspended": partner.suspended},
        "parents": [_uid("Group", group) for group in partner.groups],
    }


def agreement_entity(agreement: Agreement) -> Entity:
    """Return what rules see of an agreement; who its parties are is settled before (`sets.py`)."""
    attrs: dict[str, Any] = {
        "instrument": _ref("Basis", agreement.instrument),
        "isSuspended": agreement.suspended,
        "validFrom": agreement.begins,
        "validUntil": agreement.ends,
        "purposes": _refs("Purpose", agreement.purposes),
        "labels": _refs("Label", agreement.compartments),
        "tlps": _refs("Tlp", agreement.tlps),
        "hasPnrClause": agreement.pnr,
        "allowsOnward": agreement.onward,
    }
    if agreement.offences is not None:
        attrs["offences"] = _refs("Offence", agreement.offences)
    if agreement.operation is not None:
        attrs["operation"] = agreement.operation
    return {"uid": _uid("Agreement", agreement.id), "attrs": attrs, "parents": []}


def message_entities(facts: MessageFacts, labels: Collection[Label]) -> list[Entity]:
    """Return the message and one compartment for each label; rules see no other difference between compartments."""
    attrs: dict[str, Any] = {
        "originator": _ref("Partner", facts.originator),
        "originatorIsMember": facts.originator_member,
        "messageKind": _ref("MessageKind", facts.mt),
        "verb": _ref("Verb", facts.verb),
        "status": _ref("Status", facts.status),
        "priority": _ref("Priority", facts.priority),
        "tlp": _ref("Tlp", facts.tlp),
        "codes": _refs("HandlingCode", facts.codes),
        "caveats": _refs("Caveat", facts.caveats),
        "retain": facts.retain,
        "purpose": _ref("Purpose", facts.purpose),
        "offence": _ref("Offence", facts.offence),
        "basis": _ref("Basis", facts.basis),
        "topics": list(facts.topics),
        "operationIsOpen": facts.operation_open,
        "operationIsExercise": facts.operation_exercise,
        "isRelayed": facts.relayed,
        "at": facts.at,
    }
    if facts.operation is not None:
        attrs["operation"] = facts.operation
    message: Entity = {"uid": _uid("Message", MESSAGE), "attrs": attrs, "parents": []}
    return [message, *(_compartment(label) for label in labels)]


def _compartment(label: Label) -> Entity:
    attrs = {
        "message": _ref("Message", MESSAGE),
        "label": _ref("Label", label),
        "isNominal": label in NOMINAL,
    }
    return {"uid": _uid("Compartment", label), "attrs": attrs, "parents": []}


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": str(name)}


def _ref(kind: str, name: str) -> dict[str, dict[str, str]]:
    return {"__entity": _uid(kind, name)}


def _refs(kind: str, names: Collection[str]) -> list[dict[str, dict[str, str]]]:
    return [_ref(kind, name) for name in names]


def _one_of_everything() -> list[Entity]:
    day = date(2026, 1, 1)
    partner = PartnerPolicy(
        code="zz-sample",
        name="sample",
        kind=PartnerKind.CUSTOMS,
        country="ZZ",
        groups=(),
        adopts=(),
        clearance=Clearance.NONE,
        adequacy=False,
        capital_risk=False,
        assurances=tuple(Assurance),
        quota=Quota(messages_per_day=1),
        discharges=(),
    )
    agreement = Agreement(
        id="sample",
        title="sample",
        instrument=Basis.CMAA,
        legal="none",
        parties=("zz-sample",),
        valid_from=day,
        valid_until=day,
        purposes=tuple(Purpose),
        offences=tuple(Offence),
        compartments=tuple(Label),
        ceiling=Tlp.RED,
        operation="sample",
        pnr=False,
        onward=False,
    )
    message = MessageFacts(
        originator="zz-sample",
        mt=MessageKind.WARNING,
        verb=Verb.ALERT,
        status=Status.TEST,
        tlp=Tlp.CLEAR,
        codes=tuple(HandlingCode),
        caveats=tuple(Caveat),
        retain=1,
        purpose=Purpose.ALERT,
        offence=Offence.NONE,
        basis=Basis.CMAA,
        priority=Priority.ROUTINE,
        topics=("hs:93",),
        operation="sample",
        operation_open=False,
        originator_member=False,
        operation_exercise=False,
        relayed=False,
        at=0,
    )
    addressee = AddresseeFacts(partner="zz-sample", named=False, member=False, suspended=False)
    seen = candidate(addressee, partner, partner, agreement.id, [partner.code])
    return [
        partner_entity(partner),
        agreement_entity(agreement),
        candidate_entity("sample", seen),
        *message_entities(message, tuple(Label)),
    ]
