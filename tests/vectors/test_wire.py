"""Every wire vector ends in its code, and every code that bytes can lead to has one or is named in a test."""

import pytest

from tests.support.vectors import FOLDER, READ, Vector, kept
from tests.vectors.generate import honest, problems, spell

MAX_VECTOR = 20 * 1024  # bytes of a file


@pytest.mark.parametrize("vector", kept(), ids=lambda vector: vector.name)
def test_vector(vector: Vector) -> None:
    assert vector.outcome() == vector.expect


@pytest.mark.parametrize(("what", "made"), list(honest()), ids=lambda value: value if len(value) < 16 else "")
def test_what_they_are_made_from_is_accepted(what: str, made: bytes | str) -> None:
    """So it is the one change that each vector fails by."""
    assert Vector("honest", what, spell(what, made), "").outcome() is None


def test_the_vectors_are_what_the_generator_makes() -> None:
    assert problems() == []


def test_every_kind_of_bytes_has_a_vector() -> None:
    assert {vector.what for vector in kept()} == set(READ)


def test_a_vector_is_small_and_named_as_its_file() -> None:
    for vector in kept():
        assert vector.path.stat().st_size < MAX_VECTOR, vector.name
    assert {vector.path for vector in kept()} == set(FOLDER.iterdir())
