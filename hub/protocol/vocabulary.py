"""The closed lists of words that cross the wire: one enum each, and which labels a message may have.

Not for: marks (`marks.py`) nor the officer's code lists (`content/codelists.py`). Implements
`docs/protocol/02-envelope.md` section 2 and `docs/protocol/08-content.md` section 1; `docs/glossary.md` explains each
value.
"""

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from hub.protocol.errors import CodeListError

MAX_TOPICS: Final = 16  # topics of one message; more would describe the content to the hub instead of routing it
MAX_PARTNER_CODE: Final = 32  # characters

# --- the message ---------------------------------------------------------------------------------------------------


class MessageKind(StrEnum):
    """The three customs messages (WCO CENcomm's three templates)."""

    WARNING = "warning"
    FEEDBACK = "feedback"
    SEIZURE = "seizure"


class Verb(StrEnum):
    """What a message does to its thread (OASIS CAP 1.2 `msgType`)."""

    ALERT = "alert"
    UPDATE = "update"
    CANCEL = "cancel"
    ACK = "ack"
    ERROR = "error"


class Status(StrEnum):
    """Whether anybody shall act on it (OASIS CAP 1.2 `status`)."""

    ACTUAL = "actual"
    EXERCISE = "exercise"
    TEST = "test"


class Priority(StrEnum):
    """How fast an addressee is asked to look."""

    ROUTINE = "routine"
    URGENT = "urgent"


class Act(StrEnum):
    """What an addressee's officers did about a message."""

    CHECKED = "checked"
    SEIZED = "seized"
    NO_FIND = "no-find"
    PASSED_ON = "passed-on"
    NOT_ACTIONABLE = "not-actionable"
    ANSWERED = "answered"


class Purpose(StrEnum):
    """What the content may be used for (INTERPOL Rules on the Processing of Data, article 10, and customs control)."""

    WANTED_PERSONS = "wanted-persons"
    IDENTIFY_PERSONS = "identify-persons"
    INVESTIGATION = "investigation"
    ALERT = "alert"
    REMAINS = "remains"
    FORENSIC = "forensic"
    SECURITY_CHECK = "security-check"
    THREAT_ANALYSIS = "threat-analysis"
    BORDER_MANAGEMENT = "border-management"
    CUSTOMS_CONTROL = "customs-control"


class Offence(StrEnum):
    """The class of offence that the message is about."""

    TERRORISM = "terrorism"
    FIREARMS = "firearms"
    EXPLOSIVES = "explosives"
    DRUGS = "drugs"
    CASH = "cash"
    IPR = "ipr"
    CULTURAL = "cultural"
    WILDLIFE = "wildlife"
    TRAFFICKING = "trafficking"
    MONEY_LAUNDERING = "money-laundering"
    REVENUE = "revenue"
    OTHER_SERIOUS = "other-serious"
    NONE = "none"


class Basis(StrEnum):
    """The legal instrument under which the originator sends."""

    CMAA = "cmaa"
    NAIROBI = "nairobi"
    NAPLES_II = "naples-ii"
    JOHANNESBURG = "johannesburg"
    PRUM_II = "prum-ii"
    INTERPOL_RPD = "interpol-rpd"
    OPERATION_PLAN = "operation-plan"
    NATIONAL_LAW = "national-law"


# --- compartments --------------------------------------------------------------------------------------------------


class Label(StrEnum):
    """What a compartment holds; content has one shape for each label and message kind."""

    ACTION = "action"
    CONSIGNMENT = "consignment"
    CONVEYANCE = "conveyance"
    IDENTITY = "identity"
    COMPANY = "company"
    TRAVEL = "travel"
    FINANCIAL = "financial"
    BIOMETRICS = "biometrics"
    NARRATIVE = "narrative"
    ATTACHMENT = "attachment"
    OUTCOME = "outcome"
    OBSERVATION = "observation"
    SEIZURE = "seizure"
    STATISTICS = "statistics"


LABELS_OF: Final[Mapping[MessageKind, frozenset[Label]]] = MappingProxyType(
    {
        MessageKind.WARNING: frozenset(
            {
                Label.ACTION,
                Label.CONSIGNMENT,
                Label.CONVEYANCE,
                Label.IDENTITY,
                Label.COMPANY,
                Label.TRAVEL,
                Label.FINANCIAL,
                Label.BIOMETRICS,
                Label.NARRATIVE,
                Label.ATTACHMENT,
            }
        ),
        MessageKind.FEEDBACK: frozenset(
            {Label.OUTCOME, Label.OBSERVATION, Label.IDENTITY, Label.NARRATIVE, Label.ATTACHMENT}
        ),
        MessageKind.SEIZURE: frozenset(
            {
                Label.SEIZURE,
                Label.STATISTICS,
                Label.IDENTITY,
                Label.CONVEYANCE,
                Label.NARRATIVE,
                Label.ATTACHMENT,
            }
        ),
    }
)
"""Which labels the compartments of a message may have."""

REQUIRED_LABEL: Final[Mapping[MessageKind, Label]] = MappingProxyType(
    {
        MessageKind.WARNING: Label.ACTION,
        MessageKind.FEEDBACK: Label.OUTCOME,
        MessageKind.SEIZURE: Label.SEIZURE,
    }
)
"""The one label that every message of a kind has."""

NOMINAL: Final[frozenset[Label]] = frozenset(
    {Label.IDENTITY, Label.TRAVEL, Label.BIOMETRICS, Label.NARRATIVE, Label.OBSERVATION, Label.ATTACHMENT}
)
"""Labels whose content can name a natural person; all others are non-nominal."""

# --- partners ------------------------------------------------------------------------------------------------------


class PartnerKind(StrEnum):
    """What a partner is; `hub` is a peer."""

    CUSTOMS = "customs"
    POLICE = "police"
    BUREAU = "bureau"
    RILO = "rilo"
    HUB = "hub"


INTERNATIONAL: Final = "ZZ"  # ISO 3166-1 user-assigned: bodies that belong to no country

_ISO_3166: Final = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA
CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA
GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP
KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS
MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS
RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW
TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""

COUNTRIES: Final[frozenset[str]] = frozenset(_ISO_3166.split()) | {
    "XK",  # Kosovo: user-assigned, not of ISO 3166-1, but in force in the WCO, the EU and ICAO 9303-3
    INTERNATIONAL,
}
"""ISO 3166-1 alpha-2 with `XK` and `ZZ`."""

# --- topics --------------------------------------------------------------------------------------------------------


class TransportMode(StrEnum):
    """How goods or persons move (UNECE recommendation 19, the modes that customs control)."""

    AIR = "air"
    SEA = "sea"
    ROAD = "road"
    RAIL = "rail"
    POST = "post"


class Subject(StrEnum):
    """What a warning is about."""

    CONSIGNMENT = "consignment"
    PERSON = "person"
    CONVEYANCE = "conveyance"
    CASH = "cash"
    DOCUMENT = "document"
    MODUS_OPERANDI = "modus-operandi"


class Region(StrEnum):
    """A part of the world (UN M49); subscriptions name it, messages never do."""

    AFRICA = "africa"
    AMERICAS = "americas"
    ASIA = "asia"
    EUROPE = "europe"
    OCEANIA = "oceania"


ROUTE: Final = ("origin", "transit", "destination")  # the facets that say where something comes from and goes
FACETS: Final[Mapping[str, Collection[str]]] = MappingProxyType(
    {
        "hs": frozenset(f"{chapter:02}" for chapter in range(1, 98)),  # Harmonized System chapters
        "mode": frozenset(TransportMode),
        "origin": COUNTRIES,
        "transit": COUNTRIES,
        "destination": COUNTRIES,
        "subject": frozenset(Subject),
    }
)
"""The facets of a topic and the values of each: coarse on purpose, because hubs read them and records keep them."""

# --- checks --------------------------------------------------------------------------------------------------------

_PARTNER_CODE: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+\Z")


def nearest(text: str, allowed: Collection[str]) -> str:
    """Return the closest allowed value as a half-sentence for an error's detail, or nothing."""
    found = difflib.get_close_matches(text, sorted(allowed), n=1)
    return f"; did you mean '{found[0]}'?" if found else ""


def not_in_list(reason: str) -> PydanticCustomError:
    """Return the ValueError that content's `parse_*` turns into a CodeListError; `reason` is for the writer only."""
    return PydanticCustomError("code_list", "{reason}", {"reason": reason})


def _partner_code(text: str) -> str:
    if len(text) > MAX_PARTNER_CODE or not _PARTNER_CODE.match(text):
        raise not_in_list(
            "not a partner code: small letters and digits in at least two groups joined by '-', at most "
            f"{MAX_PARTNER_CODE} characters, such as 'fr-customs'"
        )
    return text


def _topic(text: str) -> str:
    facet, _, value = text[:64].partition(":")
    if facet not in FACETS:
        raise not_in_list(f"not a topic of the form facet:value, such as 'hs:93'{nearest(facet, FACETS)}")
    if f"{facet}:{value}" != text or value not in FACETS[facet]:
        raise not_in_list(f"not a value of the facet {facet!r}{nearest(value, FACETS[facet])}")
    return text


def _country(text: str) -> str:
    if text not in COUNTRIES:
        raise not_in_list(f"not a country code (ISO 3166-1 alpha-2){nearest(text[:64], COUNTRIES)}")
    return text


def _checked(rule: Callable[[str], str], text: str) -> str:
    try:
        return rule(text)
    except ValueError as error:
        raise CodeListError(str(error)) from None


def check_partner_code(text: str) -> str:
    """Return `text`, which is a partner's code such as `fr-customs`.

    Raises:
        CodeListError: it is not of that form.
    """
    return _checked(_partner_code, text)


def check_topic(text: str) -> str:
    """Return `text`, which is a topic such as `hs:93` or `transit:QA`.

    Raises:
        CodeListError: the facet or its value is not in the closed list; the detail names the nearest one.
    """
    return _checked(_topic, text)


def check_country(text: str) -> str:
    """Return `text`, which is an ISO 3166-1 alpha-2 code, `XK` or `ZZ`.

    Raises:
        CodeListError: it is none of them; the detail names the nearest one.
    """
    return _checked(_country, text)


PartnerCode = Annotated[str, AfterValidator(_partner_code)]
Topic = Annotated[str, AfterValidator(_topic)]
Country = Annotated[str, AfterValidator(_country)]
