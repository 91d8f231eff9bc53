"""Numbers that things carry, each with the form and the check digit of its standard.

Not for: whether such a thing exists. Implements `docs/protocol/08-content.md` section 3.
"""

import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from hub.protocol.content.shape import wrong
from hub.protocol.vocabulary import COUNTRIES, nearest, not_in_list


def _mismatch(standard: str) -> PydanticCustomError:
    return PydanticCustomError(
        "check_digit", "fails the check digit of {standard}; read it again from the source", {"standard": standard}
    )


def _form(pattern: str, reason: str) -> Callable[[str], str]:
    matcher = re.compile(pattern)

    def check(text: str) -> str:
        if not matcher.fullmatch(text):
            raise wrong(reason)
        return text

    return check


# --- check digits --------------------------------------------------------------------------------------------------

_CONTAINER: Final = _form(
    r"[A-Z]{3}[UJZR][0-9]{7}", "not a container number: four letters, the fourth U, J, Z or R, and seven digits"
)
# ISO 6346 annex A: letters count 10 upwards without the multiples of 11.
_CONTAINER_VALUES: Final = MappingProxyType(
    dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (n for n in range(39) if n not in {11, 22, 33}), strict=True))
)


def container_check_digit(first_ten: str) -> int:
    """Return the check digit for the first ten characters of a container number (ISO 6346 annex A)."""
    return sum(_CONTAINER_VALUES[character] << place for place, character in enumerate(first_ten)) % 11 % 10


def _container(text: str) -> str:
    if container_check_digit(_CONTAINER(text)[:10]) != int(text[10]):
        raise _mismatch("ISO 6346")
    return text


_IMO: Final = _form(r"[1-9][0-9]{6}", "not an IMO ship number: seven digits without 'IMO'")


def _imo(text: str) -> str:
    weighted = sum(int(digit) * weight for digit, weight in zip(_IMO(text)[:6], range(7, 1, -1), strict=True))
    if weighted % 10 != int(text[6]):  # IMO resolution A.1117(30)
        raise _mismatch("the IMO ship number")
    return text


_AWB: Final = _form(r"[0-9]{3}-[0-9]{8}", "not an air waybill number: write it as 020-12345675")


def _awb(text: str) -> str:
    if int(_AWB(text)[4:11]) % 7 != int(text[11]):  # IATA resolution 600a
        raise _mismatch("the IATA air waybill")
    return text


_S10: Final = re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}")
_S10_WEIGHTS: Final = (8, 6, 4, 2, 3, 5, 9, 7)
_PARCEL: Final = _form(
    r"[A-Z0-9][A-Z0-9-]{7,34}", "not a parcel number: 8 to 35 capital letters, digits and '-', as on the label"
)


def _parcel(text: str) -> str:
    """A postal item (UPU S10) has a check digit; a courier's own numbers have what form the courier likes."""
    if _S10.fullmatch(_PARCEL(text)):
        left = 11 - sum(int(digit) * weight for digit, weight in zip(text[2:10], _S10_WEIGHTS, strict=True)) % 11
        if {10: 0, 11: 5}.get(left, left) != int(text[10]):
            raise _mismatch("UPU S10")
    return text


_IBAN: Final = _form(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", "not an IBAN: write it without blanks")


def _iban(text: str) -> str:
    if int("".join(str(int(character, 36)) for character in _IBAN(text)[4:] + text[:4])) % 97 != 1:  # ISO 13616-1
        raise _mismatch("the IBAN")
    return text


_MRZ_WEIGHTS: Final = (7, 3, 1)


def mrz_check_digit(text: str) -> int:
    """Return the check digit of a machine-readable field (ICAO 9303-3 section 4.9): weights 7, 3, 1, `<` is 0, A is 10.

    Args:
        text: digits, capital letters and `<`.
    """
    values = (0 if character == "<" else int(character, 36) for character in text)
    return sum(value * _MRZ_WEIGHTS[place % 3] for place, value in enumerate(values)) % 10


# --- forms ---------------------------------------------------------------------------------------------------------

_LOCODE: Final = _form(r"[A-Z]{2}[A-Z2-9]{3}", "not a UN/LOCODE: a country and three characters, such as 'QADOH'")


def _locode(text: str) -> str:
    if _LOCODE(text)[:2] not in COUNTRIES:
        raise not_in_list(f"the first two letters are no country{nearest(text[:2], COUNTRIES)}")
    return text


_FLIGHT: Final = _form(
    r"(?=[A-Z0-9]?[A-Z])[A-Z0-9]{2}[0-9]{1,4}[A-Z]?|[A-Z]{3}[0-9]{1,4}[A-Z]?",
    "not a flight number: an airline's code and up to four digits, such as 'ZX417'",
)

ContainerNumber = Annotated[str, AfterValidator(_container)]  # ISO 6346
ImoNumber = Annotated[str, AfterValidator(_imo)]
AirWaybill = Annotated[str, AfterValidator(_awb)]
ParcelNumber = Annotated[str, AfterValidator(_parcel)]  # UPU S10, or a courier's own
Locode = Annotated[str, AfterValidator(_locode)]  # UN/LOCODE, UNECE recommendation 16
FlightNumber = Annotated[str, AfterValidator(_FLIGHT)]
AirportCode = Annotated[
    str, AfterValidator(_form(r"[A-Z]{3}", "not an IATA airport code: three capital letters, such as 'DOH'"))
]
HsCode = Annotated[  # Harmonized System: chapter, heading, subheading, then national digits
    str,
    AfterValidator(
        _form(
            r"(0[1-9]|[1-8][0-9]|9[0-7])([0-9]{2}){0,4}",
            "not an HS code: 2, 4, 6, 8 or 10 digits without dots, chapters 01 to 97",
        )
    ),
]
Mmsi = Annotated[  # ITU-R M.585: a ship station begins with 2 to 7
    str, AfterValidator(_form(r"[2-7][0-9]{8}", "not a ship's MMSI: nine digits, the first 2 to 7"))
]
CallSign = Annotated[str, AfterValidator(_form(r"[A-Z0-9]{3,7}", "not a call sign: 3 to 7 capital letters and digits"))]
Vin = Annotated[  # ISO 3779; the check digit is North America's only, so it is not asked for
    str,
    AfterValidator(
        _form(r"[A-HJ-NPR-Z0-9]{17}", "not a vehicle identification number: 17 characters without I, O and Q")
    ),
]
Registration = Annotated[
    str,
    AfterValidator(
        _form(
            r"[^\W_](?:[^\W_]|[ -](?=[^\W_])){1,15}", "not a registration: 2 to 16 letters and digits as on the plate"
        )
    ),
]
Iban = Annotated[str, AfterValidator(_iban)]
