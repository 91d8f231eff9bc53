# One command runs Valise (make demo), one checks it (make check). Both need Python 3.11 or newer, make, and on the first
# run a package index; everything is installed into .venv from the hashed locks and nowhere else.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

FORMAT := $(BIN)/ruff format --check .
LINT := $(BIN)/ruff check .
TYPES := $(BIN)/mypy
IMPORTS := $(BIN)/lint-imports
TESTS := $(BIN)/pytest -q -n auto --dist loadfile --ignore tests/docs
DOCS := $(BIN)/pytest -q tests/docs

# $(call stage,name,command,hint): run one stage of `make check` in one line; its output only matters when it fails.
define stage
@printf '%-8s ' '$(1)'; begin=$$(date +%s); \
if $(2) >$(VENV)/$(1).log 2>&1; then \
  echo "ok, $$(( $$(date +%s) - begin )) s $$(grep -oE '[0-9]+ passed.*' $(VENV)/$(1).log | tail -1)"; \
else \
  echo 'FAILED'; cat $(VENV)/$(1).log; echo '$(1) failed: $(3)' >&2; exit 1; \
fi
endef

.PHONY: help
help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/runtime.stamp ## play the exercise operation (KEEP=1 leaves the hub up and says what to try next)
	@$(BIN)/valise demo $(if $(KEEP),--keep)

.PHONY: check
check: $(VENV)/dev.stamp token ## everything that CI checks, stopping at the first failure
	$(call stage,format,$(FORMAT),run `make fmt`.)
	$(call stage,lint,$(LINT),correct the lines above; `make fmt` corrects what it can.)
	$(call stage,types,$(TYPES),correct the types above.)
	$(call stage,imports,$(IMPORTS),a package knows one that it may not know; see [tool.importlinter] in pyproject.toml.)
	$(call stage,tests,$(TESTS),repeat one with `$(BIN)/pytest PATH::NAME`.)
	@grep '^did: ' $(VENV)/tests.log | sed 's/^did: /         /'
	$(call stage,docs,$(DOCS),the pages no longer say what the code does; `make docs` writes the generated ones.)
	@echo 'Everything holds.'

.PHONY: token
token: # a token in software for the tests of PKCS#11: installed where that is allowed, else left out (on CI: failed)
	@ls /usr/lib/softhsm/libsofthsm2.so /usr/lib64/softhsm/libsofthsm2.so /usr/local/lib/softhsm/libsofthsm2.so \
	  >/dev/null 2>&1 || ls /usr/*/softhsm/libsofthsm2.so >/dev/null 2>&1 || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    apt-get install --quiet --quiet --yes --no-install-recommends softhsm2 >$(VENV)/token.log 2>&1; } || \
	  echo 'SoftHSM is not installed, so tokens are not tested (Debian, Ubuntu: apt install softhsm2).'

.PHONY: test
test: $(VENV)/dev.stamp ## run the tests
	@$(TESTS)
	@$(DOCS)

.PHONY: soak
soak: $(VENV)/dev.stamp ## kill hub and connectors and cut the power, for SOAK_SECONDS (600), and account for every message
	@$(BIN)/python -m tests.faults.soak --seconds $(or $(SOAK_SECONDS),600) --seed $${SOAK_SEED:-$$(date +%s)}

.PHONY: fuzz
fuzz: $(VENV)/dev.stamp ## look for bytes that a parser trips over, for FUZZ_SECONDS (600)
	@$(BIN)/python -m tests.fuzz --seconds $(or $(FUZZ_SECONDS),600) --seed $${FUZZ_SEED:-$$(date +%s)}

.PHONY: lint
lint: $(VENV)/dev.stamp ## check format, style and who imports whom
	@$(FORMAT)
	@$(LINT)
	@$(IMPORTS)

.PHONY: types
types: $(VENV)/dev.stamp ## check the types
	@$(TYPES)

.PHONY: fmt
fmt: $(VENV)/dev.stamp ## format, and correct what can be corrected
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

.PHONY: docs
docs: $(VENV)/dev.stamp ## write the generated reference pages
	@$(BIN)/python -m docs.generate

.PHONY: vectors
vectors: $(VENV)/dev.stamp ## write the test vectors again
	@$(BIN)/python -m tests.vectors.generate

.PHONY: bench
bench: $(VENV)/dev.stamp ## measure, as ratios against peers in the same run
	@$(BIN)/python -m benchmarks

.PHONY: lock
lock: | $(BIN)/uv ## write both locks after a change of pyproject.toml (UPGRADE=1 takes newer versions)
	@$(COMPILE) --extra exchange --extra interop --extra build --output-file requirements.lock pyproject.toml
	@$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml

.PHONY: clean
clean: ## remove the environment and every cache
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment ----------------------------------------------------------------------------------------------

$(BIN)/python:
	@for python in $(PYTHON) python3.11 python3 python3.12 python3.13 python3.14; do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'Valise needs Python 3.11 or newer: install it, or name it with `make PYTHON=/path/to/python ...`.' >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" -V) ..."; \
	"$$python" -m venv $(VENV) >$(VENV).log 2>&1 || { \
	  rm -rf $(VENV) $(VENV).log; \
	  echo 'This Python cannot make an environment: install its venv module (Debian, Ubuntu: apt install python3-venv).' >&2; \
	  exit 1; }; \
	rm -f $(VENV).log

# Locks are written before what they name can be installed, so uv alone comes from the dev lock as it stands.
$(BIN)/uv: | $(BIN)/python
	@$(MAKE) --no-print-directory $(VENV)/dev.stamp

# A stamp is newer than what was installed from, so that nothing is installed twice.
$(VENV)/runtime.stamp: requirements.lock pyproject.toml | $(BIN)/python
	@echo 'Installing what the exchange needs (requirements.lock) ...'
	@$(PIP) install --require-hashes --requirement requirements.lock || { \
	  echo 'The packages could not be installed: is a package index in reach? `pip config list` shows which is used.' >&2; exit 1; }
	@$(PIP) install --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/runtime.stamp
	@echo 'Installing what the checks need (requirements-dev.lock) ...'
	@$(PIP) install --require-hashes --requirement requirements-dev.lock || { \
	  echo 'The packages could not be installed: is a package index in reach? `pip config list` shows which is used.' >&2; exit 1; }
	@touch $@
