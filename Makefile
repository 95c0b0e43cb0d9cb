# `make` alone prints the targets. Needs Python 3.11 or later, and the package registry at the first run.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python
NODE := $(VENV)/bin/node
COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate

export PORT
.NOTPARALLEL:
# A copied or moved checkout must not run the code of the one that it was copied from.
ifneq ($(shell cat $(VENV)/.project 2>/dev/null),$(shell pwd -P))
$(shell rm -f $(VENV)/.project)
endif

help: ## print this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 24

run: $(VENV)/.runtime $(VENV)/.project ## start everything here, with a small demo marketplace; PORT=8001 moves it
	@$(PY) -m procure dev

test: $(VENV)/.dev $(VENV)/.project ## run the tests, which need nothing that runs already
	$(PY) -m pytest -n auto

check: $(VENV)/.dev $(VENV)/.project ## run what CI runs: format, lint, types, imports, OpenAPI, tests
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) -m procure openapi --check
	$(PY) -m procure openapi --compare
	@$(MAKE) -s lint-openapi
	$(PY) -m pytest -n auto

drill: $(VENV)/.dev $(VENV)/.project ## run what takes longer than a check: Schemathesis as every seat, the long fuzz; half an hour and more
	FUZZ=5000 $(PY) -m pytest -n auto tests/kit/test_fuzz.py
	PYTHONPATH=tests $(PY) -m fuzzing
	PYTHONPATH=tests:. $(PY) -m drills.journal
	RACES=500 $(PY) -m pytest -n auto tests/outcomes/test_races.py

format: $(VENV)/.dev ## format the code, and mend what the linter can
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

openapi: $(VENV)/.dev $(VENV)/.project ## write openapi/procure.json from the code
	$(PY) -m procure openapi --write

examples: $(VENV)/.dev $(VENV)/.project ## record the examples of replies anew, and write openapi/procure.json
	EXAMPLES=write $(PY) -m pytest tests/test_examples.py -k played
	$(PY) -m procure openapi --write

release-document: $(VENV)/.dev $(VENV)/.project ## at a release: keep its document as what later ones must not break
	$(PY) -m procure openapi --release

lint-openapi: node_modules/.installed ## lint openapi/procure.json: Spectral (OpenAPI, OWASP), Redocly (strict)
	$(NODE) node_modules/.bin/spectral lint --quiet --fail-severity=hint openapi/procure.json
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(NODE) node_modules/.bin/redocly lint openapi/procure.json

states: $(VENV)/.runtime $(VENV)/.project ## draw docs/states.md from the rules
	$(PY) -m procure.states

events: $(VENV)/.runtime $(VENV)/.project ## write docs/events.md from the events
	@$(PY) -m procure.catalogue

bench: $(VENV)/.dev $(VENV)/.project ## measure three hot paths beside their floor, about two minutes
	PYTHONPATH=tests $(PY) -m benchmarks

demo: $(VENV)/.runtime $(VENV)/.project ## play real notices against the running service
	@$(PY) -m procure demo --url http://127.0.0.1:$(PORT)

lock: $(VENV)/.build ## choose the versions in requirements/ anew, newest ones with UPGRADE=--upgrade
	$(COMPILE) $(UPGRADE) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) $(UPGRADE) pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(COMPILE) $(UPGRADE) --group build -c requirements/dev.txt -o requirements/build.txt

clean: ## delete the data of `make run` and every cache; the next run starts from nothing
	@if [ -e .procure ]; then $(MAKE) -s $(VENV)/.runtime $(VENV)/.project && $(PY) -m procure clean; fi
	@rm -rf node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist
	@find src tests migrations benchmarks -name __pycache__ -prune -exec rm -rf {} +

# Installing, once. Each step leaves a stamp that is newer than what it was made from.

# Compiled here, since containers often forbid Python to do it later, and then each start takes twice as long.
SYNC = if [ -x $(VENV)/bin/uv ]; \
	then $(VENV)/bin/uv pip sync --quiet --compile-bytecode --python $(PY) --require-hashes requirements/build.txt $(1); \
	else $(PIP) -r $(1); fi
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Procure needs Python 3.11 or later; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python can't make environments: install python3-venv (Debian, Ubuntu) and try again."; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.build: requirements/build.txt | $(PY)
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing the installer ..."
	@$(PIP) --only-binary uv -r $< || { \
		echo "There is no uv for this machine: pip goes on alone."; \
		sed '/^uv==/,/[^\\]$$/d' $< > $(VENV)/build.txt && $(PIP) -r $(VENV)/build.txt; }
	@touch $@

# The development set has all of the runtime's: once it is in, it stays, whichever target is asked for.
$(VENV)/.runtime: requirements/runtime.txt $(VENV)/.build
	@echo "Installing what Procure needs ..."
	@if [ -e $(VENV)/.dev ]; then $(call SYNC,requirements/dev.txt); else $(call SYNC,requirements/runtime.txt); fi
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/runtime.txt $(VENV)/.build
	@echo "Installing what Procure and its development need ..."
	@$(call SYNC,requirements/dev.txt)
	@touch $(VENV)/.runtime $@

$(VENV)/.project: pyproject.toml $(VENV)/.runtime
	@if [ -x $(VENV)/bin/uv ]; \
		then $(VENV)/bin/uv pip install --quiet --python $(PY) --no-deps --no-build-isolation -e .; \
		else $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; fi
	@pwd -P > $@

# Node comes from PyPI with the development set. No package's own script is run (`.npmrc`).
node_modules/.installed: package-lock.json package.json .npmrc $(VENV)/.dev
	@echo "Installing the linters of the OpenAPI document ..."
	@$(VENV)/bin/npm ci --loglevel=error
	@touch $@

.PHONY: help run test check drill format openapi examples release-document lint-openapi states events bench demo lock clean
