"""A warning's body in plaintext for tests: real shapes, invented facts."""

from typing import Final

from hub.protocol.strictjson import write_json
from hub.protocol.vocabulary import Label

ACTION: Final = {
    "national_reference": "FR-EX-0001",
    "subject": "consignment",
    "requested": ["inspect", "information-only"],
    "grounds": "Exercise: weight does not fit the declared goods.",
    "contact": {"unit": "Exercise desk", "phone": "+33100000000"},
}
CONSIGNMENT: Final = {"containers": ["CSQU3054383"], "gross_weight": "11 200 kg"}
COMPANY: Final = {"companies": [{"name": "Lantern Trading (invented)", "role": "consignee", "country": "DE"}]}
NARRATIVE: Final = {"language": "en", "text": "Invented for an exercise."}

BODY: Final[tuple[tuple[Label, bytes], ...]] = (
    (Label.ACTION, write_json(ACTION)),
    (Label.CONSIGNMENT, write_json(CONSIGNMENT)),
    (Label.COMPANY, write_json(COMPANY)),
    (Label.NARRATIVE, write_json(NARRATIVE)),
)
