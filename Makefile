# Replaced shortly by the full set of targets.
PYTHON ?= python3

check: .venv/.dev
	.venv/bin/ruff format --check src tests migrations
	.venv/bin/mypy
	.venv/bin/pytest

.venv/.dev: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q uv
	.venv/bin/uv pip sync -q --python .venv/bin/python --require-hashes requirements/dev.txt
	.venv/bin/uv pip install -q --python .venv/bin/python --no-deps -e .
	touch $@

.PHONY: check
