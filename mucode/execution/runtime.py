"""Which files the Python runtime needs, so that nothing else of the machine is shown to a program."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_DATA = ("/usr/share/zoneinfo", "/usr/lib/locale/C.utf8")  # of zoneinfo and of the environment's LANG
_SHARED_LIBRARIES = ("x86_64-linux-gnu", "aarch64-linux-gnu")
INSIDE = Path(__file__).parent / "inside"


@dataclass(frozen=True, slots=True)
class Runtime:
    """Paths of this interpreter. `hidden` lie beneath `readable` and must not be shown: installed packages."""

    executable: str
    readable: tuple[str, ...]
    hidden: tuple[str, ...]
    numpy: tuple[str, ...]  # the directories of numpy, empty when it is not installed


def find_runtime() -> Runtime:
    """The interpreter that runs this, without its site-packages."""
    executable = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    standard = {sysconfig.get_path(name, vars=_base()) for name in ("stdlib", "platstdlib")}
    libraries = [path for root in _LIBRARIES for path in _library_directories(root)]
    own = os.path.join(sys.base_prefix, "lib")
    if sys.base_prefix not in ("/usr", "/"):
        libraries += [str(path) for path in Path(own).glob("lib*.so*")]
    readable = sorted({executable, *filter(os.path.isdir, (*standard, *_DATA)), *libraries})
    hidden = [os.path.join(path, name) for path in readable for name in ("site-packages", "dist-packages")]
    return Runtime(executable, tuple(readable), tuple(path for path in hidden if os.path.isdir(path)), _numpy())


def _base() -> dict[str, str]:
    return {"base": sys.base_prefix, "platbase": sys.base_exec_prefix, "installed_base": sys.base_prefix}


def _library_directories(root: str) -> list[str]:
    """The system's shared libraries and loader: only those directories that hold nothing else."""
    narrow = [os.path.join(root, name) for name in _SHARED_LIBRARIES if os.path.isdir(os.path.join(root, name))]
    return narrow or ([root] if root.endswith("64") and os.path.isdir(root) else _loose_libraries(root))


def _loose_libraries(root: str) -> list[str]:
    return [str(path) for path in Path(root).glob("*.so*")] if os.path.isdir(root) else []


def _numpy() -> tuple[str, ...]:
    found = importlib.util.find_spec("numpy")
    if found is None or not found.submodule_search_locations:
        return ()
    package = found.submodule_search_locations[0]
    return tuple(path for path in (package, package + ".libs") if os.path.isdir(path))
