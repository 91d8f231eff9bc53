"""Rows as an officer fills them in: good ones of each kind, with invented facts, to be changed by a test."""

from collections.abc import Mapping
from typing import Final

from connectors.interop.cells import Cell

HANDLING: Final[Mapping[str, Cell]] = {
    "tlp": "AMBER",
    "handling codes": "H2",
    "evaluation": "B2",
    "purpose": "customs control",
    "offence": "drugs",
    "basis": "cmaa",
    "status": "exercise",
}
WARNING: Final[Mapping[str, Cell]] = {
    **HANDLING,
    "to": "de-police",
    "national reference": "FR-EX-0001",
    "subject": "consignment",
    "requested": "inspect; information only",
    "grounds": "Exercise: weight does not fit the declared goods.",
    "contact unit": "Exercise desk",
    "contact phone": "+33100000000",
    "containers": "CSQU3054383",
}
FEEDBACK: Final[Mapping[str, Cell]] = {**HANDLING, "outcome": "inspected negative", "useful": "2"}
SEIZURE: Final[Mapping[str, Cell]] = {
    **HANDLING,
    "to": "de-police",
    "seizure id": "S-1",
    "seized at": "2026-10-02T13:20+02:00",
    "office": "Exercise office",
    "location": "DEHAM",
    "direction": "import",
    "detection": "dog",
    "seizure status": "seized",
    "goods hs": "2402",
    "goods category": "tobacco",
    "goods description": "Cigarettes",
    "goods quantity": "12.5",
    "goods unit": "kilogram",
}
