# Every line is one command over scripts/setup.py, which makes .venv where it is missing and then runs what follows "run".
# Without make (on Windows): py scripts/setup.py run course lab
PYTHON ?= python3
SETUP = $(PYTHON) scripts/setup.py $(if $(CPU),$(if $(filter 0,$(CPU)),--cuda,--cpu))
RUN = @$(SETUP) run

.DEFAULT_GOAL := help
.PHONY: help lab setup test check test-lib test-notebooks test-browser test-scale test-realdata test-colab canary bundle lint build matrix doctor clean

help:            ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

lab:             ## open the course in JupyterLab (make lab ARGS="--no-browser --port 8899")
	$(RUN) course lab $(ARGS)

setup:           ## make the environment only (CPU=1: PyTorch's CPU wheels, a far smaller download)
	@$(SETUP)

# Several processes run side by side in the tests: one torch thread each.
test check test-lib test-notebooks test-browser test-scale test-realdata build matrix: export OMP_NUM_THREADS = 1

test: test-lib test-notebooks test-browser  ## everything

check:           ## what a contributor runs all day: library, exercises, kill matrix, drift; under two minutes
	$(RUN) pytest -p no:nbval -n 2 --dist worksteal -m "not slow and not browser and not network and not gpu and not realdata and not scale"

test-lib:        ## library, exercises, kill matrix, drift, and the answers typed into every notebook
	$(RUN) pytest -p no:nbval -n 2 --dist worksteal -m "not browser and not scale"

test-notebooks:  ## every notebook as shipped
	$(RUN) pytest -c tests/lessons/nbval.ini --rootdir=. notebooks

test-browser:    ## JupyterLab in a real Chromium
	$(RUN) pytest -p no:nbval -n 2 --dist loadfile -m browser

test-scale:      ## several processes on a Ray cluster; installs the extra scale first, 500 MB
	$(RUN) python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[scale]"
	$(RUN) pytest -p no:nbval -m scale

test-realdata:   ## the loaders and short trainings on real corpora (make test-realdata COURSE_DATA=FOLDER)
	$(RUN) pytest -p no:nbval -m realdata

test-colab:      ## with Colab's own versions (TORCH=2.10.0 or newest for another); 3 GB to download, once
	$(RUN) python scripts/test_colab.py $(if $(TORCH),--torch $(TORCH)) $(ARGS)

canary:          ## what broke without a change of ours (ARGS=--quick installs nothing)
	$(RUN) python scripts/canary.py $(ARGS)

bundle:          ## wheels, data and notebooks in one folder, for a room without a network
	$(RUN) python scripts/bundle.py $(ARGS)

lint:            ## ruff over code and notebooks
	$(RUN) ruff check

build:           ## lessons/ to notebooks/, executed (make build ARGS="02")
	$(RUN) course build $(ARGS)

matrix:          ## docs/kill_matrix.md: every known mistake against every check
	$(RUN) course matrix

doctor:          ## what this machine has, and what is wrong with its fix
	$(RUN) course doctor

clean:           ## remove the environment and caches; the learner's work and data stay
	rm -rf .venv .pytest_cache .ruff_cache artifacts
