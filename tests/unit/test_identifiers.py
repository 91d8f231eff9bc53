"""Numbers with check digits, against published specimens, and forms against what they must refuse."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from hub.protocol.content.identifiers import (
    AirportCode,
    AirWaybill,
    CallSign,
    ContainerNumber,
    FlightNumber,
    HsCode,
    Iban,
    ImoNumber,
    Locode,
    Mmsi,
    ParcelNumber,
    Registration,
    Vin,
    container_check_digit,
    mrz_check_digit,
)

# Public specimens: ISO 6346 and BIC (CSQU3054383), IMO (9074729), UPU S10 (RR473124829GB), ISO 13616 registry (GB, DE).
CHECKED = [
    (ContainerNumber, "CSQU3054383"),
    (ImoNumber, "9074729"),
    (AirWaybill, "020-12345675"),
    (ParcelNumber, "RR473124829GB"),
    (Iban, "GB29NWBK60161331926819"),
    (Iban, "DE89370400440532013000"),
]


def _error(kind: Any, text: str) -> str:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(kind).validate_python(text)
    return raised.value.errors()[0]["type"]


@pytest.mark.parametrize(("kind", "specimen"), CHECKED)
def test_specimens_pass(kind: Any, specimen: str) -> None:
    assert TypeAdapter(kind).validate_python(specimen) == specimen


@pytest.mark.parametrize(("kind", "specimen"), CHECKED)
def test_no_digit_can_be_misread(kind: Any, specimen: str) -> None:
    """Every single wrong digit is noticed, but where the standard itself cannot: 10 and 0 share a container's digit."""
    for place, right in enumerate(specimen):
        for digit in "0123456789":
            if (
                not right.isdigit()
                or digit == right
                or (kind is AirWaybill and (place < 4 or _same_rest(right, digit)))
            ):
                continue
            changed = specimen[:place] + digit + specimen[place + 1 :]
            if kind is ImoNumber and ((place == 0 and digit == "0") or _imo_blind(place, right, digit)):
                continue
            assert _error(kind, changed) == "check_digit", changed


def _same_rest(right: str, digit: str) -> bool:
    return (int(right) - int(digit)) % 7 == 0


def _imo_blind(place: int, right: str, digit: str) -> bool:
    """Weights 5, 4, 2 and 6 share factors with 10."""
    return place < 6 and (7 - place) * (int(right) - int(digit)) % 10 == 0


def test_a_container_whose_remainder_is_ten_has_the_digit_zero() -> None:
    tens = [number for number in (f"LNTU{n:06}" for n in range(40)) if container_check_digit(number) == 0]
    assert tens
    for number in tens:
        assert TypeAdapter(ContainerNumber).validate_python(number + "0")


@pytest.mark.parametrize(
    ("text", "digit"),
    [("520727", 3), ("AB2134<<<", 5), ("L898902C3", 6), ("740812", 2), ("120415", 9), ("D23145890734", 9)],
)
def test_icao_9303_specimens(text: str, digit: int) -> None:
    assert mrz_check_digit(text) == digit


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (HsCode, "93"),
        (HsCode, "9305"),
        (HsCode, "930510"),
        (HsCode, "9305100000"),
        (Locode, "QADOH"),
        (Locode, "US2BA"),
        (AirportCode, "DOH"),
        (FlightNumber, "ZX417"),
        (FlightNumber, "9W1"),
        (FlightNumber, "U22215"),
        (FlightNumber, "ZXC9031A"),
        (Mmsi, "299000112"),
        (CallSign, "EXBCN"),
        (Vin, "1M8GDM9AXKP042788"),
        (Registration, "EX 2207 LN"),
        (Registration, "EX-LNT"),
        (Registration, "\u0416777\u041a"),
        (ParcelNumber, "LANTERN-77310025"),
    ],
)
def test_forms_pass(kind: Any, text: str) -> None:
    assert TypeAdapter(kind).validate_python(text) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ContainerNumber, "CSQU305438"),
        (ContainerNumber, "CSQA3054383"),
        (ContainerNumber, "csqu3054383"),
        (ContainerNumber, "CSQU305438\u0663"),
        (ImoNumber, "IMO9074729"),
        (AirWaybill, "02012345675"),
        (HsCode, "00"),
        (HsCode, "98"),
        (HsCode, "9305.10"),
        (HsCode, "930"),
        (Locode, "QADO"),
        (Locode, "QADO1"),
        (AirportCode, "doh"),
        (FlightNumber, "417"),
        (FlightNumber, "12345"),
        (FlightNumber, "ZX"),
        (Mmsi, "111000112"),
        (CallSign, "ex"),
        (Vin, "1M8GDM9AXKP04278O"),
        (Vin, "1M8GDM9AXKP04278"),
        (Registration, "EX  22"),
        (Registration, "-EX22"),
        (ParcelNumber, "short"),
        (Iban, "GB29 NWBK 6016 1331 9268 19"),
    ],
)
def test_forms_refuse(kind: Any, text: str) -> None:
    assert _error(kind, text) == "content"


def test_a_locode_begins_with_a_country() -> None:
    assert _error(Locode, "QXDOH") == "code_list"
