# The two commands of the README, `make demo` and `make test`, and what a developer needs beside them.
# All of them create .venv from the locked requirements first; after that nothing needs the network.

PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(if $(shell $(p) -c 'import sys; print("yes" if (3,11) <= sys.version_info < (3,14) else "")' 2>/dev/null),$(p))))
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo serve test test-unit test-integration test-system crash lint api-fuzz debian-walk format fuzz lock clean

demo: $(VENV)/ready
	$(BIN)/emailrouter demo $(ARGS)

serve: $(VENV)/ready
	$(BIN)/emailrouter serve $(ARGS)

# pytest keeps the test modules it has compiled, whatever the user's environment says: half the time of collecting them.
export PYTHONDONTWRITEBYTECODE :=

# Two more than there are cores: tests wait for programs, and for the clocks of those. Idle workers take tests from busy
# ones (--dist worksteal): the tests that wait longest follow each other.
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 2 )))
test: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# The tiers: tests/README.md. `make test` runs all of them.
test-unit test-integration test-system: $(VENV)/ready
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests/$(@:test-%=%) $(ARGS)

# Random sessions against the SMTP server, from where the last run ended; stops at what it finds and says how to repeat it.
SECONDS ?= 900
fuzz-smtp: $(VENV)/ready
	$(BIN)/python -m tests.system.smtp.fuzz --seconds $(SECONDS) $(ARGS)

# The program killed again and again, and what is then counted: docs/reliability.md. FLEET=1: six processes (PostgreSQL).
KILLS ?= 200
DATABASE ?= sqlite
CRASH_SECONDS ?= 3600
FLEET ?=
crash: $(VENV)/ready
	CRASH_POINTS=all $(BIN)/python -m pytest -n auto -k "$(DATABASE) or not (sqlite or postgres)" tests/system/crash/test_named_points.py tests/system/crash/test_retention.py
	$(BIN)/python -m tests.system.crash.long_run --kills $(KILLS) --database $(DATABASE) --seconds $(CRASH_SECONDS) $(if $(FLEET),--fleet)

# vulture runs twice: over the product alone, where use in tests does not count, then over everything.
lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/vulture api config emailrouter router smtp tests bench

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Random mails, then random shapes for the cost-growth test, half of SECONDS each; both continue where the last run
# stopped (.fuzz/). Exit 1 when one failed.
fuzz: $(VENV)/ready
	nice -n 19 $(BIN)/python -m tests.unit.mail.fuzz --seconds $$(( $(SECONDS) / 2 ))
	nice -n 19 $(BIN)/python -m tests.system.growth.long --seconds $$(( $(SECONDS) / 2 ))

# The started program under schemathesis, on both databases: some 10 minutes each, at most 30.
api-fuzz: $(VENV)/ready
	$(BIN)/python -m tests.system.api.fuzz $(ARGS)

# docs/operations.md, command by command, on a fresh Debian under systemd-nspawn: as root, some four minutes.
debian-walk: $(VENV)/ready
	$(BIN)/python -m tests.system.debian.walk $(ARGS)

# Hashes, no addresses: where packages come from is the machine's own setting.
lock: $(VENV)/ready
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(ARGS) pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(ARGS) --extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/python -c 'import pathlib, tomllib; print(*tomllib.loads(pathlib.Path("pyproject.toml").read_text())["build-system"]["requires"], sep="\n")' \
		| $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(ARGS) --constraints requirements-dev.lock - -o requirements-build.lock

$(VENV)/ready: requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Email Router needs Python 3.11, 3.12 or 3.13: set PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
