# make demo    the main job on the shipped examples: the file, its plan, the frame
# make test    every check that continuous integration runs
# make test-lowest   the tests with the oldest versions that pyproject.toml allows
# make docs    the documentation, in docs/_build/html
# make bench   this library and its peers side by side (see benchmarks/README.md)
# make bench-storage   the same for reads from Azure storage, its emulator
# make differential   random tables read by the reference and by this library, differences explained (see tests/differential)
# make format  sort imports, fix what can be fixed, format
# make clean   remove everything that these commands made, except benchmark data

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOWEST := .venv-lowest
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: demo test test-lowest docs bench bench-storage differential format clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	@$(BIN)/python docs/examples/demo.py

# Every check runs, also after one that failed; pytest is last, so its summary is the last word.
test: $(VENV)/.checks $(VENV)/.azurite
	@failed=0; \
	for check in "ruff check ." "ruff format --check ." "mypy" "lint-imports" "sphinx-build -q -W docs docs/_build/html"; do \
		echo "== $$check"; $(BIN)/$$check || { failed=1; echo "== $$check FAILED"; }; \
	done; \
	echo "== pytest"; \
	$(BIN)/python -m pytest -n 2 --dist loadscope --cov --cov-report=term:skip-covered || failed=1; \
	exit $$failed

test-lowest: $(VENV)/.azurite
	$(BIN)/uv venv --quiet --clear $(LOWEST)
	$(BIN)/uv pip compile --quiet --resolution lowest-direct --no-deps pyproject.toml --output-file $(LOWEST)/lowest.txt
	$(BIN)/uv pip install --quiet --python $(LOWEST) --constraints $(LOWEST)/lowest.txt --editable . --group test
	$(LOWEST)/bin/python -m pytest -n 2 --dist loadscope $(OPTIONS)

docs: $(VENV)/.checks
	$(BIN)/sphinx-build -W docs docs/_build/html

bench: $(VENV)/.checks
	$(BIN)/python benchmarks/run.py $(OPTIONS)

# Reads from Azure storage, its emulator.
bench-storage: $(VENV)/.checks $(VENV)/.azurite
	$(BIN)/python benchmarks/storage.py $(OPTIONS)

differential: $(VENV)/.checks
	$(BIN)/python tests/differential/run.py $(OPTIONS)

format: $(VENV)/.checks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(LOWEST) docs/_build build dist .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The virtual environment and its pip: --group needs pip 25.1.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; '$(PYTHON)' is not. Install it, or name it: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is missing. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade "pip>=25.1"
	@touch $@

# What a user has.
$(VENV)/.installed: pyproject.toml | $(VENV)/.created
	@echo "installing mltable-lite into $(VENV) ..."
	@$(PIP) install --editable .
	@touch $@

# What a contributor has besides: the dependency groups of pyproject.toml.
$(VENV)/.checks: pyproject.toml | $(VENV)/.created
	@echo "installing mltable-lite and its checks into $(VENV) ..."
	@$(PIP) install --editable . --group test --group docs
	@touch $@ $(VENV)/.installed

# Microsoft's emulator of Azure storage, which the tests talk to. Node comes as a wheel, so nothing else is needed. The
# version is pinned: it is a part of what is tested.
$(VENV)/.azurite: | $(VENV)/.checks
	@echo "installing Azurite into $(VENV)/azurite ..."
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm install --prefix $(VENV)/azurite --no-audit --no-fund --silent azurite@3.35.0
	@touch $@
