"""What a section of a parameter file is: frozen, closed and bounded; and the sentence that says what is wrong with one."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def _once_each(values: tuple[Any, ...]) -> tuple[Any, ...]:
    for place, value in enumerate(values):
        if value in values[:place]:
            raise ValueError(f"names {value!r} twice: leave one out")
    return values


OnceEach = AfterValidator(_once_each)

_SHAPES = {  # pydantic names the classes that would do, which no parameter file speaks of
    "model_type": "it must be a block of names with values",
    "dict_type": "it must be a block of names with values",
    "tuple_type": "it must be a list",
    "too_short": "it must hold at least one entry",
    "string_pattern_mismatch": "letters, digits and underscores only",  # of a method's name alone
}


class Section(BaseModel):
    """A closed, frozen part of params.yaml or mlflow/promotion.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def first_sentence(error: ValidationError) -> str:
    """What is wrong with the values of a section, with the key; of several things the first."""
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")  # a misspelt key is missing, too
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{where} is no parameter: correct its name or remove it"
    if first["type"] == "missing":
        return f"{where} is missing: add it (there are no defaults)"
    if first["type"] == "value_error":
        said = first["msg"].removeprefix("Value error, ")
        return f"{where}: {said}" if where else said
    given = first.get("input")
    if first["type"] in _SHAPES:
        return f"{where} = {given!r}: {_SHAPES[first['type']]}"
    if first["type"] == "float_type" and (number := re.fullmatch(r"([-+]?\d+)(\.\d+)?e([-+]?\d+)", str(given).lower())):
        whole, part, exponent = number.groups()
        return f"{where} = {given!r}: YAML takes that for text: write {whole}{part or '.0'}e{int(exponent):+}"
    return f"{where} = {given!r}: {first['msg'].lower()}"
