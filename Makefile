# Everything runs in the project's own virtual environment. `make demo` and `make test` are
# all that a fresh machine needs; CI calls the same targets.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo test lint docs dist soak bench distributed clean

demo: $(VENV)/installed
	$(BIN)/sg-train train configs/quickstart.yaml --overwrite
	$(BIN)/sg-train export runs/quickstart vectors.txt --overwrite
	$(BIN)/sg-train neighbors vectors.txt january gold school --top 5

test: $(VENV)/installed-dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses auto --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

dist: $(VENV)/installed-dev
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist

soak: $(VENV)/installed-dev
	SG_TRAIN_EXAMPLES_ARE=new SG_TRAIN_EXAMPLES=3000 \
		$(BIN)/python -m pytest -s -q tests/test_hostile.py tests/test_hostile_runs.py
	SG_TRAIN_EXAMPLES_ARE=new $(BIN)/python -m pytest -q --numprocesses auto
	SG_TRAIN_KILLS=100 $(BIN)/python -m pytest -s -q tests/test_resume.py -k killed

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.ingest data/sotu.txt --repeats 3
	$(BIN)/python -m benchmarks.export --rows 10000 --repeats 3
	$(BIN)/python -m benchmarks.peers data/sotu.txt --engines fused autograd \
		--repeats 3 --json bench.json
	$(BIN)/sg-train prepare data/sotu.txt --out corpora/bench
	$(BIN)/python -m benchmarks.kernel corpora/bench --repeats 3

distributed: $(VENV)/installed-dev
	$(BIN)/sg-train prepare data/sotu.txt --out corpora/distributed
	$(BIN)/python -m benchmarks.ranks corpora/distributed --ranks 1 2 4 --kill 2 \
		--epochs 20 --seeds 1 2 3 --analogies data/analogies.txt

clean:
	rm -rf $(VENV) build dist site corpora runs vectors.txt bench.json .coverage*

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[report]"
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@
