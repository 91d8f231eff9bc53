"""Signing keys on a token, with SoftHSM: made there, used by an agency and a hub that really run, rotated, and missed.

The library is loaded once in a process and reads its configuration then, so all tests here share its tokens.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from pkcs11 import KeyType, Mechanism
from pydantic import SecretStr

from connectors.kit.agency import Agency
from hub.app import running_hub
from hub.authority.exchange import RegistryOffice
from hub.host.keystore import read_keystore
from hub.host.pkcs11 import log_in
from hub.host.token import Token, open_token
from hub.protocol.errors import (
    AmbiguousKeyError,
    ExposedFileError,
    MissingKeyError,
    SetupError,
    TokenAbsentError,
    TokenError,
    TokenPinError,
)
from hub.protocol.hazmat import verify_signature
from hub.settings import HubSettings
from tests.support.agency import warning_draft
from tests.support.commands import called
from tests.support.exercise import HUB, OPERATION, open_exercise
from tests.support.office import FEDERATION, PASSPHRASE
from tests.support.softhsm import PIN, library, make_tokens
from tests.support.tree import ROOT

KID: Final = "fr-customs#s1"


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The library, with its tokens `customs`, `hub` and `bare`."""
    found = library()
    if found is None:
        pytest.fail("SoftHSM is not installed (Debian, Ubuntu: apt install softhsm2)")
    with pytest.MonkeyPatch.context() as patch:
        configuration = make_tokens(tmp_path_factory.mktemp("softhsm"), "customs", "hub", "bare")
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        yield found


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALISE_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("VALISE_PIN", PIN)


def bare(module: Path) -> Token:
    return open_token(module, "bare", SecretStr(PIN))


def test_a_key_is_made_on_the_token_and_signs_there(module: Path) -> None:
    token = bare(module)
    public = token.make(KID)
    signer = token.signer(KID, public)
    assert (signer.kid, signer.alg) == (KID, "Ed25519")
    verify_signature("Ed25519", public, signer.sign(b"what is signed"), b"what is signed")
    with pytest.raises(AmbiguousKeyError):
        token.make(KID)
    with pytest.raises(MissingKeyError):
        token.signer(KID, bytes(32))
    with pytest.raises(MissingKeyError):
        token.signer("fr-customs#s2", public)


def test_the_library_the_token_and_the_pin_must_be_right(module: Path, tmp_path: Path) -> None:
    with pytest.raises(TokenAbsentError):
        open_token(module, "nowhere", SecretStr(PIN))
    with pytest.raises(TokenAbsentError):
        open_token(tmp_path / "nowhere.so", "bare", SecretStr(PIN))


def test_what_the_token_refuses_is_an_error_of_ours(module: Path) -> None:
    token = log_in(module, "bare", SecretStr(PIN))
    with pytest.raises(TokenError, match="MechanismInvalid"):
        token.use(lambda session: session.generate_keypair(KeyType.RSA, 2048, mechanism=Mechanism.AES_KEY_GEN))


def test_a_session_that_ended_begins_again(module: Path) -> None:
    token = log_in(module, "bare", SecretStr(PIN))
    public = token.make("fr-customs#s7")
    signer = token.signer("fr-customs#s7", public)
    token.use(lambda session: session.close())
    verify_signature("Ed25519", public, signer.sign(b"again"), b"again")


def test_a_wrong_pin_is_told(module: Path) -> None:
    """In another process: a login is the whole process's, and this one is logged in."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom pydantic import SecretStr\nfrom hub.host.token import open_token\n"
        "from hub.protocol.errors import TokenError\n"
        "try:\n    open_token(Path(sys.argv[1]), 'bare', SecretStr('000000'))\n"
        "except TokenError as error:\n    print(error.code)\n"
    )
    words = [sys.executable, "-c", program, str(module)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, TokenPinError.code), done.stderr


def test_a_pin_file_that_others_may_read_is_refused(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = HubSettings(hub=HUB, federation=FEDERATION, pkcs11_module=module, pkcs11_token="bare")
    monkeypatch.delenv("VALISE_PIN")
    with pytest.raises(SetupError, match="VALISE_PIN"):
        settings.pin()
    file = tmp_path / "pin"
    file.write_text(PIN)
    file.chmod(0o644)
    with pytest.raises(ExposedFileError):
        settings.model_copy(update={"pin_file": file}).pin()
    file.chmod(0o600)
    assert settings.model_copy(update={"pin_file": file}).pin().get_secret_value() == PIN


async def test_agency_and_hub_with_their_keys_on_tokens(module: Path, tmp_path: Path) -> None:
    office, hub = tmp_path / "office", tmp_path / HUB
    countries = ("--country", "FR", "--country", "DE")
    await called("exchange", "init", office, "--name", FEDERATION, *countries, "--light-keystores")
    await called("exchange", "policies", office, ROOT / "policies")
    shared = ("--exchange", FEDERATION, "--root", office / "root.json", "--light-keystores")
    await called(
        *("hub", "init", hub, "--code", HUB, "--name", "Hub", "--directory", office / "public", "--port", "0", *shared),
        *("--pkcs11", module, "--token", "hub"),
    )
    await called("partner", "challenge", office, hub / f"{HUB}.request")
    await called("hub", "answer", hub, hub / f"{HUB}.challenge")
    await called("partner", "enrol", office, hub / f"{HUB}.request")
    async with running_hub(HubSettings.read(hub / "hub.toml")) as running:
        requests = []
        for code, extra in (("fr-customs", ("--pkcs11", module, "--token", "customs")), ("de-customs", ())):
            folder = tmp_path / code
            made = await called(
                *("connector", "init", folder, "--code", code, "--name", code, "--kind", "customs", "--hub", HUB),
                *("--hub-url", running.url, *shared, *extra),
            )
            requests.append(made["request"])
        await called("partner", "challenge", office, *requests)
        await called("connector", "answer", tmp_path / "fr-customs", tmp_path / "de-customs")
        await called("partner", "enrol", office, *requests)

        async with Agency.open(tmp_path / "fr-customs") as customs, Agency.open(tmp_path / "de-customs") as other:
            await open_exercise(customs)
            first = await customs.send(warning_draft(operation=OPERATION), to=["de-customs"])
            assert (await other.receive_once()).opened == (first.mh,)
            assert (await other.read(first.mh)).manifest.iss == "fr-customs"

            rotated = await called("connector", "rotate", tmp_path / "fr-customs", "--use", "sign")
            assert rotated["made"] == ["fr-customs#s2"]
            await called("partner", "renew", office, rotated["request"])
            await called("hub", "rotate", hub, "--use", "sign")
            await called("partner", "renew", office, hub / f"{HUB}.request")
            await customs.connector.mirror.refresh()
            second = await customs.send(warning_draft(operation=OPERATION), to=["de-customs"])
            assert (await other.receive_once()).opened == (second.mh,)
            assert customs.connector.keyring.signer(at=customs.connector.clock()).kid == "fr-customs#s2"
    shown = RegistryOffice(office, lambda _: PASSPHRASE).record("fr-customs")
    assert [key.kid for key in shown.keys] == ["fr-customs#s1", "fr-customs#e1", "fr-customs#s2"]
    places = {key["kid"]: key["place"] for key in (await called("keys", tmp_path / "fr-customs"))["keys"]}
    assert places == {"fr-customs#s1": "token", "fr-customs#e1": "keystore", "fr-customs#s2": "token"}
    kept = read_keystore(tmp_path / "fr-customs" / "keystore.json", SecretStr(PASSPHRASE))
    assert {key.kid for key in kept.keys if key.secret is None} == {"fr-customs#s1", "fr-customs#s2"}
