"""What a verdict says: why a program is wrong and how many asserts held, whatever it can see, draw or find left by others."""

# ruff: noqa: E501  # programs, tests and forms are data: one a line

from __future__ import annotations

import pytest

from mucode.execution.pool import Pool
from mucode.types import Status
from tests.execution.builders import job, verdict_on


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("def f(x): return 3", Status.FAILED),
        ("def f(x): return None", Status.FAILED),
        ("def f(x): return 1 / 0", Status.ERROR),
        ("def f(x):", Status.ERROR),
        ("def g(x): return 2", Status.FAILED),
        ("def f(x):\n    while True: pass", Status.TIMEOUT),
        ("while True: pass", Status.TIMEOUT),
        ("def f(x): return bytearray(10**10)", Status.MEMORY),
        ("def f(x): return 'x' * (40 << 20)", Status.ERROR),
        ("def f(x): __import__('os').fork()", Status.DENIED),
        ("def f(x): return object()", Status.OPAQUE),
        ("def f(x): raise SystemExit", Status.ERROR),
        ("import sys\nsys.exit()", Status.ERROR),
        ("\0", Status.ERROR),
        ("\ud800", Status.ERROR),
        ("def f(x): import os; os._exit(0)", Status.ERROR),
    ],
)
def test_a_wrong_program_fails_with_the_reason(sandbox: Pool, hasty: Pool, program: str, status: Status) -> None:
    judges = hasty if status is Status.TIMEOUT else sandbox  # one that ends by itself is given the time to
    verdict = verdict_on(judges, job(program, "assert f(1) == 2", "assert f(1) == 2"))
    assert (verdict.status, verdict.tests_passed, verdict.tests_total) == (status, 0, 2)


def test_a_program_that_writes_beyond_its_walls_fails_by_what_these_are_made_of(sandbox: Pool) -> None:
    verdict = verdict_on(sandbox, job("def f(x): open('/etc/x', 'w')", "assert f(1) == 2"))
    refused = {"bubblewrap": Status.ERROR, "landlock": Status.DENIED, "seccomp": Status.DENIED}
    assert verdict.status is refused[sandbox.layer.key]


def test_what_the_judge_s_own_classes_say_of_themselves_is_nothing_that_a_program_has(sandbox: Pool) -> None:
    verdict = verdict_on(
        sandbox, job("def f(x): return x", "assert f.__doc__ and len(f.__doc__) > 5", "assert 'proxy' in f.__module__")
    )
    assert (verdict.status, verdict.tests_passed) == (Status.FAILED, 0)


def test_a_failing_assert_does_not_stop_the_following_tests(sandbox: Pool) -> None:
    verdict = verdict_on(sandbox, job("def f(x): return x", "assert f(1) == 1", "assert f(2) == 1", "assert f(3) == 3"))
    assert (verdict.status, verdict.tests_passed, verdict.tests_total) == (Status.FAILED, 2, 3)


def test_asserts_are_counted_within_a_test_up_to_the_first_that_fails(sandbox: Pool) -> None:
    check = "def check(candidate):\n    assert candidate(1) == 1\n    assert candidate(2) == 1\n    assert candidate(3) == 3\ncheck(f)"
    verdict = verdict_on(sandbox, job("def f(x): return x", check))
    assert (verdict.tests_passed, verdict.tests_total) == (1, 3)


def test_tests_before_an_endless_loop_count(hasty: Pool) -> None:
    verdict = verdict_on(
        hasty, job("def f(x):\n    while x > 1: pass\n    return x", "assert f(1) == 1", "assert f(2) == 2")
    )
    assert (verdict.status, verdict.tests_passed) == (Status.TIMEOUT, 1)


@pytest.mark.parametrize("module", ["random", "numpy.random"])
def test_every_program_gets_the_same_inputs_of_a_test_that_draws_them(sandbox: Pool, module: str) -> None:
    test = f"import {module}\nassert f({module}.random())"
    verdicts = sandbox.judge([job(f"def f(x): return None  # {n}", test) for n in range(3)], "public")
    assert verdicts[0].feedback.startswith("assert f(")
    assert len({verdict.feedback for verdict in verdicts}) == 1


def test_what_a_test_draws_cannot_be_drawn_by_the_program(sandbox: Pool) -> None:
    test = "import random\nassert f(0) == random.random()"
    replay = "import random\ndrawn = random.Random({seed}).random()\ndef f(x): return drawn"
    assert not any(verdict_on(sandbox, job(replay.format(seed=seed), test)).passed for seed in (0, "''", 1))


def test_a_program_may_recurse_as_deep_as_in_an_ordinary_interpreter(sandbox: Pool) -> None:
    program = "def f(n): return n and 1 + f(n - 1)"
    assert verdict_on(sandbox, job(program, "assert f(980) == 980")).passed
    assert verdict_on(sandbox, job(program, "assert f(1020) == 1020")).status is Status.ERROR
    allowed = f"import sys\nsys.setrecursionlimit(2000)\n{program}"
    assert verdict_on(sandbox, job(allowed, "assert f(1000) == 1000", "assert f(1980) == 1980")).passed


def test_programs_see_names_of_functions_and_arguments_but_no_test(sandbox: Pool) -> None:
    spy = "import sys, gc\ndef f(x):\n    text = repr(gc.get_objects()) + repr(sys.modules)\n    return 'rewsna_detnaw'[::-1] in text"
    assert verdict_on(sandbox, job(spy, "wanted_answer = False\nassert f(1) == wanted_answer")).passed


def test_programs_do_not_see_each_other(sandbox: Pool) -> None:
    leave = "import builtins, sys, os\nbuiltins.left = sys.left = os.left = 1\ndef f(x): return x\n# {}"
    look = "import builtins, sys, os\ndef f(x): return any(hasattr(m, 'left') for m in (builtins, sys, os))\n# {}"
    jobs = [
        each
        for n in range(6)
        for each in (job(leave.format(n), "assert f(1) == 1"), job(look.format(n), "assert f(1) is False"))
    ]
    assert all(verdict.passed for verdict in sandbox.judge(jobs, "private"))


@pytest.mark.parametrize(
    ("change", "program", "test"),
    [
        (
            "import decimal\ndecimal.getcontext().prec = 3",
            "from decimal import Decimal\ndef f(x): return Decimal(1) / Decimal(3)",
            "from decimal import Decimal\nassert f(1) == Decimal(1) / Decimal(3)",
        ),
        (
            "import sys\nsys.setrecursionlimit(150)",
            "def f(n):\n    deep = []\n    for _ in range(n): deep = [deep]\n    return deep",
            "assert f(300)",
        ),
        ("import builtins\nbuiltins.sorted = lambda xs: []", "def f(x): return [1]", "assert sorted(f(1)) == [1]"),
        ("import builtins\nbuiltins.one = 1", "one = 2\ndef f(x): return x", "assert f(2) == one"),
        ("import sys\nsys.stdout = None", "def f(x): return x", "import sys\nassert f(1) and sys.stdout is not None"),
        ("import sys\nsys.stdout.close()", "def f(x): return x", "print('x', flush=True)\nassert f(1)"),
        ("import sys\nsys.stderr.detach()", "def f(x): return x", "import sys\nsys.stderr.flush()\nassert f(1)"),
        ("import warnings\nwarnings.simplefilter('error')", "def f(x): return x", "assert f(1) == 1, '\\d'"),
        (
            "import sys\nsys.set_int_max_str_digits(0)",
            "def f(x): return 10**x",
            "try: text = str(f(5000))\nexcept ValueError: text = ''\nassert text == ''",
        ),
        ("import gc\ngc.disable()", "def f(x): return x", "import gc\nassert f(gc.isenabled())"),
        (
            "import sys\nsys.setprofile(lambda *a: None)",
            "def f(x): return x",
            "import sys\nassert f(sys.getprofile()) is None",
        ),
        (
            "import sys\nsys.settrace(lambda *a: None)",
            "def f(x): return x",
            "import sys\nassert f(sys.gettrace()) is None",
        ),
        ("import sys\nsys.path = None", "def f(x): return x", "import sys\nassert f(sys.path)"),
        ("import sys\nsys.path.clear()", "def f(x): return x", "import sys\nassert f(sys.path)"),
    ],
)
def test_what_a_test_changes_in_its_interpreter_the_next_program_s_tests_do_not_see(
    sandbox: Pool, change: str, program: str, test: str
) -> None:
    changing, later = job("def f(x): return x", f"{change}\nassert f(1) == 1"), job(program, test)
    assert [verdict.status for verdict in sandbox.judge([changing, later, later], "private")] == [Status.PASSED] * 3


@pytest.mark.parametrize(
    "test",
    [
        "import sys\nif f(1) != 2: sys.exit('wrong')\nassert f(1) == 2",
        "import pytest\nwith pytest.raises(ValueError):\n    f(1)\nassert f(1) == 1",
        "import sys\nassert f(lambda x: sys.exit('wrong'))",
        "def halves(n):\n    raise KeyboardInterrupt\nassert f(halves) == 1",
    ],
)
def test_a_test_that_exits_says_no(sandbox: Pool, test: str) -> None:
    for half in ("public", "private"):
        verdict = verdict_on(sandbox, job("def f(x): return x(1) if callable(x) else 3", test), half)
        assert (verdict.status, verdict.tests_passed) == (Status.FAILED, 0)
    assert verdict_on(sandbox, job("def f(x): return x(1) if callable(x) else 3", test), "public").feedback


def test_a_prompt_that_exits_fails_every_program(sandbox: Pool) -> None:
    assert (
        verdict_on(sandbox, job("def f(x): return 1", "assert f(1)", setup="raise SystemExit")).status is Status.FAILED
    )


def test_a_test_that_does_not_exit_is_held(sandbox: Pool) -> None:
    test = "import sys\nif f(1) != 2: sys.exit('wrong')\nassert f(1) == 2"
    assert verdict_on(sandbox, job("def f(x): return 2", test)).passed
