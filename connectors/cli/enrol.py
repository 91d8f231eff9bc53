"""`valise connector init`, `init-all` and `answer`: an agency's keys, its settings, and its way into the directory.

Not for: the registry office's side (`valise partner`). User's page: `docs/how-to/enrol-a-partner.md`.
"""

import json
import os
import shutil
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import click
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from connectors.cli.keys import no_directory
from connectors.cli.output import Grid, json_option, show
from connectors.cli.unlock import typed_passphrase
from connectors.kit.keys import keystore_of, open_keys, token_of
from connectors.kit.settings import (
    PASSPHRASE_VARIABLE,
    SETTINGS_FILE,
    Adapter,
    ConnectorSettings,
    read_settings,
)
from hub.host.keystore import write_keystore
from hub.host.live_keys import LiveKeys
from hub.host.rotation import make_keys, write_answer, write_request
from hub.protocol.directory import PartnerName, PartnerRecord, SignatureAlg, country_of
from hub.protocol.enrolment import fingerprint
from hub.protocol.errors import SetupError
from hub.protocol.keyring import Cost, KeyUse
from hub.protocol.vocabulary import PartnerCode, PartnerKind

_USES: Final[tuple[KeyUse, ...]] = ("sign", "open", "sign2")
_LIGHT: Final = Cost(memory_kib=8 * 1024, passes=1)
_ROOT: Final = "root.json"
_REGISTER: Final = "register.jsonl"

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Partner(BaseModel):
    """One agency to set up, as the table or the options name it; `register` is relative to the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: PartnerCode
    name: PartnerName
    kind: PartnerKind
    adapter: Adapter = "none"
    register_file: Annotated[Path | None, Field(alias="register")] = None
    pkcs11: Path | None = None
    token: str | None = None


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    partner: Annotated[tuple[_Partner, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class _Setup:
    """What all agencies of one call have in common."""

    exchange: str
    hub: str
    hub_url: str
    root: Path
    mode: Literal["exercise", "live"]
    second_signature: bool
    light_keystores: bool


def _setup_options(command: _Command) -> _Command:
    options = (
        click.option("--exchange", required=True, help="The exchange's name."),
        click.option("--hub", required=True, help="The hub's partner code, such as `int-hub`."),
        click.option("--hub-url", required=True, help="The hub's address."),
        click.option(
            "--root",
            required=True,
            type=click.Path(exists=True, path_type=Path, dir_okay=False),
            help="The exchange's anchor, got from the registry office on a safe way.",
        ),
        click.option(
            "--mode",
            type=click.Choice(["exercise", "live"]),
            default="exercise",
            show_default=True,
            help="'exercise' refuses to send anything in earnest.",
        ),
        click.option("--second-signature", is_flag=True, help="Sign with ML-DSA-65 as well, and require it."),
        click.option(
            "--light-keystores", is_flag=True, help="For exercises: a keystore that opens fast and guesses fast."
        ),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


# --- init ------------------------------------------------------------------------------------------------------------


@click.command(
    epilog="Example: valise connector init fr --code fr-customs --name 'Customs of France' --kind customs "
    "--exchange lantern --hub int-hub --hub-url https://hub.example --root root.json",
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--code", required=True, help="The agency's partner code, such as `fr-customs`.")
@click.option("--name", required=True, help="Its name in the directory.")
@click.option(
    "--kind",
    required=True,
    type=click.Choice([one.value for one in PartnerKind if one is not PartnerKind.HUB]),
    help="What it is.",
)
@click.option(
    "--adapter",
    type=click.Choice(["customs", "police", "interpol", "none"]),
    default="none",
    show_default=True,
    help="What answers messages while nobody is there.",
)
@click.option(
    "--pkcs11",
    type=click.Path(exists=True, path_type=Path, dir_okay=False),
    help="The PKCS#11 library of a token, on which the signing key is then made.",
)
@click.option("--token", help="The label of that token.")
@_setup_options
def init(*, folder: Path, code: str, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - options, most of `_setup_options`
    """Make an agency in FOLDER: keys, settings, and the request to enrol it.

    Send FOLDER/CODE.request to the registry office, and compare the fingerprint with them over another way.
    """
    own = {name: given.pop(name) for name in ("name", "kind", "adapter", "pkcs11", "token")}
    partner = _checked(_Partner, {"code": code, **own}, "init")
    if (partner.pkcs11 is None) != (partner.token is None):
        raise click.UsageError("--pkcs11 and --token go together")
    made = _make(folder, partner, _Setup(**given), _new_passphrase(), tables=Path())
    show(
        made,
        f"Made {code} in {folder}.\n  send to the registry office:  {made['request']}\n"
        f"  fingerprint:                  {made['fingerprint']}",
        as_json=as_json,
    )


@click.command(
    "init-all",
    epilog="Example: valise connector init-all partners.toml --into agencies --exchange lantern --hub int-hub "
    "--hub-url https://hub.example --root root.json",
)
@click.argument("table", type=click.Path(exists=True, path_type=Path, dir_okay=False))
@click.option(
    "--into", required=True, type=click.Path(path_type=Path, file_okay=False), help="A folder for the folders."
)
@_setup_options
def init_all(*, table: Path, into: Path, as_json: bool, **common: Any) -> None:  # noqa: ANN401 - the options of `_setup_options`
    """Make every agency of TABLE, each in a folder of its own; for exercises.

    TABLE is TOML with a [[partner]] for each agency: code, name, kind, and if wanted adapter and register.
    """
    setup, passphrase = _Setup(**common), _new_passphrase()
    made = [
        _make(into / partner.code, partner, setup, passphrase, tables=table.parent)
        for partner in _read_table(table).partner
    ]
    grid = Grid(("agency", "fingerprint"), [(one["partner"], one["fingerprint"]) for one in made])
    show({"partners": made}, f"Made {len(made)} agencies in {into}.", grid, as_json=as_json)


def _make(folder: Path, partner: _Partner, setup: _Setup, passphrase: SecretStr, *, tables: Path) -> dict[str, str]:
    """Make one agency and return what there is to say of it."""
    try:
        if folder.exists() and any(folder.iterdir()):
            raise SetupError(f"{folder} is not empty")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(setup.root, folder / _ROOT)
        if partner.register_file is not None:
            shutil.copy(tables / partner.register_file, folder / _REGISTER)
        (folder / SETTINGS_FILE).write_text(_settings_text(partner, setup), "utf-8")
    except OSError as error:
        raise SetupError(f"{error.filename}: {error.strerror}") from error
    settings = read_settings(folder)
    now = int(time.time())
    token = token_of(settings)
    keyring = make_keys(partner.code, _USES[: 3 if setup.second_signature else 2], now=now, token=token)
    write_keystore(settings.keystore, keyring, passphrase, cost=_LIGHT if setup.light_keystores else None)
    keys = LiveKeys(keystore_of(settings, passphrase), no_directory, token)
    request = folder / f"{partner.code}.request"
    request.write_bytes(_request(partner, setup, keys, now))
    return {
        "partner": partner.code,
        "folder": str(folder),
        "request": str(request),
        "fingerprint": fingerprint(request.read_bytes()),
    }


def _settings_text(partner: _Partner, setup: _Setup) -> str:
    values = {
        "partner": partner.code,
        "federation": setup.exchange,
        "hub": setup.hub,
        "hub_url": setup.hub_url,
        "mode": setup.mode,
        "adapter": partner.adapter,
    }
    if partner.pkcs11 is not None and partner.token is not None:
        values |= {"pkcs11_module": str(partner.pkcs11.absolute()), "pkcs11_token": partner.token}
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())  # a JSON string is a TOML one


def _request(partner: _Partner, setup: _Setup, keys: LiveKeys, now: int) -> bytes:
    require: tuple[SignatureAlg, ...] = ("Ed25519", "ML-DSA-65") if setup.second_signature else ("Ed25519",)
    record = PartnerRecord(
        partner=partner.code,
        name=partner.name,
        kind=partner.kind,
        country=country_of(partner.code),
        require=require,
        keys=tuple(keys.entries()),
    )
    return write_request(record, keys, federation=setup.exchange, now=now)


_Shape = TypeVar("_Shape", bound=BaseModel)


def _checked(shape: type[_Shape], value: Mapping[str, object], where: object) -> _Shape:
    try:
        return shape.model_validate(value)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        raise SetupError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _read_table(table: Path) -> _Table:
    try:
        return _checked(_Table, tomllib.loads(table.read_text("utf-8")), table)
    except OSError as error:
        raise SetupError(f"{table}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # TOML or UTF-8; the parser follows brackets as deep as they go
        raise SetupError(f"{table}: {error}") from error


def _new_passphrase() -> SecretStr:
    """Return the passphrase of new keystores: of the environment, else what a person types twice."""
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given:
        return SecretStr(given)
    if not sys.stdin.isatty():
        raise SetupError(f"set {PASSPHRASE_VARIABLE}")
    return SecretStr(click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True))


# --- answer ----------------------------------------------------------------------------------------------------------


@click.command(epilog="Example: valise connector answer agencies/*")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False))
@json_option
def answer(*, folders: tuple[Path, ...], as_json: bool) -> None:
    """Answer the registry office's challenges, each of which lies beside its request in one of FOLDERS.

    Send FOLDER/CODE.answer back; with it the office knows that the agency holds every key that it names.
    """
    answers = [_answer(folder) for folder in folders]
    lines = "\n".join(f"Send back: {one['answer']}" for one in answers)
    show({"answers": answers}, lines, as_json=as_json)


def _answer(folder: Path) -> dict[str, str]:
    settings: ConnectorSettings = read_settings(folder)
    request = folder / f"{settings.partner}.request"
    written = request.with_suffix(".answer")
    keys = open_keys(settings, typed_passphrase(folder), no_directory)
    try:
        challenge = request.with_suffix(".challenge").read_bytes()
        written.write_bytes(write_answer(request.read_bytes(), challenge, keys))
    except OSError as error:
        raise SetupError(f"{error.filename}: {error.strerror}") from error
    return {"partner": settings.partner, "answer": str(written)}
