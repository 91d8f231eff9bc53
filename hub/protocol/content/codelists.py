"""The officer's code lists: closed enums and published lists of which content takes its words.

Not for: the words of the manifest (`hub/protocol/vocabulary.py`) nor numbers with check digits (`identifiers.py`).
Implements `docs/protocol/08-content.md` section 4; `docs/glossary.md` explains each value.
"""

from enum import StrEnum
from typing import Annotated, Final

from hub.protocol.content.shape import coded

# --- what is asked, and what came of it ------------------------------------------------------------------------------


class RequestedAction(StrEnum):
    """What is asked of an addressee, from the most to the least intrusive (Regulation (EU) 2018/1862 art. 36, 37)."""

    SEIZE = "seize"
    INSPECT = "inspect"
    SPECIFIC_CHECK = "specific-check"
    INQUIRY_CHECK = "inquiry-check"
    DISCREET_CHECK = "discreet-check"
    CONTACT_BEFORE_ACTION = "contact-before-action"
    INFORMATION_ONLY = "information-only"


class OutcomeCode(StrEnum):
    """What came of a warning."""

    NOT_ARRIVED = "not-arrived"
    LET_PASS = "let-pass"  # noqa: S105 - an outcome, not a password
    INSPECTED_NEGATIVE = "inspected-negative"
    INSPECTED_POSITIVE = "inspected-positive"
    DETAINED = "detained"
    SEIZED = "seized"
    COULD_NOT_EXECUTE = "could-not-execute"


class LegalReason(StrEnum):
    """Why a requested action could not be executed."""

    NO_LEGAL_POWER = "no-legal-power"
    NO_AUTHORITY_IN_TRANSIT = "no-authority-in-transit"
    FLAGGED_HERE = "flagged-here"
    JUDICIAL_REFUSAL = "judicial-refusal"
    IMMUNITY = "immunity"
    DATA_INSUFFICIENT = "data-insufficient"
    TOO_LATE = "too-late"


class RiskIndicator(StrEnum):
    """Why something is suspected; each comes with its reason in words."""

    ROUTING = "routing"
    MISDECLARATION = "misdeclaration"
    WEIGHT_ANOMALY = "weight-anomaly"
    VALUE_ANOMALY = "value-anomaly"
    IMAGE_ANOMALY = "image-anomaly"
    FIRST_TIME_TRADER = "first-time-trader"
    FRONT_COMPANY = "front-company"
    DOCUMENT_ANOMALY = "document-anomaly"
    TRAVEL_PATTERN = "travel-pattern"
    PAYMENT_PATTERN = "payment-pattern"
    INFORMATION_RECEIVED = "information-received"
    PREVIOUS_SEIZURE = "previous-seizure"


class DetectionMethod(StrEnum):
    """How a seizure came about."""

    RISK_PROFILE = "risk-profile"
    WARNING_MESSAGE = "warning-message"
    DOG = "dog"
    X_RAY = "x-ray"
    ROUTINE = "routine"
    INFORMATION = "information"


# --- persons, companies and documents --------------------------------------------------------------------------------


class Sex(StrEnum):
    """As in the machine-readable zone (ICAO 9303-3); X where it is not specified."""

    FEMALE = "F"
    MALE = "M"
    UNSPECIFIED = "X"


class PersonRole(StrEnum):
    """What a person is to the case."""

    SUSPECT = "suspect"
    COURIER = "courier"
    CONSIGNOR = "consignor"
    CONSIGNEE = "consignee"
    DRIVER = "driver"
    CREW = "crew"
    COMPANION = "companion"
    VICTIM = "victim"
    MISUSED_IDENTITY = "misused-identity"


class WarningMarker(StrEnum):
    """What an officer must know before meeting a person (Regulation (EU) 2018/1862 art. 20(3)(j))."""

    ARMED = "armed"
    VIOLENT = "violent"
    ESCAPED = "escaped"
    SUICIDE_RISK = "suicide-risk"
    HEALTH = "health"
    TERRORISM = "terrorism"


class DocumentType(StrEnum):
    """ICAO 9303 document codes (parts 4 to 7); `O` is any other document."""

    PASSPORT = "P"
    DIPLOMATIC_PASSPORT = "PD"
    EMERGENCY_PASSPORT = "PE"
    OFFICIAL_PASSPORT = "PO"
    REFUGEE_DOCUMENT = "PR"
    SERVICE_PASSPORT = "PS"
    STATELESS_DOCUMENT = "PT"
    LAISSEZ_PASSER = "PU"
    PASSPORT_CARD = "IP"
    IDENTITY_CARD = "I"
    TRAVEL_DOCUMENT_A = "A"
    TRAVEL_DOCUMENT_C = "C"
    CREW_CERTIFICATE = "AC"
    VISA = "V"
    OTHER = "O"


class DocumentFraud(StrEnum):
    """What is wrong with a document (INTERPOL SLTD's three, and what an officer finds)."""

    STOLEN_BLANK = "stolen-blank"
    LOST_OR_STOLEN = "lost-or-stolen"
    REVOKED = "revoked"
    COUNTERFEIT = "counterfeit"
    ALTERED = "altered"
    IMPOSTOR = "impostor"


class CompanyRole(StrEnum):
    """What a company is to a consignment."""

    CONSIGNOR = "consignor"
    CONSIGNEE = "consignee"
    NOTIFY = "notify"
    FORWARDER = "forwarder"
    CARRIER = "carrier"


class TravelSource(StrEnum):
    """Where travel particulars come from: they follow different laws and are never mixed in one message."""

    API = "api"
    PNR = "pnr"
    OTHER = "other"


class Modality(StrEnum):
    """What a biometric sample is of."""

    FACE = "face"
    FINGERPRINTS = "fingerprints"
    PALMPRINTS = "palmprints"
    IRIS = "iris"
    DNA = "dna"


class SampleFormat(StrEnum):
    """How a biometric sample is written down."""

    JPEG = "jpeg"
    PNG = "png"
    WSQ = "wsq"
    NIST_ITL = "nist-itl"
    DNA_PROFILE = "dna-profile"


# --- goods and things ------------------------------------------------------------------------------------------------


class LegRole(StrEnum):
    """What a place is to a route."""

    ORIGIN = "origin"
    TRANSIT = "transit"
    DESTINATION = "destination"


class Direction(StrEnum):
    """Which way seized things went."""

    IMPORT = "import"
    EXPORT = "export"
    TRANSIT = "transit"
    DOMESTIC = "domestic"


class SeizureStatus(StrEnum):
    """What became of seized things."""

    DETAINED = "detained"
    SEIZED = "seized"
    CONFISCATED = "confiscated"
    RELEASED = "released"


class Category(StrEnum):
    """Commodity groups of a seizure: our reading of the thirteen groups of WCO CEN."""

    DRUGS = "drugs"
    PRECURSORS = "precursors"
    TOBACCO = "tobacco"
    ALCOHOL = "alcohol"
    IPR = "ipr"
    MEDICINES = "medicines"
    WEAPONS = "weapons"
    EXPLOSIVES = "explosives"
    CASH = "cash"
    CULTURAL = "cultural"
    WILDLIFE = "wildlife"
    ENVIRONMENT = "environment"
    OTHER = "other"


class ConcealmentPlace(StrEnum):
    """Where something is hidden."""

    BODY = "body"
    CLOTHING = "clothing"
    HAND_LUGGAGE = "hand-luggage"
    HOLD_LUGGAGE = "hold-luggage"
    PARCEL = "parcel"
    WITHIN_GOODS = "within-goods"
    CONTAINER_STRUCTURE = "container-structure"
    VEHICLE_CAVITY = "vehicle-cavity"
    VESSEL_STRUCTURE = "vessel-structure"
    AIRCRAFT_STRUCTURE = "aircraft-structure"
    NOT_CONCEALED = "not-concealed"


class FirearmUnit(StrEnum):
    """What one counts in a line of firearms; the three are never added up."""

    WHOLE = "whole"
    PART = "part"
    AMMUNITION = "ammunition"


class FirearmKind(StrEnum):
    """What a whole firearm is."""

    PISTOL = "pistol"
    REVOLVER = "revolver"
    RIFLE = "rifle"
    SHOTGUN = "shotgun"
    SUBMACHINE_GUN = "submachine-gun"
    MACHINE_GUN = "machine-gun"
    CONVERTED = "converted"
    PRIVATELY_MADE = "privately-made"
    OTHER = "other"


class FirearmPart(StrEnum):
    """What a part is (UN Firearms Protocol art. 3(b); Directive (EU) 2021/555 art. 1(1)(2))."""

    BARREL = "barrel"
    FRAME = "frame"
    RECEIVER = "receiver"
    SLIDE = "slide"
    CYLINDER = "cylinder"
    BOLT = "bolt"
    SILENCER = "silencer"
    MAGAZINE = "magazine"
    OTHER = "other"


class CashInstrument(StrEnum):
    """Currency and bearer-negotiable instruments (FATF recommendation 32)."""

    BANKNOTES = "banknotes"
    COINS = "coins"
    CHEQUE = "cheque"
    TRAVELLERS_CHEQUE = "travellers-cheque"
    PROMISSORY_NOTE = "promissory-note"
    MONEY_ORDER = "money-order"
    PREPAID_CARD = "prepaid-card"
    GOLD = "gold"


class ObjectCategory(StrEnum):
    """Objects that a person carries or that are looked for (Regulation (EU) 2018/1862 art. 38(2))."""

    VEHICLE = "vehicle"
    TRAILER = "trailer"
    CARAVAN = "caravan"
    INDUSTRIAL_EQUIPMENT = "industrial-equipment"
    BOAT = "boat"
    BOAT_ENGINE = "boat-engine"
    CONTAINER = "container"
    AIRCRAFT = "aircraft"
    AIRCRAFT_ENGINE = "aircraft-engine"
    FIREARM = "firearm"
    BLANK_DOCUMENT = "blank-document"
    ISSUED_DOCUMENT = "issued-document"
    PLATE = "plate"
    BANKNOTE = "banknote"
    IT_ITEM = "it-item"
    VEHICLE_PART = "vehicle-part"
    EQUIPMENT_PART = "equipment-part"
    OTHER = "other"


class Unit(StrEnum):
    """UNECE recommendation 20: the units that customs officers count in."""

    KILOGRAM = "KGM"
    GRAM = "GRM"
    MILLIGRAM = "MGM"
    TONNE = "TNE"
    CARAT = "CTM"
    LITRE = "LTR"
    MILLILITRE = "MLT"
    METRE = "MTR"
    SQUARE_METRE = "MTK"
    CUBIC_METRE = "MTQ"
    PIECE = "H87"
    ONE = "C62"
    PAIR = "PR"
    SET = "SET"
    DOZEN = "DZN"
    THOUSAND = "MIL"


# --- published lists -------------------------------------------------------------------------------------------------

_ISO_4217: Final = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC
CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR
ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE
SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF
YER ZAR ZMW ZWG
"""
# Withdrawn since 2020; the notes are still carried.
_WITHDRAWN: Final = "ANG BGN HRK SLL ZWL"

CURRENCIES: Final[frozenset[str]] = frozenset((_ISO_4217 + _WITHDRAWN).split())
"""ISO 4217 codes of money in circulation, without funds, metals and test codes, and a few withdrawn ones."""

_ISO_3166_ALPHA_3: Final = """
ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS BIH BLM BLR BLZ
BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV CRI CUB CUW CXR CYM CYP CZE DEU
DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB GIN GLP GMB GNB GNQ GRC
GRD GRL GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM JEY JOR JPN KAZ KEN KGZ KHM
KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG
MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL
PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS SHN SJM SLB SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN
SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON TTO TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB
VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
"""
# ICAO 9303-3 section 5, parts B to D: Germany's D, British nationality classes, the EU, UN and other bodies, stateless
# persons and refugees (XXA, XXB, XXC), unspecified (XXX), Kosovo, and Utopia, which issues specimens only.
_ICAO_OTHERS: Final = """
D EUE GBD GBN GBO GBP GBS RKS UNA UNK UNO UTO XAA XBA XCC XCE XCO XDC XEC XES XIM XMP XOM XPO XXA XXB XXC XXX
"""

ISSUERS: Final[frozenset[str]] = frozenset((_ISO_3166_ALPHA_3 + _ICAO_OTHERS).split())
"""Who issues travel documents and whose nationality they state, in the codes of ICAO 9303-3 section 5."""

Currency = Annotated[str, coded(CURRENCIES, "ISO 4217")]
Issuer = Annotated[str, coded(ISSUERS, "the issuer codes of ICAO 9303-3")]
