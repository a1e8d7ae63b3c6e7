# The project's commands: each does its own set-up, ends non-zero if any part of it failed, and leaves nothing running.
#   make quickstart SIZE=full      sizes are `default` and the files in profiles/

SIZE = default
EXTRAS =
TEAM =
PIECES =
PREFECT_PORT = 4200
MLFLOW_PORT = 5000

FOUND_PYTHON := $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
PYTHON = .venv/bin/python
# Every recipe's process is marked to end with make, should make be killed (mucode/processes.py).
TIED = exec $(PYTHON) -I -S mucode/processes.py 9 $$PPID
PIP = $(TIED) $(PYTHON) -m pip --disable-pip-version-check --no-input install --no-compile
INSTALLED = .venv/.installed
# The tests and their run ask no server, database, model or remote that the shell names: they would write there.
ALONE = unset MLFLOW_ARTIFACTS_DESTINATION MLFLOW_AUTH_CONFIG_PATH MLFLOW_BACKEND_STORE_URI MLFLOW_TRACKING_URI \
	MUCODE_RUN_REMOTE MUCODE_SERVER_URL MUCODE_STUDY_MODEL MUCODE_TRAINING_PROCESSES MUCODE_WORKERS \
	PREFECT_API_DATABASE_CONNECTION_URL PREFECT_API_URL PREFECT_SERVER_DATABASE_CONNECTION_URL; DVC_GLOBAL_CONFIG_DIR=/nonexistent; export DVC_GLOBAL_CONFIG_DIR;
# Files are UTF-8, whatever the locale says.
export PYTHONUTF8 = 1

.DELETE_ON_ERROR:
.PHONY: help install quickstart study results test test-all check theory repro reproduce ui clean lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

install: $(INSTALLED) $(EXTRAS:%=.venv/.installed-%) ## everything into .venv, as requirements.lock says (EXTRAS="serve bench dask team browser": more)

quickstart: $(INSTALLED) ## the whole training loop through its Prefect flow, and the results table (SIZE=tiny, full, ...)
	@$(TIED) $(PYTHON) -m flows.quickstart --size $(SIZE)

study: $(INSTALLED) ## the study of docs/study.md, piece by piece, and docs/results.md (PIECES="main ...", SIZE=smoke)
	@$(TIED) $(PYTHON) -m flows.study --over $(SIZE) $(PIECES)

results: $(INSTALLED) ## docs/results.md from what the study has finished so far, also while it runs (PIECES, SIZE)
	@$(TIED) $(PYTHON) -m flows.study --keep --over $(SIZE) $(PIECES)

test: $(INSTALLED) ## the fast tests and one tiny end-to-end run
	@$(ALONE) $(TIED) $(PYTHON) -m pytest -q -m "not slow" -n 2 --dist worksteal
	@rm -rf runs/test
	@$(ALONE) $(TIED) $(PYTHON) -m flows.quickstart --size tiny --folder runs/test

test-all: $(INSTALLED) ## every test, the slow ones too
	@$(ALONE) $(TIED) $(PYTHON) -m pytest -q

check: $(INSTALLED) ## ruff, mypy, import-linter: what a commit must pass besides the tests
	@$(TIED) $(PYTHON) -m ruff check .
	@$(TIED) $(PYTHON) -m ruff format --check .
	@$(TIED) $(PYTHON) -m mypy
	@$(TIED) .venv/bin/lint-imports

theory: $(INSTALLED) ## the simulated check of the theory, and its plots in docs/
	@$(TIED) $(PYTHON) -m benchmarks.theory --plots docs

repro: $(INSTALLED) ## the same files as quickstart by DVC alone, without a server (SIZE=...)
	@PATH="$(CURDIR)/.venv/bin:$$PATH" DVC_NO_ANALYTICS=1; export PATH DVC_NO_ANALYTICS; \
	folder="$$($(PYTHON) -m mucode workspace --size $(SIZE))" && $(TIED) $(PYTHON) -m dvc --cd "$$folder" repro

reproduce: $(INSTALLED) ## a run made again beside your tree, and compared (RUN=branch, tag or MLflow run; REBUILD=1, KEEP=1)
	@test -n "$(RUN)" || { echo "which run? make reproduce RUN=a run branch, a tag, or the id of a run in MLflow" >&2; exit 2; }
	@$(TIED) $(PYTHON) -m flows.reproduce "$(RUN)" --size $(SIZE) $(if $(REBUILD),--rebuild) $(if $(KEEP),--keep)

ui: $(INSTALLED) ## Prefect with a worker, and MLflow, on loopback until Ctrl-C (SIZE=, PREFECT_PORT=, MLFLOW_PORT=, TEAM=)
	@$(TIED) $(PYTHON) -m flows.ui --size $(SIZE) $(if $(TEAM),--team $(TEAM)) --prefect-port $(PREFECT_PORT) --mlflow-port $(MLFLOW_PORT)

clean: ## remove what tests and tools leave behind; runs, results, the DVC cache and .venv stay
	rm -rf runs/test .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

# The lock holds every version, so nothing is resolved; the second call of pip adds what a torch built for GPUs needs
# besides, and is idle else. An install that was cut short left no stamp: the next one does again what pip had not
# finished (a package whose INSTALLER, which pip writes last but one, is missing) and goes on from there. What a run imports
# is compiled in the end; pip would compile everything.
$(INSTALLED): requirements.lock pyproject.toml
	@test "$$(uname)" = Linux || { echo "mucode needs Linux, whose kernel its sandbox stands on: run it on a Linux machine or in a container" >&2; exit 1; }
	@test -n "$(FOUND_PYTHON)" || { echo "mucode needs Python 3.11 or 3.12 (python3.11 on PATH): install it, then run again" >&2; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || exec $(FOUND_PYTHON) -I -S mucode/processes.py 9 $$PPID $(FOUND_PYTHON) -m venv --clear .venv
	@find .venv/lib -maxdepth 3 -name '*.dist-info' -exec sh -c 'test -e "$$1/INSTALLER" || rm -rf "$$1"' sh {} ';'
	@echo "installing into .venv (some minutes the first time; 2.5 GB with a CPU build of torch, several more with that for GPUs) ..."
	@$(PIP) --no-deps -r requirements.lock
	@$(PIP) --quiet "$$(grep '^torch==' requirements.lock)"
	@$(PIP) --quiet --no-deps --no-build-isolation -e .
	@$(TIED) $(PYTHON) -m flows.bytecode
	@touch $@

.venv/.installed-serve: $(INSTALLED) # vLLM's CPU build, in an environment of its own
	@$(TIED) $(PYTHON) -m mucode.serving install .venv-serve
	@touch $@

# The peers go in without what they ask for, which the lock has in other versions; the extra names what they really need.
.venv/.installed-bench: $(INSTALLED) pyproject.toml
	@echo "installing the extra bench into .venv ..."
	@$(PIP) --quiet --no-deps $$($(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["bench"])')
	@touch $@

# Any other extra of pyproject.toml goes into the same .venv and changes no version that the lock holds.
.venv/.installed-%: $(INSTALLED) pyproject.toml
	@grep -q '^$* = \[' pyproject.toml || { echo "there is no extra $*: serve, bench, dask, team and browser are" >&2; exit 1; }
	@echo "installing the extra $* into .venv ..."
	@$(PIP) --quiet --no-build-isolation -c requirements.lock -e '.[$*]'
	@touch $@

lock: ## write requirements.lock from what .venv holds
	@{ sed -n '/^#/p;/^[^#]/q' requirements.lock; \
	$(PYTHON) -m pip freeze --all --exclude-editable --exclude pip | sed 's/^\(torch==[0-9.]*\)+.*/\1/' | LC_ALL=C sort -f; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock
