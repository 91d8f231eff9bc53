"""How a program reads its settings: one TOML file, one closed class, and an error that names key, value and remedy.

Not for: which settings there are (`hub/settings.py`, `connectors/kit/settings.py`). Reference page:
`docs/reference/settings.md`.
"""

import tomllib
from pathlib import Path
from typing import TypeVar

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
    known = model.model_fields
    for key in values:
        if key not in known:
            raise SetupError(f"{file}: no setting is called '{key}'{nearest(key, known)}")
    try:
        settings = model.model_validate(values)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        raise SetupError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    paths = {name: file.parent / value for name in known if isinstance(value := getattr(settings, name), Path)}
    return settings.model_copy(update=paths)
