"""TLS that the hub ends itself: 1.3 only, client certificates, and a helpful error for each thing that is wrong."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connectors.kit.client import HubClient
from connectors.kit.tls import client_tls
from hub.api.listen import Door, server_tls
from hub.protocol.errors import (
    CertificateExpiredError,
    ClientCertificateError,
    HubCertificateError,
    SetupError,
    TlsVersionError,
    TokenKeyError,
    UnreachableError,
)
from hub.settings import HubSettings
from tests.support.certificates import Authority, Pair
from tests.support.exchange import FEDERATION, HUB, NOW, signer_of
from tests.support.line import Hub, running_hub, script_policy


@pytest.fixture
async def stack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncExitStack]:
    script_policy(monkeypatch)
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def start(
    stack: AsyncExitStack, folder: Path, pair: Pair, *, client_ca: Path | None = None, required: bool = False
) -> Hub:
    tls = server_tls(pair.certificate, pair.key, client_ca=client_ca, required=required)
    return await stack.enter_async_context(running_hub(folder, door=Door(tls=tls)))


def client_of(url: str, tls: ssl.SSLContext) -> HubClient:
    return HubClient(
        url,
        federation=FEDERATION,
        partner="fr-customs",
        hub=HUB,
        signer=lambda: signer_of("fr-customs"),
        clock=lambda: NOW,
        tls=tls,
    )


def trusting(authority: Authority, pair: Pair | None = None) -> ssl.SSLContext:
    return client_tls(authority.file, pair.certificate if pair else None, pair.key if pair else None)


async def test_a_session_over_tls(stack: AsyncExitStack, tmp_path: Path, authority: Authority) -> None:
    hub = await start(stack, tmp_path, authority.issue("hub"))
    async with client_of(hub.url, trusting(authority)) as client:
        assert (await client.sent()).messages == ()
        assert (await client.facts()).hub == HUB


async def test_lines_that_never_agree_count_as_well(
    stack: AsyncExitStack, tmp_path: Path, authority: Authority
) -> None:
    pair = authority.issue("hub")
    tls = server_tls(pair.certificate, pair.key, client_ca=None, required=False)
    hub = await stack.enter_async_context(running_hub(tmp_path, door=Door(tls=tls, per_address=2)))
    port = int(hub.url.rpartition(":")[2])
    silent = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(2)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b"", "turned away before a word of TLS"
    for one in (*silent, writer):
        one.close()
    async with asyncio.timeout(20), client_of(hub.url, trusting(authority)) as client:
        facts = None
        while facts is None:
            with contextlib.suppress(UnreachableError):
                facts = await client.facts()
    assert facts.hub == HUB, "who is gone counts no longer"


async def test_a_hub_that_wants_certificates_takes_those_of_its_authority(
    stack: AsyncExitStack, tmp_path: Path, authority: Authority
) -> None:
    hub = await start(stack, tmp_path, authority.issue("hub"), client_ca=authority.file, required=True)
    async with client_of(hub.url, trusting(authority, authority.issue("fr-customs"))) as client:
        assert (await client.sent()).messages == ()
    others = Authority(tmp_path, "Another authority")
    for wrong in (None, others.issue("stranger"), authority.issue("old", expired=True)):
        async with client_of(hub.url, trusting(authority, wrong)) as client:
            with pytest.raises(ClientCertificateError):
                await client.sent()


async def test_a_token_is_bound_to_the_certificate_of_its_login(
    stack: AsyncExitStack, tmp_path: Path, authority: Authority
) -> None:
    hub = await start(stack, tmp_path, authority.issue("hub"), client_ca=authority.file)
    line = await hub.line(log_in=False, tls=trusting(authority, authority.issue("one")))
    assert (await line.log_in()).status == 200
    assert (await line.ask("GET", "/v1/mailbox")).status == 200
    for tls in (trusting(authority), trusting(authority, authority.issue("two"))):
        thief = await hub.line(log_in=False, tls=tls)
        thief.key, thief.token = line.key, line.token
        (await thief.ask("GET", "/v1/mailbox")).check_problem(TokenKeyError, 401)
    plain = await hub.line(log_in=False, tls=trusting(authority))
    assert (await plain.log_in()).status == 200, "a certificate is optional here"
    assert (await plain.ask("GET", "/v1/mailbox")).status == 200


async def test_the_hub_must_show_a_certificate_that_is_trusted_and_not_old(
    tmp_path: Path, authority: Authority
) -> None:
    others = Authority(tmp_path, "Another authority")
    for pair, trusted, error in (
        (others.issue("hub-of-others"), authority, HubCertificateError),
        (authority.issue("hub-of-yesterday", expired=True), authority, CertificateExpiredError),
    ):
        async with AsyncExitStack() as opened:
            (folder := tmp_path / f"of-{pair.certificate.stem}").mkdir()
            hub = await start(opened, folder, pair)
            client = await opened.enter_async_context(client_of(hub.url, trusting(trusted)))
            with pytest.raises(error):
                await client.facts()


async def test_nothing_below_version_1_3_is_spoken(stack: AsyncExitStack, tmp_path: Path, authority: Authority) -> None:
    hub = await start(stack, tmp_path, authority.issue("hub"))
    old = trusting(authority)
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
    async with client_of(hub.url, old) as client:
        with pytest.raises(TlsVersionError):
            await client.facts()


async def test_an_old_hub_is_refused(authority: Authority) -> None:
    pair = authority.issue("hub")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.load_cert_chain(pair.certificate, pair.key)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refused = asyncio.create_task(asyncio.to_thread(_greet, server, old))
        async with client_of(f"https://127.0.0.1:{port}", trusting(authority)) as client:
            with pytest.raises(TlsVersionError):
                await client.facts()
        assert await refused


def _greet(server: socket.socket, tls: ssl.SSLContext) -> bool:
    """Take one line; return whether TLS could not be agreed on."""
    line, _ = server.accept()
    with line, contextlib.suppress(OSError):
        try:
            tls.wrap_socket(line, server_side=True)
        except ssl.SSLError:
            return True
    return False


async def test_a_hub_that_is_away_is_only_away(tmp_path: Path, authority: Authority) -> None:
    async with running_hub(tmp_path) as hub:
        pass
    async with client_of(hub.url, trusting(authority)) as client:
        with pytest.raises(UnreachableError) as caught:
            await client.facts()
    assert type(caught.value) is UnreachableError


def test_files_that_are_not_what_they_should_be_stop_the_start(tmp_path: Path, authority: Authority) -> None:
    pair, other = authority.issue("hub"), authority.issue("other")
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for certificate, key, client_ca in (
        (junk, pair.key, None),
        (pair.certificate, other.key, None),
        (tmp_path / "missing.pem", pair.key, None),
        (pair.certificate, pair.key, junk),
    ):
        with pytest.raises(SetupError):
            server_tls(certificate, key, client_ca=client_ca, required=True)
    with pytest.raises(SetupError):
        client_tls(junk, None, None)
    with pytest.raises(SetupError):
        client_tls(authority.file, junk, pair.key)


@pytest.mark.parametrize("lines", ['tls_certificate = "a"', 'tls_key = "a"', 'tls_client_ca = "a"'])
def test_half_of_the_settings_are_none(tmp_path: Path, lines: str) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(f'hub = "int-hub"\nfederation = "lantern"\n{lines}\n')
    with pytest.raises(SetupError):
        HubSettings.read(file)
