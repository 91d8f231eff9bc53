"""Every wire vector ends in its code, and every code that bytes can lead to has one or is named in a test."""

import pytest

from tests.support.vectors import FOLDER, READ, Vector, kept
from tests.vectors.generate import problems

MAX_VECTOR = 20 * 1024  # bytes of a file


@pytest.mark.parametrize("vector", kept(), ids=lambda vector: vector.name)
def test_vector(vector: Vector) -> None:
    assert vector.outcome() == vector.expect


def test_the_vectors_are_what_the_generator_makes() -> None:
    assert problems() == []


def test_every_kind_of_bytes_has_a_vector() -> None:
    assert {vector.what for vector in kept()} == set(READ)


def test_a_vector_is_small_and_named_as_its_file() -> None:
    for vector in kept():
        assert vector.path.stat().st_size < MAX_VECTOR, vector.name
    assert {vector.path for vector in kept()} == set(FOLDER.iterdir())
