"""What a connector asks its hub about itself and its messages, beyond sending and receiving.

Answers are unbelieved until what is signed in them was checked. Not for: checking them (`matrix.py`, `standing.py`).
Implements `docs/reference/api.md`.
"""

from connectors.kit.client import HubClient
from hub.protocol.interface import OperationMatrix, Preview, StandingAnswer
from hub.protocol.subscription import Criteria


async def ask_standing(client: HubClient, kid: str, *, after: int) -> StandingAnswer:
    """Ask what the hub accepted under one of our signing keys after a number."""
    return await client.ask(StandingAnswer, "/v1/standing", query={"kid": kid, "after": str(after)})


async def ask_operation_matrix(client: HubClient, operation: str) -> OperationMatrix:
    """Ask for the delivery matrices of our latest messages of an operation."""
    return await client.ask(OperationMatrix, "/v1/matrix", query={"op": operation})


async def ask_preview(client: HubClient, wanted: Criteria) -> Preview:
    """Ask what a subscription would have matched last month."""
    return await client.ask(Preview, "/v1/subscription/preview", about=wanted)
