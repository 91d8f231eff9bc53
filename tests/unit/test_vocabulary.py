"""The closed lists: what they let through, and what they say when they do not."""

import pytest
from pydantic import TypeAdapter, ValidationError

from hub.protocol.errors import CodeListError
from hub.protocol.vocabulary import (
    COUNTRIES,
    FACETS,
    LABELS_OF,
    MAX_PARTNER_CODE,
    NOMINAL,
    REQUIRED_LABEL,
    Label,
    MessageKind,
    PartnerCode,
    Topic,
    check_country,
    check_partner_code,
    check_topic,
)


@pytest.mark.parametrize("code", ["fr-customs", "int-bureau", "rilo-we", "xk-police-2", "a-b"])
def test_partner_codes(code: str) -> None:
    assert check_partner_code(code) == code


@pytest.mark.parametrize(
    "code",
    [
        "",
        "customs",
        "FR-customs",
        "fr--customs",
        "-fr-customs",
        "fr-",
        "fr_customs",
        "fr-customs\n",
        "é-b",
        "a-" + "b" * 31,
    ],
)
def test_what_is_no_partner_code(code: str) -> None:
    with pytest.raises(CodeListError):
        check_partner_code(code)


def test_the_longest_partner_code_fits() -> None:
    longest = "a-" + "b" * (MAX_PARTNER_CODE - 2)
    assert check_partner_code(longest) == longest


@pytest.mark.parametrize("topic", ["hs:01", "hs:97", "mode:rail", "transit:QA", "origin:ZZ", "subject:modus-operandi"])
def test_topics(topic: str) -> None:
    assert check_topic(topic) == topic


@pytest.mark.parametrize(
    "topic",
    ["", "hs", "hs:", "hs:98", "hs:9", "hs:93 ", "hs:93:1", "mode:boat", "transit:QX", "name:LAMPWICK", ":" * 99],
)
def test_what_is_no_topic(topic: str) -> None:
    with pytest.raises(CodeListError):
        check_topic(topic)


def test_a_long_topic_is_not_cut_into_a_valid_one() -> None:
    assert len("subject:modus-operandi") < 64
    with pytest.raises(CodeListError):
        check_topic("hs:93" + " " * 80)


def test_the_nearest_value_is_named() -> None:
    with pytest.raises(CodeListError, match="'transit'"):
        check_topic("transits:QA")
    with pytest.raises(CodeListError, match="'road'"):
        check_topic("mode:raod")


def test_pydantic_reports_the_same_rules_as_its_own_error() -> None:
    for kind, bad in ((PartnerCode, "customs"), (Topic, "hs:99")):
        with pytest.raises(ValidationError) as raised:
            TypeAdapter(kind).validate_python(bad)
        assert raised.value.errors()[0]["type"] == "code_list"


def test_countries_are_iso_3166_and_two_more() -> None:
    assert len(COUNTRIES) == 249 + 2
    assert check_country("QA") == "QA"
    assert {"XK", "ZZ", "FR", "CI", "CW", "SS"} <= COUNTRIES
    assert {"EU", "UK", "AN", "YU", "SU"}.isdisjoint(COUNTRIES)
    with pytest.raises(CodeListError):
        check_country("UK")


def test_every_kind_has_its_required_label_and_every_label_a_kind() -> None:
    assert set(LABELS_OF) == set(REQUIRED_LABEL) == set(MessageKind)
    assert all(REQUIRED_LABEL[kind] in LABELS_OF[kind] for kind in MessageKind)
    assert set().union(*LABELS_OF.values()) == set(Label)
    assert NOMINAL.isdisjoint(REQUIRED_LABEL.values())


def test_facets_hold_only_coarse_values() -> None:
    assert all(len(value) <= 16 for values in FACETS.values() for value in values)
