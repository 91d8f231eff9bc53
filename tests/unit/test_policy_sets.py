"""A policy set is loaded whole or refused, with file, line and the nearest right word."""

from collections.abc import Callable
from hashlib import sha256

import pytest

from hub.policy.sets import PolicySet, bundle, digest_of, unbundle
from hub.protocol.encoding import lp
from hub.protocol.errors import PolicySetError
from tests.support.policy import Files, change, permit_everything, shipped_files, shipped_set

FR = "partners/fr-customs/partner.toml"
NAPLES = "agreements/eu-naples.toml"
FLOOR = "hub/floor.cedar"
DUTIES = "hub/duties.cedar"
OUT = "partners/fr-customs/outbound.cedar"
SCHEMA = "schema.cedarschema"
RULE = """
@id("{id}")
@title("t")
@legal("l")
@review("2030-01-01")
{body}
"""
ANY = '(principal, action == Action::"release", resource)'


def _replace(path: str, old: str, new: str) -> Callable[[Files], None]:
    def change_text(files: Files) -> None:
        assert old.encode() in files[path], "the test no longer changes anything"
        files[path] = files[path].replace(old.encode(), new.encode(), 1)

    return change_text


def _put(path: str, text: str) -> Callable[[Files], None]:
    return lambda files: files.__setitem__(path, text.encode())


def _set(path: str, name: str, value: object) -> Callable[[Files], None]:
    return lambda files: change(files, path, name, value)


def _rule(path: str, rule_id: str, body: str) -> Callable[[Files], None]:
    return lambda files: files.__setitem__(path, files.get(path, b"") + RULE.format(id=rule_id, body=body).encode())


def test_the_digest_is_over_paths_and_contents() -> None:
    files = {"b": b"2", "a": b"1"}
    expected = sha256(lp("a", sha256(b"1").digest(), "b", sha256(b"2").digest())).hexdigest()
    assert digest_of(files) == expected
    assert shipped_set().digest == digest_of(shipped_files())
    assert shipped_set().version == shipped_files()["VERSION"].decode().strip()


def test_a_bundle_comes_back_and_has_one_spelling() -> None:
    files = shipped_files()
    assert unbundle(bundle(files)) == files
    assert bundle(dict(reversed(files.items()))) == bundle(files)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"a":1}', b'{"a":"="}', b'{"a":"","a":""}', b"\xff"])
def test_what_is_not_a_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(PolicySetError):
        unbundle(data)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda files: files.pop(FLOOR), r"hub/floor.cedar:1: the file is missing"),
        (_put("hub/flor.cedar", ""), r"hub/flor.cedar:1: .*did you mean 'hub/floor.cedar'"),
        (_put("partners/zz-new/outbound.cedar", ""), r"no partner.toml"),
        (_put("partners/nocode/partner.toml", ""), r"partners/nocode/partner.toml:1: .*partner code"),
        (_put("VERSION", "latest"), r"VERSION:1: "),
        (lambda files: files.__setitem__(FLOOR, b"// x\n\xff"), r"hub/floor.cedar:2: not UTF-8"),
        # partners
        (_set(FR, "kind", "custom"), rf"{FR}:2: kind: .*did you mean 'customs'"),
        (_set(FR, "country", "FX"), rf"{FR}:3: country: "),
        (_set(FR, "groups", ["eu-custom"]), rf"{FR}:4: .*did you mean 'eu-customs'"),
        (_set(FR, "adopts", ["custom"]), rf"{FR}:5: .*did you mean 'customs'"),
        (_set(FR, "discharges", ["retention-day"]), r"discharges: .*did you mean 'retention-days'"),
        (_set(FR, "clearence", "none"), rf"{FR}:1: clearence: .*did you mean 'clearance'"),
        (_set(FR, "code", "de-customs"), rf"{FR}:1: 'code' follows from the file's name"),
        (_replace(FR, 'kind = "customs"', "kind = customs"), rf"{FR}:2: "),
        (_replace(FR, 'kind = "customs"\n', ""), rf"{FR}:1: kind: Field required"),
        # agreements
        (_set(NAPLES, "compartments", ["identty"]), rf"{NAPLES}:.*did you mean 'identity'"),
        (_set(NAPLES, "ceiling", "AMBR"), rf"{NAPLES}:\d+: ceiling: .*did you mean 'AMBER'"),
        (_set(NAPLES, "parties", ["fr-custom", "eu-customs"]), rf"{NAPLES}:\d+: .*did you mean 'fr-customs'"),
        (_set(NAPLES, "parties", ["fr-customs"]), rf"{NAPLES}:\d+: fewer than two partners"),
        (_replace(NAPLES, "valid_until = 2031-12-31", "valid_until = 2023-12-31"), r"lies before valid_from"),
        (_replace(NAPLES, "valid_until = 2031-12-31", "valid_until = 2031-13-31"), rf"{NAPLES}:\d+: "),
        (_set(NAPLES, "retention_days", 0), r"retention_days: "),
        # rules
        (_rule(FLOOR, "HUB-99", f"permit {ANY};"), r"hub/floor.cedar:\d+: the floor only forbids"),
        (_rule(FLOOR, "HUB-01", f"forbid {ANY};"), r"the id 'HUB-01' stands at hub/floor.cedar:6 already"),
        (_rule(FLOOR, "FLOOR-99", f"forbid {ANY};"), r"'FLOOR-99' is not 'HUB-' and two or three digits"),
        (_rule(OUT, "DE-CUSTOMS-OUT-09", f"permit {ANY};"), r"is not 'FR-CUSTOMS-OUT-'"),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", 'permit (principal, action == Action::"accept", resource);'),
            r'must say action == Action::"release"',
        ),
        (_rule(OUT, "FR-CUSTOMS-OUT-09", "permit (principal, action, resource);"), r'Action::"release"'),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", f"permit {ANY} when {{ resource.message.retain + 1 > 0 }};"),
            r"no arithmetic",
        ),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", f'permit {ANY} when {{ resource.label == Purpose::"alert" }};'),
            r"is never 'label', which is of Label",
        ),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", f'permit {ANY} when {{ [Kind::"police"].contains(resource.label) }};'),
            r"the types Kind and Label are not compatible",
        ),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", f'permit {ANY} when {{ resource.message.topics.contains("hs:99") }};'),
            r"the only words in plain quotes are topics",
        ),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", f'permit {ANY} when {{ principal in Partner::"de-custom" }};'),
            r"'de-custom' is not a partner; did you mean 'de-customs'",
        ),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", f'forbid {ANY} when {{ principal == Partner::"de-customs" }};'),
            r"principal has no name to compare",
        ),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", f'forbid {ANY} when {{ principal == Addressee::"0" }};'),
            r"principal has no name to compare",
        ),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", f'forbid {ANY} when {{ [Addressee::"0"].contains(principal) }};'),
            r"principal has no name to compare",
        ),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", f'forbid {ANY} when {{ resource.message == Message::"message" }};'),
            r"a rule cannot name a Message",
        ),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", f'forbid {ANY} when {{ principal in Addressee::"0" }};'),
            r"nothing is ever in Addressee::",
        ),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", f'forbid {ANY} when {{ principal in Tlp::"RED" }};'),
            r"nothing is ever in Tlp::",
        ),
        (
            _rule(
                OUT,
                "FR-CUSTOMS-OUT-09",
                f"forbid {ANY}"
                ' when { principal has agreement && principal.agreement == Agreement::"eu-naple" };',
            ),
            r"'eu-naple' is not an agreement; did you mean 'eu-naples'",
        ),
        (
            _rule(OUT, "FR-CUSTOMS-OUT-09", f'@duty("no-onward")\npermit {ANY};'),
            r"@duty belongs to every rule of hub/duties.cedar, and to no other",
        ),
        (_rule(OUT, "FR-CUSTOMS-OUT-09", f'@titel("x")\npermit {ANY};'), r"did you mean 'title'"),
        (_replace(FLOOR, '@legal("Exercise Rules s. 2")\n', ""), r"hub/floor.cedar:13: the rule has no @legal"),
        (_replace(FLOOR, '@review("2027-06-30")', '@review("soon")'), r"@review is not a day"),
        (_replace(FLOOR, '@reason("no-agreement")', '@reason("none")'), r"@reason is none of"),
        # duties
        (_replace(DUTIES, '@duty("no-onward")', '@duty("no-onwards")'), r"'no-onwards' is not a duty; did you mean"),
        (_replace(DUTIES, '@duty("retention-days:90")', '@duty("retention-days:x")'), r"write 'retention-days:N'"),
        (_replace(DUTIES, '@duty("no-onward")', '@duty("caveat:no-storrage")'), r"did you mean 'no-storage'"),
        (_replace(DUTIES, "permit", "forbid"), r"a duty is owed"),
        # schema
        (_replace(SCHEMA, '"threat-analysis", ', ""), r"schema.cedarschema:\d+: Purpose is not this program's list"),
        (_replace(SCHEMA, '"firearms"', '"weapons"'), r"Offence is not this program's list"),
        (_replace(SCHEMA, "  isNamed: Bool,", "  isNamd: Bool,"), r"do not fit the schema"),
        (_replace(SCHEMA, "retain: Long", "retain: Lng"), r"schema.cedarschema:\d+: .*did you mean 'Long'"),
    ],
)  # fmt: skip
def test_a_bad_set_is_refused_with_its_place(spoil: Callable[[Files], object], expected: str) -> None:
    files = shipped_files()
    spoil(files)
    with pytest.raises(PolicySetError, match=expected):
        PolicySet.load(files)


def test_a_partners_file_is_evaluated_for_its_own_traffic_only() -> None:
    policies = shipped_set()
    for code in policies.partners:
        own = {rule for rule in policies.rules if rule.startswith(("FR-CUSTOMS-OUT", "US-CUSTOMS-IN"))}
        release, accept = policies.release_slice(code).rules.keys(), policies.accept_slice(code).rules.keys()
        assert bool(own & release) == (code == "fr-customs")
        assert bool(own & accept) == (code == "us-customs")


def test_every_slice_has_the_whole_floor() -> None:
    policies = shipped_set()
    floor = {name for name, rule in policies.rules.items() if rule.path == FLOOR}
    assert len(floor) >= 20
    for code in policies.partners:
        assert floor <= policies.release_slice(code).rules.keys()


def test_partners_with_the_same_rules_share_a_slice() -> None:
    policies = shipped_set()
    assert policies.accept_slice("de-customs") is policies.accept_slice("fr-customs")
    assert policies.accept_slice("us-customs") is not policies.accept_slice("fr-customs")


def test_agreements_hold_between_any_two_parties() -> None:
    policies = shipped_set()
    assert "eu-naples" in policies.agreements_between("fr-customs", "de-customs")
    assert policies.agreements_between("ke-customs", "fr-customs") == policies.agreements_between(
        "fr-customs", "ke-customs"
    )
    assert policies.agreements_between("fr-customs", "zz-nobody") == ()


def test_what_one_partner_writes_changes_the_digest() -> None:
    files = shipped_files()
    permit_everything(files, "de-customs")
    assert PolicySet.load(files).digest != shipped_set().digest
