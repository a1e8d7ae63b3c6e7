"""A program's threads that call a test's function get the answers to their own calls."""

# ruff: noqa: E501  # programs, tests and forms are data: one a line

from __future__ import annotations

import pytest

from mucode.execution.pool import Pool
from mucode.types import Status
from tests.execution.builders import job, verdict_on

THREADED = {
    "a pool": (
        "from concurrent.futures import ThreadPoolExecutor\ndef f(g, xs):\n    with ThreadPoolExecutor(4) as pool: return list(pool.map(g, xs))",
        "assert f(lambda x: x * x, range(50)) == [x * x for x in range(50)]",
    ),
    "asyncio": (
        "import asyncio\ndef f(g, xs):\n    async def all(): return await asyncio.gather(*[asyncio.to_thread(g, x) for x in xs])\n    return asyncio.run(all())",
        "for _ in range(10): assert f(lambda x: x * 10, [1, 2, 3]) == [10, 20, 30]",
    ),
    "functions that use the program": (
        "from concurrent.futures import ThreadPoolExecutor\ndef h(x): return x + 1\ndef f(g, xs):\n    with ThreadPoolExecutor(4) as pool: return list(pool.map(g, xs))",
        "assert f(lambda x: h(x) + h(x), range(30)) == [2 * x + 2 for x in range(30)]",
    ),
    "threads within a function that a thread calls": (
        "from concurrent.futures import ThreadPoolExecutor\ndef f(g, xs):\n    with ThreadPoolExecutor(3) as pool: return list(pool.map(g, xs))",
        "assert f(lambda x: f(lambda y: f(lambda z: x + y + z, [1, 2]), [10, 20]), [100, 200]) == "
        "[[[111, 112], [121, 122]], [[211, 212], [221, 222]]]",
    ),
    "a timer that is joined": (
        "import threading\ndef f(g):\n    t = threading.Timer(0.05, g, [1])\n    t.start()\n    return t",
        "seen = []\nt = f(seen.append)\nt.join()\nassert seen == [1]",
    ),
    "a timer that the next call finds waiting": (
        "import threading\ndef f(g): threading.Timer(0.02, g, [1]).start()\ndef h(): return 5",
        "import time\nseen = []\nf(seen.append)\ntime.sleep(0.2)\nassert h() == 5\nassert seen == [1]",
    ),
    "a function that raises": (
        "from concurrent.futures import ThreadPoolExecutor\ndef f(g, xs):\n    with ThreadPoolExecutor(4) as pool: results = [pool.submit(g, x) for x in xs]\n"
        "    return [type(r.exception()).__name__ if r.exception() else r.result() for r in results]",
        "assert f(lambda x: 6 // x, [0, 1, 2, 0, 3]) == ['ZeroDivisionError', 6, 3, 'ZeroDivisionError', 2]",
    ),
    "a global that threads change before they call": (
        "import threading\nfrom concurrent.futures import ThreadPoolExecutor\nlock, n = threading.Lock(), 0\ndef f(g, xs):\n    def one(x):\n        global n\n        with lock:\n"
        "            n = x\n            return g(x)\n    with ThreadPoolExecutor(4) as pool: return list(pool.map(one, xs))",
        "assert f(lambda x: n == x, range(60)) == [True] * 60",
    ),
    "a limit of recursion while a thread calls": (
        "import sys, threading\nsys.setrecursionlimit(3000)\ndef f(g):\n    t = threading.Thread(target=lambda: [g(x) for x in range(100)], daemon=True)\n"
        "    t.start()\n    return t\ndef h(): return sys.getrecursionlimit()",
        "t = f(lambda x: x)\nfor _ in range(100): assert h() == 3000\nt.join()\nassert h() == 3000",
    ),
    "the usual limit after a thread has called": (
        "import threading\ndef f(g):\n    t = threading.Thread(target=lambda: [g(x) for x in range(100)], daemon=True)\n    t.start()\n    return t\n"
        "def h(n):\n    try: return n and 1 + h(n - 1)\n    except RecursionError: return -10000",
        "t = f(lambda x: x)\nfor _ in range(50): assert h(2000) < 0\nt.join()\nassert h(2000) < 0",
    ),
    "a limit that a function sets which a test's function calls": (
        "import sys\ndef h(n): sys.setrecursionlimit(n)\ndef f(g):\n    g(3000)\n    return sys.getrecursionlimit()",
        "assert f(lambda n: h(n)) == 3000\nassert f(lambda n: h(n)) == 3000",
    ),
    "what a thread writes while it is told": (
        "import sys, threading\nsys.setswitchinterval(1e-6)\nd, s = dict.fromkeys(range(500)), set(range(500))\ndef f():\n    def write():\n"
        "        while True: d[-1] = s.add(-1); d.pop(-1); s.discard(-1)\n    threading.Thread(target=write, daemon=True).start()\ndef h(): return 1",
        "f()\nfor _ in range(100): assert h() == 1 and len(d) >= 500 and len(s) >= 500",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", THREADED)
def test_a_program_s_threads_call_a_test_s_function(sandbox: Pool, name: str) -> None:
    program, test = THREADED[name]
    verdict = verdict_on(sandbox, job(program, test), "public")
    assert (verdict.status, verdict.feedback) == (Status.PASSED, "")


def test_a_signal_handler_that_interrupts_a_call_does_not_wait_for_it(sandbox: Pool) -> None:
    program = "import signal\nseen = []\ndef f(g, h):\n    def handler(*_):\n        try: h(1)\n        except RuntimeError: seen.append(1)\n    signal.signal(signal.SIGALRM, handler)\n    signal.setitimer(signal.ITIMER_REAL, 0.05)\n    return g(3)\ndef s(): return len(seen)"
    test = "import time\ndef g(x):\n    time.sleep(0.3)\n    return x\nassert f(g, lambda x: x) == 3\nassert s() == 1"
    assert verdict_on(sandbox, job(program, test)).status is Status.PASSED


def test_a_signal_handler_that_raises_out_of_a_call_does_not_end_the_conversation(sandbox: Pool) -> None:
    program = "import signal\nclass T(Exception): pass\ndef handler(*_): raise T\ndef f(g):\n    signal.signal(signal.SIGALRM, handler)\n    signal.setitimer(signal.ITIMER_REAL, 0.1)\n    try: return g(3)\n    except T: return 'late'\ndef h(g): return g(3)\ndef s(): return 4"
    for g in ("lambda x: time.sleep(0.4)", "lambda x: s() and time.sleep(0.4)"):
        test = f"import time\nassert f({g}) == 'late'\nassert s() == 4 and h(lambda x: x) == 3"
        assert verdict_on(sandbox, job(program, test)).status is Status.PASSED


def test_an_exception_that_was_told_is_freed_at_once(sandbox: Pool) -> None:
    program = "import gc, weakref\ngc.disable()\nclass E(Exception): pass\ndef f(xs):\n    global ref\n    error = E()\n    ref = weakref.ref(error)\n    try: raise error\n    finally: del error\ndef freed(): return ref() is None"
    test = "try: f([1])\nexcept Exception: pass\nassert freed()"
    assert verdict_on(sandbox, job(program, test)).status is Status.PASSED


def test_an_answer_too_deep_for_a_thread_that_recurses_is_not_waited_for_again(sandbox: Pool) -> None:
    program = "import threading\ndef f(g):\n    out = []\n    def r(n): return len(g(n)) if n == 0 else r(n - 1)\n    def run():\n        for d in range(850, 1000, 7):\n            try: out.append(r(d))\n            except BaseException: out.append('deep')\n    t = threading.Thread(target=run)\n    t.start()\n    t.join()\n    return out"
    test = "def nest(n):\n    r = []\n    for _ in range(n): r = [r]\n    return r\nassert 'deep' in f(lambda n: nest(100))"
    assert verdict_on(sandbox, job(program, test)).status is not Status.TIMEOUT
