"""How a program reads its settings: one TOML file, one closed class, and an error that names key, value and remedy.

Not for: which settings there are (`hub/settings.py`, `connectors/kit/settings.py`). Reference page:
`docs/reference/settings.md`.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from hub.protocol.errors import SetupError
from hub.protocol.vocabulary import nearest

_Model = TypeVar("_Model", bound=BaseModel)


def read_toml(file: Path, model: type[_Model]) -> _Model:
    """Return the settings in a file; relative paths start at its folder.

    Raises:
        SetupError: the file is missing or not TOML, or a key is unknown, missing or of another type; the detail names
            it and, for an unknown one, the nearest that there is.
    """
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # TOML or UTF-8; the parser follows brackets as deep as they go
        raise SetupError(f"{file}: {error}") from error
    _check_names(file, "", values, model)
    try:
        settings = model.model_validate(values)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        place = [".".join(map(str, first["loc"]))] if first["loc"] else []  # none: several do not fit together
        raise SetupError(": ".join([str(file), *place, first["msg"].removeprefix("Value error, ")])) from None
    return settings.model_copy(update=_absolute(file.parent, settings))


def _check_names(file: Path, place: str, values: Mapping[str, Any], model: type[BaseModel]) -> None:
    for key, value in values.items():
        if key not in model.model_fields:
            raise SetupError(f"{file}: no setting is called '{place}{key}'{nearest(key, model.model_fields)}")
        table = _table_of(model, key)
        if table is not None and isinstance(value, dict):
            _check_names(file, f"{place}{key}.", value, table)


def _table_of(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    """Return the shape of a table in the settings; nothing for a plain key."""
    annotation = model.model_fields[key].annotation
    shapes = [one for one in (annotation, *get_args(annotation)) if isinstance(one, type)]
    return next((one for one in shapes if issubclass(one, BaseModel)), None)


def _absolute(folder: Path, settings: BaseModel) -> dict[str, Any]:
    """Return the values that are paths, or tables with paths in them, made absolute."""
    changed: dict[str, Any] = {}
    for name, value in settings:
        if isinstance(value, Path):
            changed[name] = folder / value
        elif isinstance(value, BaseModel):
            changed[name] = value.model_copy(update=_absolute(folder, value))
    return changed
