"""What a test holds instead of the program's functions and objects.

A proxy answers with plain data that the judge decoded itself. What would let the program decide a comparison (==, <,
hash, arithmetic) raises `Opaque`. Names with two underscores on both sides are not forwarded beyond a harmless few:
libraries give some of them power, for example numpy reads memory at the address in `__array_interface__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from mucode.execution.session import Session

_OF_EVERY_CLASS = ("__doc__", "__module__", "__annotations__")  # our own would be found first
_FORWARDED = frozenset({"__dict__", "__name__", "__qualname__", *_OF_EVERY_CLASS})


class Opaque(BaseException):
    """A test compared, hashed or computed with an object that is not plain data."""


def _refuse(self: Handle, *operands: Any) -> NoReturn:
    raise self._mucode_session.opaque()


class Handle:
    """An object that stays with the program. `_mucode_is_own`: the test itself treats it as one of the program's class,
    because it made it by calling a class or read an attribute."""

    __slots__ = ("__weakref__", "_mucode_form", "_mucode_is_own", "_mucode_session")
    _mucode_session: Session
    _mucode_form: dict[str, Any]
    _mucode_is_own: bool

    def __init__(self, session: Session, form: dict[str, Any]) -> None:
        object.__setattr__(self, "_mucode_session", session)
        object.__setattr__(self, "_mucode_form", form)
        object.__setattr__(self, "_mucode_is_own", False)

    def _mucode_do(self, operation: str, *operands: Any) -> Any:
        return self._mucode_session.do(operation, (self, *operands), {})

    def _mucode_look(self, operation: str) -> Any:
        return self._mucode_session.look(operation, self)

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__" == name[-2:] and name not in _FORWARDED:
            raise AttributeError(name)
        self._mucode_own()
        return self._mucode_do("getattr", name)

    def _mucode_own(self) -> None:
        object.__setattr__(self, "_mucode_is_own", True)

    def __setattr__(self, name: str, value: Any) -> None:
        self._mucode_do("setattr", name, value)

    def __delattr__(self, name: str) -> None:
        self._mucode_do("delattr", name)

    def __getitem__(self, key: Any) -> Any:
        return self._mucode_do("getitem", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._mucode_do("setitem", key, value)

    def __delitem__(self, key: Any) -> None:
        self._mucode_do("delitem", key)

    def __contains__(self, item: Any) -> bool:
        """`120 in solve(5)` shows the program what is expected: it may answer with elements, not with yes."""
        if self._mucode_session.is_own(self):
            return bool(self._mucode_do("contains", item))
        return any(each is item or each == item for each in self)

    def __iter__(self) -> Any:
        return self._mucode_do("iter")

    def __next__(self) -> Any:
        return self._mucode_do("next")

    def __reversed__(self) -> Any:
        return self._mucode_do("reversed")

    def __len__(self) -> Any:
        return self._mucode_look("len")

    def __bool__(self) -> Any:
        return self._mucode_look("bool")

    def __str__(self) -> Any:
        return self._mucode_look("str")

    def __repr__(self) -> Any:
        return self._mucode_look("repr")

    def __int__(self) -> Any:
        return self._mucode_look("int")

    def __float__(self) -> Any:
        return self._mucode_look("float")

    def __instancecheck__(self, value: Any) -> bool:
        return bool(self._mucode_do("isinstance", value))

    def __subclasscheck__(self, kind: Any) -> bool:
        return bool(self._mucode_do("issubclass", kind))

    def __enter__(self) -> Any:
        return self._mucode_do("enter")

    def __exit__(self, *error: object) -> None:
        self._mucode_do("exit")

    def __dir__(self) -> Any:
        return self._mucode_do("dir")

    def __format__(self, specification: str) -> str:
        return format(str(self), specification)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise self._mucode_session.opaque()

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = __rdivmod__ = __pow__ = __rpow__ = _refuse
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __lshift__ = __rlshift__ = _refuse
    __rshift__ = __rrshift__ = __matmul__ = __rmatmul__ = __neg__ = __pos__ = __abs__ = __invert__ = _refuse
    __round__ = __trunc__ = __floor__ = __ceil__ = __complex__ = __index__ = _refuse


class Function(Handle):
    """A handle that can be called."""

    __slots__ = ()

    def __call__(self, /, *operands: Any, **keywords: Any) -> Any:
        return self._mucode_session.do("call", (self, *operands), keywords)


def _forward(kind: type[Handle], name: str) -> None:
    """Let `name` of a proxy be what the program's object has, not what our class has."""
    setattr(kind, name, property(lambda self: self._mucode_do("getattr", name)))


for _kind in (Handle, Function):
    for _name in _OF_EVERY_CLASS:
        _forward(_kind, _name)
