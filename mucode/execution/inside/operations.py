"""What a test may do to an object that stays with the program. Comparison, hashing, arithmetic: missing on purpose."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any


def _call(function: Any, /, *operands: Any, **keywords: Any) -> Any:
    return function(*operands, **keywords)


def _set_item(container: Any, key: Any, value: Any) -> None:
    container[key] = value


def _delete_item(container: Any, key: Any) -> None:
    del container[key]


def refill(held: Any, content: Any) -> None:
    """A container that the judge read (`READS`) and changed: the same object here gets its content."""
    if isinstance(held, (list, bytearray)):
        held[:] = content
    else:
        held.clear()
        held.extend(content) if isinstance(held, deque) else held.update(content)


READS = frozenset({"getattr", "getitem"})
TABLE: dict[str, Callable[..., Any]] = {
    "call": _call,
    "getattr": getattr,
    "setattr": setattr,
    "delattr": delattr,
    "getitem": lambda container, key: container[key],
    "setitem": _set_item,
    "delitem": _delete_item,
    "contains": lambda container, item: item in container,
    "iter": iter,
    "next": next,
    "reversed": reversed,
    "len": len,
    "bool": bool,
    "str": str,
    "repr": repr,
    "int": int,
    "float": float,
    "isinstance": lambda kind, value: isinstance(value, kind),
    "issubclass": lambda kind, other: issubclass(other, kind),
    "enter": lambda manager: type(manager).__enter__(manager),
    "exit": lambda manager: type(manager).__exit__(manager, None, None, None),
    "dir": dir,
}
