"""The one table of everything that takes bytes from outside; a parser that is not in it fails the check.

`tests/architecture/test_parsers.py` looks for every `parse_*` of ours here. Not for: running them
(`tests/fuzz/__main__.py`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tests.fuzz import lines, messages, publications
from tests.fuzz.target import Target

TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {target.name: target for target in (*messages.targets(), *publications.targets(), *lines.targets())}
)
