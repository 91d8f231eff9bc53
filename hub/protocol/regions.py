"""The regions of the world as subscriptions name them, and which countries each has.

Not for: topics, whose facets are countries (`vocabulary.py`): a message never names a region. Implements
`docs/protocol/02-envelope.md` section 9.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from hub.protocol.vocabulary import Region

_AFRICA: Final = """
AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW IO KE KM LR LS LY MA MG ML MR MU MW MZ NA NE NG
RE RW SC SD SH SL SN SO SS ST SZ TD TF TG TN TZ UG YT ZA ZM ZW
"""
_AMERICAS: Final = """
AG AI AR AW BB BL BM BO BQ BR BS BV BZ CA CL CO CR CU CW DM DO EC FK GD GF GL GP GS GT GY HN HT JM KN KY LC MF MQ MS
MX NI PA PE PM PR PY SR SV SX TC TT US UY VC VE VG VI
"""
_ASIA: Final = """
AE AF AM AZ BD BH BN BT CN CY GE HK ID IL IN IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM PH PK PS QA
SA SG SY TH TJ TL TM TR TW UZ VN YE
"""
_EUROPE: Final = """
AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT NL NO
PL PT RO RS RU SE SI SJ SK SM UA VA XK
"""
_OCEANIA: Final = """
AS AU CC CK CX FJ FM GU HM KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS
"""

COUNTRIES_OF: Final[Mapping[Region, Collection[str]]] = MappingProxyType(
    {
        Region.AFRICA: frozenset(_AFRICA.split()),
        Region.AMERICAS: frozenset(_AMERICAS.split()),
        Region.ASIA: frozenset(_ASIA.split()),
        Region.EUROPE: frozenset(_EUROPE.split()),
        Region.OCEANIA: frozenset(_OCEANIA.split()),
    }
)
"""UN M49, its five regions; Antarctica and bodies of no country are in none, Taiwan and Kosovo where they lie."""
