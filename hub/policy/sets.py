"""A policy set: all rules, agreements and partners in force together, known by one digest.

It is loaded whole or not at all, so that a bad set never replaces a good one. Not for: deciding (`decide.py`), nor for
signing or activating a set (`hub/authority`). Implements `docs/protocol/06-decisions.md` sections 2 and 3.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, Self

from hub.policy.duties import Duty, parse_duties
from hub.policy.engine import Action, Compiled, Rule, Schema, Store, by_id, parse_rules
from hub.policy.entities import Candidate, agreement_entity, candidate_entity, check_fits, partner_entity
from hub.policy.explain import NearMisses
from hub.policy.lint import check_rules
from hub.policy.memory import Memory
from hub.policy.registry import Agreement, PartnerPolicy, line_of, parse_table
from hub.policy.slices import Slice, named_agreements, named_partners
from hub.policy.views import MessageViews
from hub.protocol.encoding import decode_b64url, encode_b64url, lp
from hub.protocol.errors import Base64Error, CodeListError, JsonError, PolicySetError
from hub.protocol.hazmat import sha256
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.vocabulary import check_partner_code, nearest

MAX_FILES: Final = 4_096  # files of one set; 400 partners with three each, and as many agreements and cases
MAX_CROWD: Final = 2_048  # candidates remembered for one originator; each takes about 2 kB
_VERSION: Final = re.compile(r"[0-9]{4}\.[0-9]{1,2}\.[0-9]{1,4}\Z")
_NAME: Final = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_FIXED: Final = ("VERSION", "schema.cedarschema", "hub/floor.cedar", "hub/duties.cedar")
_BASELINE: Final = re.compile(rf"baseline/({_NAME})/(outbound|inbound)\.cedar\Z")
_AGREEMENT: Final = re.compile(rf"agreements/({_NAME})\.toml\Z")
_PARTNER: Final = re.compile(rf"partners/({_NAME})/partner\.toml\Z")
_PARTNER_RULES: Final = re.compile(rf"partners/({_NAME})/(outbound|inbound)\.cedar\Z")
_CASES: Final = re.compile(rf"cases/{_NAME}\.toml\Z")  # kept with the rules that they prove; they decide nothing

Direction = Mapping[tuple[str, str], tuple[Rule, ...]]  # rules by (folder, "outbound" or "inbound")
_ACTION: Final[Mapping[str, Action]] = MappingProxyType({"outbound": "release", "inbound": "accept"})


def bundle(files: Mapping[str, bytes]) -> bytes:
    """Return a set's files as one file: strict JSON from path to base64url, sorted by path."""
    return write_json({path: encode_b64url(files[path]) for path in sorted(files)})


def unbundle(data: bytes) -> dict[str, bytes]:
    """Undo `bundle`.

    Raises:
        PolicySetError: not a bundle.
    """
    try:
        table = parse_json(data)
        if not isinstance(table, dict) or len(table) > MAX_FILES:
            raise PolicySetError("the bundle is not an object from path to base64url, or has too many files")
        return {path: decode_b64url(text) if isinstance(text, str) else _not_text(path) for path, text in table.items()}
    except (JsonError, Base64Error) as error:
        raise PolicySetError(f"bundle: {error}") from error


def _not_text(path: str) -> bytes:
    raise PolicySetError(f"bundle: {path!r} is not base64url")


@dataclass(frozen=True, slots=True)
class Crowd:
    """Everybody who was a candidate for one originator's messages so far, and under which name in the store."""

    store: Store
    names: Mapping[Candidate, str]


class PolicySet:
    """A loaded policy set. Nothing about it changes but what it remembers to be faster.

    Attributes:
        digest: SHA-256 in hex over `lp` of each path, sorted, and the SHA-256 of its file.
        version: for people, such as `2026.11.1`; the digest is what a decision cites.
        partners: what the set says of each partner, by code.
        agreements: by id.
        rules: every rule, by id.
        owed: the duties of each rule of `hub/duties.cedar`, by the rule's id.
        views: what its rules can tell apart of a message.
        memory: verdicts on equal views; for `decide` alone.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Load a set; `load` is its public name."""
        for path in _FIXED:
            if path not in files:
                raise PolicySetError(f"{path}:1: the file is missing")
        _check_paths(files)
        self.version: Final = _version(files["VERSION"])
        self.digest: Final = digest_of(files)
        self.schema: Final = Schema("schema.cedarschema", _text("schema.cedarschema", files))
        check_fits(self.schema)
        self.partners: Final = _partners(files, self.schema)
        self.agreements: Final = _agreements(files)
        self._floor: Final = _rules("hub/floor.cedar", files, self.schema, prefix="HUB-", action="release", floor=True)
        duties = _rules("hub/duties.cedar", files, self.schema, prefix="DUTY-", action="duty")
        self._baseline: Final = _directions(_BASELINE, files, self.schema)
        self._own: Final = _directions(_PARTNER_RULES, files, self.schema)
        everything = chain(self._floor, duties, *self._baseline.values(), *self._own.values())
        self.rules: Final[Mapping[str, Rule]] = MappingProxyType(by_id(everything))
        self.owed: Final[Mapping[str, tuple[Duty, ...]]] = {one.id: parse_duties(one.note("duty")) for one in duties}
        self.duties: Final = Slice(duties)
        terms = chain.from_iterable((one.begins, one.ends) for one in self.agreements.values())
        self.views: Final = MessageViews(self.rules.values(), terms)
        Compiled(tuple(self.rules.values()))  # what the engine takes whole, it takes in any slice
        _check_references(self, files)
        self._party_to: Final = _party_to(self.agreements, self.partners)
        self.store: Final[Store] = self.schema.store(
            [*map(partner_entity, self.partners.values()), *map(agreement_entity, self.agreements.values())]
        )
        self.memory: Final[Memory[Any, Any]] = Memory()
        self._slices: Final[dict[tuple[str, str], Slice]] = {}
        self._crowds: Final[dict[str, Crowd]] = {}
        self._near_misses: Final[dict[Slice, NearMisses]] = {}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Self:
        """Load a set from its files, by path below `policies/`.

        Raises:
            PolicySetError: anything is wrong; the detail names file, line and the nearest right word.
        """
        return cls(files)

    def agreements_between(self, one: str, other: str) -> tuple[str, ...]:
        """Return the ids of the agreements that both are parties to, in force or not, sorted."""
        nothing: frozenset[str] = frozenset()
        return tuple(sorted(self._party_to.get(one, nothing) & self._party_to.get(other, nothing)))

    def release_slice(self, originator: str) -> Slice:
        """Return floor, adopted baselines and own outbound rules: all that decides what a partner's messages may do."""
        return self._slice(originator, "outbound")

    def accept_slice(self, addressee: str) -> Slice:
        """Return adopted baselines and own inbound rules. Partners with the same rules share one slice."""
        return self._slice(addressee, "inbound")

    def _slice(self, code: str, direction: str) -> Slice:
        if (code, direction) not in self._slices:
            folders = self.partners[code].adopts
            adopted = chain.from_iterable(self._baseline.get((folder, direction), ()) for folder in folders)
            floor = self._floor if direction == "outbound" else ()
            rules = (*floor, *adopted, *self._own.get((code, direction), ()))
            known = (one for one in self._slices.values() if tuple(one.rules.values()) == rules)
            self._slices[code, direction] = next(known, None) or Slice(rules)
        return self._slices[code, direction]

    def crowd(self, originator: str, candidates: Collection[Candidate]) -> "Crowd":
        """Return a store that has these candidates of an originator; it is remembered, and begun anew when it is full.

        Raises:
            PolicySetError: the engine does not take a candidate.
        """
        crowd = self._crowds.get(originator, Crowd(self.store, {}))
        new = [one for one in dict.fromkeys(candidates) if one not in crowd.names]
        if new:
            if len(crowd.names) > MAX_CROWD:
                crowd, new = Crowd(self.store, {}), list(dict.fromkeys(candidates))
            names = {one: str(len(crowd.names) + place) for place, one in enumerate(new)}
            store = crowd.store.plus([candidate_entity(name, one) for one, name in names.items()])
            crowd = self._crowds[originator] = Crowd(store, {**crowd.names, **names})
        return crowd

    def near_misses(self, rules: Slice) -> NearMisses:
        """Return the permits of a slice, taken apart for explanation."""
        if rules not in self._near_misses:
            self._near_misses[rules] = NearMisses(rules)
        return self._near_misses[rules]


def digest_of(files: Mapping[str, bytes]) -> str:
    """Return the digest by which decisions cite a set."""
    return sha256(b"".join(lp(path, sha256(files[path])) for path in sorted(files))).hex()


def _text(path: str, files: Mapping[str, bytes]) -> str:
    try:
        return files[path].decode("utf-8")
    except UnicodeDecodeError as error:
        line = files[path].count(b"\n", 0, error.start) + 1
        raise PolicySetError(f"{path}:{line}: not UTF-8") from error


def _version(data: bytes) -> str:
    version = data.decode("ascii", "replace").strip()
    if not _VERSION.match(version):
        raise PolicySetError("VERSION:1: not year.month.number, such as 2026.11.1")
    return version


def _check_paths(files: Mapping[str, bytes]) -> None:
    if len(files) > MAX_FILES:
        raise PolicySetError(f"more than {MAX_FILES} files")
    patterns = (_BASELINE, _AGREEMENT, _PARTNER, _PARTNER_RULES, _CASES)
    known = (*_FIXED, "README.md")
    for path in sorted(files):
        if path not in known and not any(pattern.match(path) for pattern in patterns):
            folder, _, _ = path.rpartition("/")
            names = [f"{folder}/{one}" for one in ("partner.toml", "outbound.cedar", "inbound.cedar") if folder]
            raise PolicySetError(f"{path}:1: no file of a policy set{nearest(path, [*known, *names])}")
        if (found := _PARTNER_RULES.match(path)) and f"partners/{found[1]}/partner.toml" not in files:
            raise PolicySetError(f"{path}:1: the folder has no partner.toml")


def _rules(
    path: str, files: Mapping[str, bytes], schema: Schema, *, prefix: str, action: Action, floor: bool = False
) -> tuple[Rule, ...]:
    rules = parse_rules(path, _text(path, files), schema)
    check_rules(rules, schema, prefix=prefix, action=action, floor=floor)
    return rules


def _directions(pattern: re.Pattern[str], files: Mapping[str, bytes], schema: Schema) -> Direction:
    found = {}
    for path in sorted(files):
        if match := pattern.match(path):
            folder, direction = match[1], match[2]
            prefix = f"{folder.upper()}-{'OUT' if direction == 'outbound' else 'IN'}-"
            found[folder, direction] = _rules(path, files, schema, prefix=prefix, action=_ACTION[direction])
    return found


def _partners(files: Mapping[str, bytes], schema: Schema) -> Mapping[str, PartnerPolicy]:
    partners = {}
    for path in sorted(files):
        if match := _PARTNER.match(path):
            code = match[1]
            try:
                check_partner_code(code)
            except CodeListError as error:
                raise PolicySetError(f"{path}:1: {error}") from error
            partners[code] = parse_table(PartnerPolicy, path, files[path], {"code": code})
            for group in partners[code].groups:
                _check_known(group, schema.words["Group"], path, files, "group of the schema")
    return MappingProxyType(partners)


def _agreements(files: Mapping[str, bytes]) -> Mapping[str, Agreement]:
    found = {path: match[1] for path in sorted(files) if (match := _AGREEMENT.match(path))}
    return MappingProxyType(
        {name: parse_table(Agreement, path, files[path], {"id": name}) for path, name in found.items()}
    )


def _check_references(policies: PolicySet, files: Mapping[str, bytes]) -> None:
    """Check that every partner, group and baseline that is named exists, and is one thing only."""
    groups = policies.schema.words["Group"]
    baselines = {match[1] for path in files if (match := _BASELINE.match(path))}
    for code, partner in policies.partners.items():
        path = f"partners/{code}/partner.toml"
        if code in groups:
            raise PolicySetError(f"{path}:1: {code!r} is a group of the schema already")
        for folder in partner.adopts:
            _check_known(folder, baselines, path, files, "folder of baseline/")
    for name, agreement in policies.agreements.items():
        path = f"agreements/{name}.toml"
        for party in agreement.parties:
            _check_known(party, {*policies.partners, *groups}, path, files, "partner or group")
        if len(_parties(agreement, policies.partners)) < 2:  # noqa: PLR2004 - an agreement has two parties
            raise PolicySetError(f"{path}:{line_of(_text(path, files), 'parties')}: fewer than two partners")
    for rule in policies.rules.values():
        _check_named(rule, named_partners([rule]), policies.partners, "a partner")
        _check_named(rule, named_agreements([rule]), policies.agreements, "an agreement")


def _check_named(rule: Rule, names: Collection[str], known: Collection[str], what: str) -> None:
    for name in sorted(names):
        if name not in known:
            raise PolicySetError(f"{rule.at}: {name!r} is not {what}{nearest(name, known)}")


def _check_known(
    word: str,
    known: Mapping[str, object] | set[str] | tuple[str, ...],
    path: str,
    files: Mapping[str, bytes],
    what: str,
) -> None:
    if word not in known:
        line = line_of(_text(path, files), word)
        raise PolicySetError(f"{path}:{line}: {word!r} is not a {what}{nearest(word, list(known))}")


def _parties(agreement: Agreement, partners: Mapping[str, PartnerPolicy]) -> set[str]:
    named = set(agreement.parties)
    return {code for code, partner in partners.items() if code in named or named & set(partner.groups)}


def _party_to(
    agreements: Mapping[str, Agreement], partners: Mapping[str, PartnerPolicy]
) -> Mapping[str, frozenset[str]]:
    parties = {name: _parties(agreement, partners) for name, agreement in agreements.items()}
    return {code: frozenset(name for name, codes in parties.items() if code in codes) for code in partners}
