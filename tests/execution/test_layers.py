"""The layers of isolation: the best that works is taken, the weak one only if asked; each holds what it promises."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mucode.execution import open_sandbox
from mucode.execution.bubblewrap import find_bubblewrap
from mucode.execution.doctor import doctor, self_test
from mucode.execution.inside import landlock
from mucode.execution.layers import Layer, build, choose, probe
from mucode.execution.orders import Setting
from mucode.execution.pool import Pool
from mucode.execution.runtime import find_runtime
from mucode.types import MucodeError, Status
from tests.bubblewrap import NAMESPACES, bwrap
from tests.execution.builders import job, verdict_on

ROOT = Path(__file__).parent.parent.parent
_LAYERS = ("bubblewrap", "landlock", "seccomp")
_ASK = """
import json, sys
from mucode.execution import open_sandbox
from mucode.types import MucodeError
from tests.execution.builders import job
try:
    with open_sandbox(1, allow_weak=%s) as sandbox:
        jobs = [job("def f(x): return x", "assert f(1) == 1"), job("def f(x): return 2", "assert f(1) == 1")]
        verdicts = sandbox.judge(jobs, "private")
        print(json.dumps([sandbox.isolation, *(verdict.passed for verdict in verdicts)]))
except MucodeError as error:
    print(json.dumps([str(error)]))
"""
# Forbids clone, clone3 and unshare with a namespace flag, as Docker's default filter does, then runs the rest.
_FORBID_NAMESPACES = """
import os, sys
from mucode.execution.inside import seccomp
rules = seccomp.Assembler()
calls = {"clone": (56, 220), "unshare": (272, 97), "clone3": (435, 435)}
rules.answer(calls["clone3"], seccomp.ABSENT)
rules.bits(calls["clone"], 0, 0x7E020000, found=seccomp.REFUSE, otherwise=seccomp.ALLOW)
rules.bits(calls["unshare"], 0, 0x7E020000, found=seccomp.REFUSE, otherwise=seccomp.ALLOW)
if sys.argv[1] == "and Landlock":
    rules.answer((444, 444), seccomp.ABSENT)
seccomp.Installer(rules.finish(seccomp.ALLOW)).install()
os.execv(sys.executable, [sys.executable, "-c", sys.argv[2]])
"""


@pytest.mark.skipif(find_bubblewrap() is None, reason="no bubblewrap here")
def test_the_best_layer_works_wherever_the_project_lies_also_where_programs_write() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        shutil.copytree(ROOT / "mucode", f"{folder}/mucode", ignore=shutil.ignore_patterns("__pycache__"))
        environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
        asked = [
            sys.executable,
            "-c",
            f"import mucode; assert mucode.__file__.startswith('{folder}')\n{_ASK % 'False'}",
        ]
        said = subprocess.run(asked, env=environment, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert json.loads(said)[0] == open_isolation()


def open_isolation() -> str:
    """What is used where the project lies now."""
    with open_sandbox(1) as sandbox:
        return sandbox.isolation


def pool_in(key: str, workers: int = 1, timeout: float = 5.0) -> Pool:
    """A sandbox in one particular layer; skips where this machine refuses what it stands on."""
    if key == "landlock" and landlock.version() == 0:
        pytest.skip("this kernel has no Landlock")
    if key == "bubblewrap":
        bwrap(*NAMESPACES)
    layer = build(key, timeout, find_runtime(), find_bubblewrap())
    return Pool(layer, Setting(layer.plain, layer.numpy or (), timeout, ()), workers)


def asked_where(forbidden: str, *, allow_weak: bool = False) -> list[object]:
    """What `open_sandbox` does on a machine that forbids namespaces, or these and Landlock."""
    command = [sys.executable, "-c", _FORBID_NAMESPACES, forbidden, _ASK % allow_weak]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, cwd=Path(__file__).parents[2]
    )
    result: list[object] = json.loads(done.stdout)
    return result


def test_the_best_layer_that_works_is_taken() -> None:
    seen = list(probe(5.0, allow_weak=True))
    assert [layer.key for layer, _ in seen] == list(_LAYERS)
    assert choose(5.0).key == next(layer.key for layer, finding in seen if finding.works)


def test_landlock_takes_over_where_namespaces_are_refused() -> None:
    if landlock.version() == 0:
        pytest.skip("this kernel has no Landlock")
    assert asked_where("namespaces") == ["landlock+seccomp", True, False]


def test_without_namespaces_and_landlock_programs_are_refused_and_the_message_says_what_to_do() -> None:
    (message,) = asked_where("and Landlock")
    assert "bubblewrap" in str(message)
    assert "Linux 5.13" in str(message)
    assert "--allow-weak-isolation" in str(message)


def test_the_weak_layer_is_used_only_when_it_is_asked_for() -> None:
    assert asked_where("and Landlock", allow_weak=True) == ["seccomp", True, False]


@pytest.mark.parametrize("key", _LAYERS)
def test_no_layer_lets_a_program_write_start_or_signal_anything(key: str, tmp_path: Path) -> None:
    (tmp_path / "keep").write_text("kept")
    attempts = f"""
import ctypes, fcntl, os, signal, socket
def f():
    done = []
    for name, attempt in {{
        "write": lambda: open({str(tmp_path / "new")!r}, "w"),
        "append": lambda: open({str(tmp_path / "keep")!r}, "a"),
        "truncate": lambda: os.truncate({str(tmp_path / "keep")!r}, 0),
        "chmod": lambda: os.chmod({str(tmp_path / "keep")!r}, 0),
        "unlink": lambda: os.unlink({str(tmp_path / "keep")!r}),
        "mkdir": lambda: os.mkdir({str(tmp_path / "dir")!r}),
        "rename": lambda: os.rename({str(tmp_path / "keep")!r}, {str(tmp_path / "gone")!r}),
        "signal": lambda: os.kill({os.getpid()}, 0),
        "signal the zygote": lambda: os.kill(os.getppid(), 0),
        "have a pipe signal": lambda: fcntl.fcntl(os.pipe()[0], 8, {os.getpid()}),
        "have a pipe signal otherwise": lambda: fcntl.fcntl(os.pipe()[0], 10, 9),
        "fork": os.fork,
        "socket": socket.socket,
    }}.items():
        try:
            attempt()
            done.append(name)
        except OSError:
            pass
    return done
"""
    with pool_in(key) as sandbox:
        verdict = verdict_on(sandbox, job(attempts, "assert f() == []"), "public")
    assert (verdict.status, verdict.feedback) == (Status.PASSED, "")
    assert [path.name for path in tmp_path.iterdir()] == ["keep"]
    assert (tmp_path / "keep").read_text() == "kept"


def test_a_program_changes_nothing_that_the_next_one_sees() -> None:
    hidden = find_runtime().hidden
    change = f"""
import os
for path in {hidden!r}:
    try:
        open(os.path.join(path, "left"), "w").close()
    except OSError:
        pass
os.utime(".", (5, 7))
os.chmod(".", 0o555)
def f(): return True
"""
    look = f"""
import os
def f():
    open("new", "w").close()
    seen = os.stat(".")
    return [seen.st_mode & 0o777, seen.st_atime == 5, [each for path in {hidden!r} for each in os.listdir(path)]]
"""
    with pool_in("bubblewrap") as sandbox:
        jobs = [job(change, "assert f()"), job(look, "assert f() == [0o755, False, []]")]
        assert [each.feedback for each in sandbox.judge(jobs, "public")] == ["", ""]


def test_a_program_writes_to_the_host_s_null_device_and_changes_nothing_of_it() -> None:
    attempts = """
import os
def f():
    open(os.devnull, "w").write("x")
    done = []
    for where in (os.devnull, 0, 1, 2):
        for change in (lambda: os.chmod(where, 0o20666), lambda: os.utime(where)):
            try:
                change()
                done.append(where)
            except OSError:
                pass
    return done
"""
    with pool_in("bubblewrap") as sandbox:
        verdict = verdict_on(sandbox, job(attempts, "assert f() == []"), "public")
    assert (verdict.status, verdict.feedback) == (Status.PASSED, "")


@pytest.mark.parametrize("key", ["bubblewrap", "landlock"])
def test_programs_read_nothing_but_the_runtime(key: str) -> None:
    look = f"""
import os
def f():
    seen = []
    for path in ({str(Path(__file__))!r}, "/etc/passwd", "/etc/hostname", "/proc/1/status", "/proc/self/environ",
                 os.path.join({str(Path(pytest.__file__).parent)!r}, "__init__.py")):
        try:
            open(path).read()
            seen.append(path)
        except OSError:
            pass
    return seen
"""
    with pool_in(key) as sandbox:
        assert verdict_on(sandbox, job(look, "assert f() == []"), "public").feedback == ""


@pytest.mark.parametrize("key", _LAYERS)
def test_every_layer_runs_honest_programs_with_threads_and_numpy(key: str) -> None:
    program = """
import threading
import numpy as np
import decimal, random, statistics
def f(n):
    found = []
    threads = [threading.Thread(target=found.append, args=(i,)) for i in range(n)]
    for t in threads: t.start()
    for t in threads: t.join()
    return int(np.array(sorted(found)).sum())
"""
    with pool_in(key) as sandbox:
        verdict = verdict_on(sandbox, job(program, "assert f(20) == 190"), "public")
    assert (verdict.status, verdict.feedback) == (Status.PASSED, "")


@pytest.mark.slow
@pytest.mark.parametrize("key", _LAYERS)
def test_every_layer_ends_what_never_ends(key: str) -> None:
    with pool_in(key, timeout=0.5) as sandbox:
        jobs = [job("while True: pass", "assert f()"), job("def f(): return 1", "assert f()")]
        assert [verdict.status for verdict in sandbox.judge(jobs, "private")] == [Status.TIMEOUT, Status.PASSED]


def test_a_layer_that_lets_a_program_out_fails_the_self_test() -> None:
    layer = build("landlock", 5.0, find_runtime(), None)
    start = layer.plain.index("-c") + 1
    opened = layer.plain[start].replace("zygote.start", "zygote.confine.lock = lambda *_: None; zygote.start")
    broken = Layer("landlock", (*layer.plain[:start], opened, *layer.plain[start + 1 :]), None)
    with Pool(broken, Setting(broken.plain, (), 5.0, ()), 1) as sandbox, pytest.raises(MucodeError, match="self-test"):
        sandbox.judge([job("def f(): return 1", "assert f()")], "private")


def test_the_doctor_tells_each_layer_and_each_attack_in_one_line() -> None:
    findings = doctor()
    assert [finding.subject for finding in findings][:4] == [
        "layer bubblewrap+seccomp", "layer landlock+seccomp", "layer seccomp", "isolation",
    ]  # fmt: skip
    assert all(finding.right for finding in findings if finding.needed)
    assert all(finding.text and "\n" not in finding.text for finding in findings)
    assert len(self_test()) >= 4


def test_the_isolation_is_told_by_the_sandbox() -> None:
    with open_sandbox(1) as sandbox:
        assert sandbox.isolation == choose(5.0).name
