"""What the rules of a set can tell apart of a message, read out of the rules themselves."""

import pytest

from hub.policy.engine import Rule, Schema, parse_rules
from hub.policy.views import MessageViews
from tests.support.policy import message, shipped_files

TERM = 1_800_000_000


def rules(*conditions: str) -> tuple[Rule, ...]:
    path = "schema.cedarschema"
    schema = Schema(path, shipped_files()[path].decode())
    text = "".join(
        f'@id("R-{place}")\npermit (principal, action == Action::"release", resource)\nwhen {{ {condition} }};\n'
        for place, condition in enumerate(conditions)
    )
    return parse_rules("test.cedar", text, schema)


def views(*conditions: str) -> MessageViews:
    return MessageViews(rules(*conditions), [TERM])


IN_FORCE = "principal has agreement && principal.agreement.validFrom <= resource.message.at"


def test_what_no_rule_reads_is_not_seen() -> None:
    seen = views('resource.message.purpose == Purpose::"customs-control"')
    assert seen.of(message()) == seen.of(message(topics=("hs:93",), retain=5, at=TERM - 9))
    assert seen.of(message()) != seen.of(message(purpose="investigation"))


def test_what_is_asked_for_with_has_is_seen() -> None:
    seen = views("resource.message has operation")
    assert seen.of(message(operation=None)) != seen.of(message(operation="exercise-lantern"))


def test_the_program_itself_reads_three_members() -> None:
    seen = views()
    assert seen.of(message()) != seen.of(message(originator="de-customs"))
    assert seen.of(message()) != seen.of(message(caveats=("life-at-risk",), codes=("H3",)))


def test_moments_between_two_terms_look_alike_and_the_terms_do_not() -> None:
    seen = views(IN_FORCE, "principal has agreement && resource.message.at < principal.agreement.validUntil")
    before, at, after, later = (seen.of(message(at=TERM + second)) for second in (-1, 0, 1, 2))
    assert len({before, at, after}) == 3
    assert after == later
    assert before == seen.of(message(at=0))


@pytest.mark.parametrize(
    "condition",
    [
        "resource.message.at < 1900000000",
        "resource.message.at == 1900000000",
        "[1, 2].contains(resource.message.at)",
        "resource.message.retain < resource.message.at",
        "resource.message == resource.message",
    ],
)
def test_a_clock_that_is_read_otherwise_is_seen_to_the_second(condition: str) -> None:
    seen = views(IN_FORCE, condition)
    assert seen.of(message(at=5)) != seen.of(message(at=6))
