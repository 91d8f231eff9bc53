"""Marks: how a message may be handled, their order, and the join that never loosens.

Not for: who may get a message (`hub/policy`) nor whether an obligation was discharged. Implements
`docs/protocol/07-marks.md`.

The order is a product of six, each from loose to strict, so joins are taken part by part:

    tlp      CLEAR < GREEN < AMBER < AMBER+STRICT < RED
    codes    the empty restriction H0, then every set of H1, H2, H3 by inclusion
    eval     source A < B < C < X and information 1 < 2 < 3 < 4; no evaluation is above them all (nobody vouches)
    court    may be used in court < may not
    retain   longer < shorter
    caveats  every set by inclusion
"""

from enum import StrEnum
from functools import reduce
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from hub.protocol.errors import MarksLoosenedError
from hub.protocol.strictjson import write_json
from hub.protocol.wire import Wire, parse_wire

DAY: Final = 86_400  # seconds
MAX_RETAIN: Final = 3_653 * DAY  # ten years, the review period of INTERPOL's SLTD records; nothing is kept for longer


class Tlp(StrEnum):
    """FIRST Traffic Light Protocol 2.0, from loose to strict; compare with `is_at_least_as_strict`, never with `<`."""

    CLEAR = "CLEAR"
    GREEN = "GREEN"
    AMBER = "AMBER"
    AMBER_STRICT = "AMBER+STRICT"
    RED = "RED"


class HandlingCode(StrEnum):
    """Europol SIENA handling codes."""

    H0 = "H0"
    H1 = "H1"
    H2 = "H2"
    H3 = "H3"


class Caveat(StrEnum):
    """The words that go with H3; a closed list, so that programs can keep them."""

    CONTACT_BEFORE_ACTION = "contact-before-action"
    LIFE_AT_RISK = "life-at-risk"
    NO_ATTRIBUTION = "no-attribution"
    NO_AUTOMATED_DECISION = "no-automated-decision"
    NO_COERCIVE_MEASURE = "no-coercive-measure"
    NO_ONWARD_WITHOUT_LEAVE = "no-onward-without-leave"
    NO_STORAGE = "no-storage"
    NOT_FOR_HOST_COUNTRY = "not-for-host-country"
    NOT_FOR_PRIVATE_SECTOR = "not-for-private-sector"
    NOT_FOR_STATE_OF_NATIONALITY = "not-for-state-of-nationality"
    NOT_FOR_SUBJECT = "not-for-subject"
    SPECIAL_CATEGORY_DATA = "special-category-data"


_TLP_ORDER: Final = tuple(Tlp)
_SOURCES: Final = "ABCX"
_UNRESTRICTED: Final = (HandlingCode.H0,)


class Marks(Wire):
    """The marks of one message, in their only spelling (docs/protocol/07-marks.md section 2).

    Attributes:
        tlp: who may see it.
        codes: handling codes, sorted and unique; `H0` stands alone, `H3` exactly when there is a caveat.
        eval: evaluation of the source (A, B, C, X) and of the information (1-4); None when nobody vouches for it.
        court: True when it may be used in court; never beside `H1`.
        retain: seconds after which an addressee destroys its copy, counted from its arrival.
        caveats: sorted and unique.
    """

    tlp: Tlp
    codes: tuple[HandlingCode, ...] = _UNRESTRICTED
    eval: Annotated[str, Field(pattern=r"^[ABCX][1-4]$")] | None = None
    court: bool = False
    retain: Annotated[int, Field(ge=1, le=MAX_RETAIN)] = 90 * DAY
    caveats: tuple[Caveat, ...] = ()

    @model_validator(mode="after")
    def _has_one_spelling(self) -> Self:
        for name, words in (("codes", self.codes), ("caveats", self.caveats)):
            if list(words) != sorted(set(words)):
                raise ValueError(f"{name} must be sorted and without repetition")
        if not self.codes or (HandlingCode.H0 in self.codes and self.codes != _UNRESTRICTED):
            raise ValueError("codes must be H0 alone or some of H1, H2, H3")
        if HandlingCode.H1 in self.codes and self.court:
            raise ValueError("court must be false beside H1 (not to be used as evidence)")
        if (HandlingCode.H3 in self.codes) != bool(self.caveats):
            raise ValueError("H3 and caveats go together: give both or neither")
        return self


def parse_marks(value: object) -> Marks:
    """Return the marks in a value that `parse_json` made.

    Raises:
        MalformedError: another shape, or another spelling than the one of `Marks`.
    """
    return parse_wire(Marks, write_json(value))


def _restrictions(codes: tuple[HandlingCode, ...]) -> frozenset[HandlingCode]:
    return frozenset(codes) - frozenset(_UNRESTRICTED)


def _join_eval(a: str | None, b: str | None) -> str | None:
    if a is None or b is None:
        return None
    return max(a[0], b[0], key=_SOURCES.index) + max(a[1], b[1])


def _join_two(a: Marks, b: Marks) -> Marks:
    return Marks(
        tlp=max(a.tlp, b.tlp, key=_TLP_ORDER.index),
        codes=tuple(sorted(_restrictions(a.codes) | _restrictions(b.codes))) or _UNRESTRICTED,
        eval=_join_eval(a.eval, b.eval),
        court=a.court and b.court,
        retain=min(a.retain, b.retain),
        caveats=tuple(sorted({*a.caveats, *b.caveats})),
    )


def join(first: Marks, *others: Marks) -> Marks:
    """Return the least marks that are at least as strict as each of these (the lattice's join)."""
    return reduce(_join_two, others, first)


def is_at_least_as_strict(a: Marks, b: Marks) -> bool:
    """Return whether `a` is at least as strict as `b` in every part."""
    return _join_two(a, b) == a


def check_not_loosened(derived: Marks, *sources: Marks) -> None:
    """Check the marks of an answer, update, relay or quotation against those of everything that it derives from.

    Raises:
        MarksLoosenedError: a part is looser than in a source; the detail names the parts, not their values.
    """
    if not sources:
        return
    least = join(derived, *sources)
    loose = [name for name in Marks.model_fields if getattr(least, name) != getattr(derived, name)]
    if loose:
        raise MarksLoosenedError("looser than a source: " + ", ".join(loose))
