# What a person does with this repository; `make` alone lists it. It needs python3 (3.11 or newer) and make, no more.

PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 8000
SECONDS ?= 180
STORE  ?= both
ARGS   ?=
SEEDS  ?= 2000

BIN     = $(VENV)/bin
PREPARE = $(PYTHON) tools/prepare_venv.py --venv $(VENV)
CODE    = $(wildcard src apps tests benchmarks tools examples conftest.py)

.DEFAULT_GOAL := help
.PHONY: help demo demo-dispatch test simulate coverage check format bench docs changes chaos clean

help: ## List the targets (this)
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  PORT=8000  ARGS=\"tests/unit -k lease\"  PYTHON=python3.12  TURNKEEPER_STORE=sqlite:///my.db"

# The pace slows the planner's work in the background down, so that there is time to kill it in the middle.
demo: ## Run the meal planner on this machine, port PORT
	@$(PREPARE) demo
	@MEALPLAN_PACE_SECONDS=$${MEALPLAN_PACE_SECONDS:-2} $(BIN)/turnkeeper demo mealplan.app:app --port $(PORT)

demo-dispatch: ## Run the order dispatch bot with a stand-in for Telegram, port PORT
	@$(PREPARE) demo
	@$(BIN)/python -m dispatch.demo --port $(PORT)

test: ## Run the tests (some of them: ARGS=...)
	@$(PREPARE) dev
	@$(PYTHON) tools/provide_chromium.py
	@$(BIN)/python -m pytest -n 2 $(ARGS)

simulate: ## Attack the engine with seeded faults in virtual time (SEEDS=2000), or once more with one: SEED=7
	@$(PREPARE) dev
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

coverage: ## Run the tests and show which lines and branches they miss
	@$(PREPARE) dev
	@$(PYTHON) tools/provide_chromium.py
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

check: ## Check style, types, layers, documentation and change notes
	@$(PREPARE) dev
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports --no-logo
	$(BIN)/mkdocs build --quiet --strict
	$(BIN)/python -m pytest --quiet tests/docs tests/unit/test_layers.py tests/unit/test_sizes.py
	$(BIN)/towncrier build --draft --version next >/dev/null

format: ## Format the code and repair what ruff can repair
	@$(PREPARE) dev
	@$(BIN)/ruff check --fix-only $(CODE)
	@$(BIN)/ruff format $(CODE)

chaos: ## Attack real processes on SQLite, then on Redis, for SECONDS=180 each (STORE=sqlite, redis, replicated)
	@$(PREPARE) dev
	@$(BIN)/python -m tests.chaos --store $(STORE) --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(if $(REPORT),--report $(REPORT))

bench: ## Measure this machine
	@$(PREPARE) dev
	@$(BIN)/python -m benchmarks $(ARGS)

docs: ## Build the documentation into site/
	@$(PREPARE) dev
	@$(BIN)/mkdocs build --strict

changes: ## Show the change notes of the next release
	@$(PREPARE) dev
	@$(BIN)/towncrier build --draft --version next

clean: ## Remove what these targets made; conversations (.turnkeeper/) stay
	rm -rf $(VENV) $(VENV).lock site dist .coverage .coverage.*
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
