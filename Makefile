# `make help` lists the targets. Targets that run Python first create .venv from the locked requirements. After that,
# only `make lock`, `make package`, `make image`, `make debian-walk` and `make image-walk` need the network.

# The machine's default Python if it is 3.11 or later, else the newest installed one of 3.11 to 3.13.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(if $(shell $(p) -c 'import sys; print("yes" if sys.version_info >= (3, 11) else "")' 2>/dev/null),$(p))))
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help demo serve test test-unit test-integration test-system cov crash lint api-fuzz debian-walk image-walk test-rspamd package image format fuzz fuzz-smtp lock pictures release clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+( [a-z-]+)*:.*## / { printf "  make %-44s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/program ## Show the program with 25 tickets, without set-up (ARGS=--once exits after one)
	$(BIN)/emailrouter demo $(ARGS)

serve: $(VENV)/program ## Run SMTP, API and delivery in one process from this checkout
	$(BIN)/emailrouter serve $(ARGS)

# Two workers more than cores, because tests wait for the programs that they start. With worksteal, idle workers take
# tests from busy ones. Otherwise one worker would run most of the longest tests, which are in adjacent modules.
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 2 )))
test: lint ## Run the linters and all tests, on SQLite and on a PostgreSQL server that the tests start
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-unit test-integration test-system: $(VENV)/ready ## Run one tier of the tests (tests/README.md)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests/$(@:test-%=%) $(ARGS)

# Measures the tiers that run in the processes of pytest, not the system tier, which kills the programs that it starts.
# The floor is one percentage point below the measured coverage (83 %).
COVERAGE_FLOOR ?= 82
cov: $(VENV)/ready ## Measure the coverage of the unit and integration tiers; fails below COVERAGE_FLOOR per cent
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(WORKERS) --dist worksteal tests/unit tests/integration $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=$(COVERAGE_FLOOR)

SECONDS ?= 900
fuzz-smtp: $(VENV)/ready ## Send random sessions to the SMTP server for SECONDS, continuing the last run
	$(BIN)/python -m tests.system.smtp.fuzz --seconds $(SECONDS) $(ARGS)

# docs/reliability.md describes the method of `make crash`. FLEET=1 runs six processes; it needs DATABASE=postgres.
KILLS ?= 200
DATABASE ?= sqlite
CRASH_SECONDS ?= 3600
FLEET ?=
crash: $(VENV)/ready ## Kill the program KILLS times under load, then audit the messages
	CRASH_POINTS=all $(BIN)/python -m pytest -n auto -k "$(DATABASE) or not (sqlite or postgres)" tests/system/crash/test_named_points.py tests/system/crash/test_retention.py
	$(BIN)/python -m tests.system.crash.long_run --kills $(KILLS) --database $(DATABASE) --seconds $(CRASH_SECONDS) $(if $(FLEET),--fleet)

# vulture runs twice: over the product alone, where uses in tests do not count, then with tests and benchmarks.
lint: $(VENV)/ready ## Run ruff, mypy, import-linter and vulture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy packaging/*.py
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/vulture api config emailrouter router smtp tests bench

format: $(VENV)/ready ## Format the code and apply the linter's fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Spends half of SECONDS on random messages and half on random shapes of the cost-growth test; .fuzz/ keeps the state.
fuzz: $(VENV)/ready ## Fuzz the mail parser and its cost growth for SECONDS, continuing the last run
	nice -n 19 $(BIN)/python -m tests.unit.mail.fuzz --seconds $$(( $(SECONDS) / 2 ))
	nice -n 19 $(BIN)/python -m tests.system.growth.long --seconds $$(( $(SECONDS) / 2 ))

api-fuzz: $(VENV)/ready ## Run schemathesis against the program on both databases
	$(BIN)/python -m tests.system.api.fuzz $(ARGS)

# WALK=source installs the wheel or the checkout, WALK=deb the packages. Both accept ARGS='--release trixie'.
WALK ?= source deb
debian-walk: $(VENV)/ready ## Run the commands of the docs on a fresh Debian under systemd-nspawn (root)
	$(if $(filter source,$(WALK)),$(BIN)/python -m tests.system.debian.walk $(ARGS))
	$(if $(filter deb,$(WALK)),$(BIN)/python -m tests.system.debian.deb_walk $(ARGS))

test-rspamd: $(VENV)/ready ## Test with the rspamd of Debian (apt-get install rspamd), on loopback
	$(BIN)/python -m pytest -n 0 tests/system/rspamd/real.py $(ARGS)

image-walk: $(VENV)/ready ## Run the commands of docs/install-image.md with podman (root)
	$(BIN)/python -m tests.system.image.walk $(ARGS)

package: $(VENV)/ready ## Build the Debian packages for Debian 12 and 13 into dist/, with mmdebstrap
	$(BIN)/python packaging/deb.py $(ARGS)

image: $(VENV)/ready ## Build the container image into dist/, with docker, podman or buildah
	$(BIN)/python packaging/image.py $(ARGS)

PICTURES := build/pictures
pictures: $(VENV)/ready ## Write pictures of all pages of the dashboard to build/pictures
	mkdir -p $(PICTURES)/states
	PAGE_PICTURES=$(PICTURES) STATE_PICTURES=$(PICTURES)/states $(BIN)/python -m pytest -n $(WORKERS) tests/system/dashboard/test_pages.py tests/system/dashboard/test_states.py tests/system/dashboard/test_replies.py $(ARGS)
	$(BIN)/python -m tests.support.hero $(PICTURES)/hero.png

# The lock files contain hashes but no index URLs: each machine configures its own package index.
lock: $(VENV)/ready ## Update the lock files
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(ARGS) pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(ARGS) --extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/python -c 'import pathlib, tomllib; print(*tomllib.loads(pathlib.Path("pyproject.toml").read_text())["build-system"]["requires"], sep="\n")' \
		| $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(ARGS) --constraints requirements-dev.lock - -o requirements-build.lock

release: $(VENV)/ready ## Release VERSION (1.2.0): changelog, tag, wheel, sdist, checksums, SBOM (ARGS=--packages: all)
	$(BIN)/python packaging/release.py $(VERSION) $(ARGS)

# What the program needs. `make demo` and `make serve` install no more.
$(VENV)/program: requirements.lock requirements-build.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Email Router needs Python 3.11 or later: set PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Creating $(VENV) with $(PYTHON) and installing the program, about 110 MB"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock -r requirements-build.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# What tests, linters and releases need in addition.
$(VENV)/ready: requirements-dev.lock $(VENV)/program
	@echo "Installing the tools for tests and releases, about 450 MB"
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

clean: ## Remove the environment, caches and builds
	rm -rf $(VENV) .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
