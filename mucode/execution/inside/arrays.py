"""numpy arrays and scalars as a dtype, a shape and bytes. Imports numpy only when data of its kind is there."""

from __future__ import annotations

import base64
import math
import re
import sys
from typing import Any

from .frames import WireError

_DTYPE = re.compile(r"[<>|=]?[biufc]\d{1,2}")  # numbers only: an object or a void dtype could hold anything


def payload(array: Any) -> Any:
    """[dtype, shape, base64 of the bytes in C order]. `WireError` for a dtype that is not a number's."""
    name = array.dtype.str
    if _DTYPE.fullmatch(name) is None:
        raise WireError("an array of something other than numbers")
    return [name, list(array.shape), base64.b64encode(array.tobytes()).decode("ascii")]


def new(form: Any) -> Any:
    """The array itself: arrays hold no references, so it needs no second step."""
    return _array(form)


def fill(array: Any, form: Any) -> None:
    """Write the numbers of `form` into `array`; a changed shape or dtype cannot be written back."""
    other = _array(form)
    if other.shape != array.shape or other.dtype != array.dtype:
        raise WireError("an array cannot change its shape")
    array[...] = other


def scalar_payload(value: Any) -> Any:
    """[dtype, base64] of a numpy scalar; None when it is not a number."""
    name = value.dtype.str
    return [name, base64.b64encode(value.tobytes()).decode("ascii")] if _DTYPE.fullmatch(name) else None


def scalar(form: Any) -> Any:
    """The numpy scalar that `scalar_payload` described."""
    return _array([form[0], [], form[1]])[()]


def is_scalar(kind: type) -> bool:
    """Whether `kind` is one of numpy's own scalar types."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and kind.__module__ == "numpy" and issubclass(kind, numpy.generic)


def _array(form: Any) -> Any:
    name, shape, text = form
    if _DTYPE.fullmatch(name) is None or any(type(side) is not int or side < 0 for side in shape):
        raise WireError("not an array")
    import numpy

    data = base64.b64decode(text, validate=True)
    dtype = numpy.dtype(name)
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise WireError("an array whose bytes do not fit its shape")
    return numpy.frombuffer(bytearray(data), dtype=dtype).reshape(shape)
