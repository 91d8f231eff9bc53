"""The description of the interface is true: a client made of it works, and a fuzzer that reads it finds nothing.

Both ask a real hub on a loop of its own. Not for: what the hub does with honest requests (`test_hub.py`).
"""

import importlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any

import httpx
import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.transport.requests import REQUESTS_TRANSPORT

from hub.api.quotas import Limits
from hub.api.routes import ENDPOINTS, openapi
from tests.support.line import Hub, script_policy
from tests.support.thread import Session, hub_in_thread, path_of

EXAMPLES = 8  # for each route and standing
BINARY = ("application/vnd.valise.frame", "application/jose")
# Shapes with rules that no schema states: marks have one spelling; topics, countries and regions are of our code lists.
RULED = frozenset({"POST /v1/audience", "POST /v1/subscription/preview"})
UNDERSTOOD = ("2xx", "401", "403", "404", "409", "413", "422", "429", "503")
"""What a request of the right shape may get: a schema cannot say who signed, who is a member, or what exists."""

REFUSED = ("400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "503")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Session]]:
    with pytest.MonkeyPatch.context() as patch:
        script_policy(patch)
        folder = tmp_path_factory.mktemp("hub")
        with hub_in_thread(folder, "fr-customs", limits=Limits(0, 0, 0, 0, 0, 0, 0)) as (running, session):
            running.close_polls()  # they are answered at once, and streams end
            yield running, session


# --- the document ----------------------------------------------------------------------------------------------------


def document() -> dict[str, Any]:
    described = json.loads(openapi())
    assert isinstance(described, dict)
    return described


def load(described: dict[str, Any]) -> schemathesis.BaseSchema:
    checks = {
        "positive_data_acceptance": {"expected-statuses": list(UNDERSTOOD)},
        "negative_data_rejection": {"expected-statuses": list(REFUSED)},
    }
    config = SchemathesisConfig.from_dict({"checks": checks})
    return schemathesis.openapi.from_dict(described, config=config)


def test_it_is_a_document_of_openapi_3_1() -> None:
    load(document()).validate()


def test_a_document_that_is_none_is_told_apart() -> None:
    broken = document()
    broken["paths"]["/v1/hub"]["get"]["responses"] = []
    with pytest.raises(ValueError, match="object"):
        load(broken).validate()


# --- a client that is made of it -------------------------------------------------------------------------------------


class Proofs(httpx.Auth):
    """A session for the generated client."""

    requires_request_body = True

    def __init__(self, session: Session) -> None:
        self._session = session

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        path = path_of(request.url.raw_path.decode())
        request.headers["Authorization"] = f"DPoP {self._session.token}"
        request.headers["DPoP"] = self._session.prove(request.method, path, request.content)
        yield request


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of the package that `openapi-python-client` makes of the description."""
    folder = tmp_path_factory.mktemp("client")
    described, config, name = folder / "openapi.json", folder / "config.json", "generated_valise_client"
    described.write_bytes(openapi())
    kinds = dict.fromkeys(BINARY, "application/octet-stream") | {"text/event-stream": "application/json"}
    config.write_text(json.dumps({"post_hooks": [], "content_type_overrides": kinds}))
    made = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"),
            *("--path", str(described), "--output-path", str(folder / name), "--config", str(config)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    yield name
    sys.path.remove(str(folder))


def test_a_generated_client_works(hub: tuple[Hub, Session], generated: str) -> None:
    running, session = hub

    def api(route: str) -> Any:
        return importlib.import_module(f"{generated}.api.{route}")

    models = importlib.import_module(f"{generated}.models")
    made = importlib.import_module(f"{generated}.client").Client(
        base_url=running.url, httpx_args={"auth": Proofs(session)}, raise_on_unexpected_status=True
    )
    with made as client:
        facts = api("hub.get_hub").sync(client=client)
        assert (facts.hub, facts.federation, facts.protocol) == ("int-hub", "test-exchange", "valise/1")
        assert api("messages.list_messages").sync(client=client, limit=5).messages == []
        digest = "A" * 43
        begun = api("uploads.begin_upload").sync(client=client, body=models.UploadWanted(digest=digest, size=7))
        assert (begun.digest, begun.size, begun.received) == (digest, 7, 0)
        refused = api("uploads.get_upload").sync_detailed(client=client, digest="B" * 43)
        assert (refused.status_code, refused.parsed.code) == (404, "exchange/not-found")
        assert api("uploads.give_up_upload").sync_detailed(client=client, digest=digest).status_code == 204


# --- a fuzzer that reads it ------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True, scope="module")
def _bytes_as_they_are() -> None:
    """Teach the fuzzer to send bytes of our media types."""

    @schemathesis.serializer(*BINARY)
    def send(_context: Any, value: Any) -> bytes:
        return value if isinstance(value, bytes) else str(value).encode()

    assert list(REQUESTS_TRANSPORT.get_matching_media_types(BINARY[0]))


def operations(*, session: bool) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    """Yield the operations: as a partner's, whose session something else provides, or as a stranger's."""
    described = document()
    for path in described["paths"].values():
        for one in path.values():
            if session:
                one.pop("security", None)
    for result in load(described).get_all_operations():
        assert isinstance(result, Ok)
        yield result.ok()


def fuzz(operation: APIOperation[Any, Any, Any, Any], url: str, session: Session | None, seen: Counter[int]) -> None:
    """Ask an operation in many ways, and check every answer against the description."""
    ruled = operation.label in RULED
    has_data = operation.body or list(operation.iter_parameters())
    modes = list(schemathesis.GenerationMode) if has_data else [schemathesis.GenerationMode.POSITIVE]
    strategies = [operation.as_strategy(generation_mode=mode) for mode in modes]

    @hypothesis.settings(
        max_examples=(EXAMPLES if session else EXAMPLES // 2) if has_data else 1,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @hypothesis.given(case=hypothesis.strategies.one_of(strategies))
    def ask(case: Any) -> None:
        response = case.call(base_url=url, auth=session, session=line, timeout=20)
        seen[response.status_code] += 1
        case.validate_response(response, excluded_checks=[positive_data_acceptance] if ruled else [])

    with requests.Session() as line:
        ask()


def test_a_fuzzer_with_a_session_finds_nothing(hub: tuple[Hub, Session]) -> None:
    running, session = hub
    seen: Counter[int] = Counter()
    asked = []
    for operation in operations(session=True):
        fuzz(operation, running.url, session, seen)
        asked.append(operation.label)
    assert len(asked) == len(ENDPOINTS)
    assert {200, 201, 204, 400, 404, 422} <= set(seen), "it came as far as an answer of every kind"
    assert not {429, 500, 503} & set(seen), "nothing failed"


def test_a_fuzzer_without_a_session_finds_nothing(hub: tuple[Hub, Session]) -> None:
    running, _ = hub
    seen: Counter[int] = Counter()
    closed = {f"{one.method} {one.path}" for one in ENDPOINTS if one.session}
    for operation in operations(session=False):
        if operation.label in closed:
            fuzz(operation, running.url, None, seen)
    assert set(seen) == {401}, "whatever a stranger sends"
