"""What is made quickly is what a frozen dataclass is."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import pytest

from eci_payments.domain.errors import BrokenInvariant
from eci_payments.domain.quick import quick, replaced


@dataclass(frozen=True, slots=True)
class Plain:
    first: int
    second: str = "two"
    third: list[int] = field(default_factory=list)
    fourth: int | None = field(default=None, kw_only=True)


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    first: int
    second: str = "two"
    third: list[int] = field(default_factory=list)
    fourth: int | None = field(default=None, kw_only=True)


def test_it_has_the_same_fields_defaults_and_words():
    for arguments, named in (((1,), {}), ((1, "b"), {"fourth": 4}), ((), {"first": 2, "third": [3]})):
        plain, quickly = Plain(*arguments, **named), Quick(*arguments, **named)
        assert repr(quickly) == repr(plain).replace("Plain", "Quick")
        assert quickly == Quick(*arguments, **named)
        assert replace(quickly, first=9) == Quick(9, quickly.second, quickly.third, fourth=quickly.fourth)
        assert pickle.loads(pickle.dumps(quickly)) == quickly
    assert Quick(1).third is not Quick(1).third


def test_it_stays_as_it_was_made():
    made = Quick(1)
    assert type(made) is Quick
    with pytest.raises(FrozenInstanceError):
        made.first = 2  # type: ignore[misc] # what is tried
    with pytest.raises(FrozenInstanceError):
        del made.first
    assert not hasattr(made, "__dict__")


def test_what_is_missing_or_unknown_is_refused():
    wrong: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}),
        ((1,), {"fifth": 5}),
        ((1, "b", [], 4), {}),
    ]
    for arguments, named in wrong:
        with pytest.raises(TypeError):
            Quick(*arguments, **named)


def test_only_plain_records_are_made_so():
    @dataclass(frozen=True, slots=True)
    class Checked:
        first: int

        def __post_init__(self):
            raise ValueError(self.first)

    with pytest.raises(BrokenInvariant):
        quick(Checked)


@pytest.mark.parametrize("changes", [{}, {"first": 9}, {"second": "b", "fourth": 4}, {"third": [1]}])
def test_a_copy_with_changes_is_what_replace_makes(changes):
    made = Quick(1, fourth=2)
    copy = replaced(made, **changes)
    assert copy == replace(made, **changes)
    assert (type(copy), made) == (Quick, Quick(1, fourth=2))
    with pytest.raises(FrozenInstanceError):
        copy.first = 2  # type: ignore[misc] # what is tried


def test_a_copy_has_no_other_fields():
    with pytest.raises(TypeError, match="fifth"):
        replaced(Quick(1), fifth=5)


def test_a_field_may_have_any_name():
    @quick
    @dataclass(frozen=True, slots=True)
    class Named:
        made: int
        twin: int
        changes: int
        name: int = 0

    assert replaced(Named(1, 2, 3), made=4) == Named(4, 2, 3)
