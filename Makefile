# Each target works alone on a machine with make and Python 3.11, 3.12 or 3.13 with venv:
# it creates .venv, installs what it needs once, and runs.

SHELL := /bin/sh
VENV ?= .venv
OUT ?= demo
BIN := $(VENV)/bin
PARITY_VENV ?= .venv-parity
PARITY_BIN := $(PARITY_VENV)/bin
QUANTUS_VENV ?= .venv-parity-quantus
CAPTUM_VENV ?= .venv-parity-captum
TRITON_VENV ?= .venv-triton
LOWEST_VENV ?= .venv-lowest
PEERS_CAPTUM_VENV ?= .venv-peers-captum
PEERS_XPLIQUE_VENV ?= .venv-peers-xplique
PEERS_SALIENCY_VENV ?= .venv-peers-saliency
PEERS_VENVS := $(PEERS_CAPTUM_VENV) $(PEERS_XPLIQUE_VENV) $(PEERS_SALIENCY_VENV)
FUZZ_SECONDS ?= 1800
FUZZ_SEED ?= 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
CHECKED := dev docs notebooks release serving test
comma := ,
empty :=
space := $(empty) $(empty)

# Interpreters in the order they are tried; PYTHON=... names one.
PYTHON ?=
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11)

.PHONY: help install demo test quick lint format types docs notebooks loader-check triton-check pacs-check viewer-check package parity peers lowest fuzz everything clean

help:
	@echo "make demo       explain phantom studies with the shipped model; look at $(OUT)/report.html"
	@echo "make test       run the tests"
	@echo "make quick      run the tests that take less than a second each"
	@echo "make lint       check style and format (make format applies both)"
	@echo "make types      check the types of the library"
	@echo "make docs       build the documentation into docs/_build/html"
	@echo "make notebooks  execute the notebooks"
	@echo "make loader-check  load an exported explainer in C++ as TensorFlow Serving does (needs g++)"
	@echo "make triton-check  serve an exported explainer by NVIDIA Triton and ask it (needs Python 3.11)"
	@echo "make pacs-check send results to Orthanc and read them back (needs its Debian packages)"
	@echo "make viewer-check  drive the viewer's pages in Chromium (needs Debian's package, and npm)"
	@echo "make package    build the archives for PyPI into dist/ and check them"
	@echo "make everything install what all of these need, by one call of pip"
	@echo "make parity     compare with the peers tensorflow-addons, Quantus and Captum (needs Python 3.11)"
	@echo "make peers      install Captum, Xplique and saliency for benchmarks/attribution_speed.py (needs Python 3.11)"
	@echo "make lowest     run the quick tests with the oldest versions that setup.cfg allows (needs Python 3.11)"
	@echo "make fuzz       give changed files to every reader for half an hour (FUZZ_SECONDS=60: for a minute)"
	@echo "make clean      remove what the targets above made"

install: $(VENV)/.installed-base

demo: $(VENV)/.installed-base
	$(BIN)/tfadvpath demo $(OUT)

# Two processes: much of a test is Python that traces, on one core. A file's tests share their fixtures.
test: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --durations=25

quick: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "not slow"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

# Two at a time: much of a notebook is Python that traces, on one core. Jupyter keeps its state in the build
# folder: the home folder may be read-only.
notebooks: $(VENV)/.installed-notebooks
	printf '%s\n' $(NOTEBOOKS) | JUPYTER_RUNTIME_DIR=$(CURDIR)/build/jupyter IPYTHONDIR=$(CURDIR)/build/ipython \
	  xargs -P 2 -n 1 $(BIN)/python -m nbconvert --to notebook --execute --output-dir build/notebooks

# --xla: where XLA is off, that signature must be refused and the others must not need it.
loader-check: $(VENV)/.installed-serving
	$(MAKE) --no-print-directory -C export/loader_check PYTHON=$(abspath $(BIN)/python)
	rm -rf build/models
	$(BIN)/tfadvpath export bundles/phantom_brain --out build/models --sizes 1,3,8 --xla
	$(MAKE) --no-print-directory -C export/loader_check check PYTHON=$(abspath $(BIN)/python) \
	  VERSION=$(CURDIR)/build/models/phantom_brain/1 SIZES="1 3 8"

# A real server: it joins requests of several clients, over HTTP and gRPC.
triton-check: $(TRITON_VENV)/.installed $(VENV)/.installed-serving
	rm -rf build/triton
	$(BIN)/tfadvpath export bundles/phantom_brain --out build/triton --sizes 1,2,4 --steps 10
	$(BIN)/python tests/triton/check.py build/triton/phantom_brain/1 $(TRITON_VENV)/bin/python

# A real archive: it gets sources and results, and what it gives back is compared with the arrays.
pacs-check: $(VENV)/.installed-test
	PYTHONPATH=tests $(BIN)/python tests/pacs/check_orthanc.py bundles/phantom_brain

# A real browser: it moves every control of the pages, and leaves pictures of them in build/viewer.
viewer-check: $(VENV)/.installed-test build/axe/node_modules/axe-core/axe.min.js
	VIEWER_PICTURES=build/viewer $(BIN)/python -m pytest -s tests/viewer tests/viewer_server

build/axe/node_modules/axe-core/axe.min.js:
	npm install --silent --no-fund --no-audit --prefix build/axe axe-core@4.10.3

# build fetches setuptools into an environment of its own, as pip does with the source archive.
package: $(VENV)/.installed-release
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*

parity: $(PARITY_VENV)/.installed $(QUANTUS_VENV)/.installed $(CAPTUM_VENV)/.installed $(VENV)/.installed-test
	TF_CPP_MIN_LOG_LEVEL=2 $(PARITY_BIN)/python tests/parity/make_gaussian_golden.py --check tests/parity/golden/gaussian.npz
	$(QUANTUS_VENV)/bin/python tests/parity/make_quantus_golden.py --check tests/parity/golden/quantus.npz
	$(CAPTUM_VENV)/bin/python tests/parity/make_captum_golden.py --check tests/parity/golden/captum.npz
	$(BIN)/python -m pytest tests/path/test_gaussian.py tests/metrics/test_quantus_parity.py tests/metrics/test_localization.py \
	  tests/explainers/test_captum_parity.py

# Each peer that benchmarks/attribution_speed.py measures has an environment of its own; PyTorch is 5 GB.
peers: $(PEERS_VENVS:%=%/.installed)

# What setup.cfg promises of each package that it names; their own requirements are the newest.
lowest: $(LOWEST_VENV)/.installed
	$(LOWEST_VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile -m "not slow"

# Inputs of a seed are always the same; FUZZ_SEED=1 tries others.
fuzz: $(VENV)/.installed-test
	$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)

clean:
	rm -rf $(VENV) $(PARITY_VENV) $(QUANTUS_VENV) $(CAPTUM_VENV) $(TRITON_VENV) $(LOWEST_VENV) $(PEERS_VENVS) build dist docs/_build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find tfadvpath tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in $(CANDIDATES); do \
	  $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null || continue; \
	  found=$$python; \
	  $$python -c 'import venv, ensurepip' 2>/dev/null || continue; \
	  echo "Using $$($$python --version) for $(VENV)"; \
	  $$python -m venv $(VENV) && exit 0 || exit 1; \
	done; \
	if [ -n "$$found" ]; then \
	  echo "$$found has no venv module. On Debian and Ubuntu: apt install $$($$found -c \
	    'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; \
	else \
	  echo "No Python 3.11, 3.12 or 3.13 found (tried: $(CANDIDATES)). Install one, or name it: make PYTHON=/path/to/python" >&2; \
	fi; exit 1

# All extras that the checks need, by one call of pip in place of one for each.
everything: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[$(subst $(space),$(comma),$(strip $(CHECKED)))]'
	@touch $(VENV)/.installed-base $(CHECKED:%=$(VENV)/.installed-%)

$(VENV)/.installed-base: setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing tfadvpath and what it needs into $(VENV); TensorFlow alone is 600 MB to fetch."
	$(BIN)/python -m pip install -q -e .
	@touch $@

$(VENV)/.installed-%: setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing tfadvpath[$*] and what it needs into $(VENV); TensorFlow alone is 600 MB to fetch."
	$(BIN)/python -m pip install -q -e '.[$*]'
	@touch $@

# Each other package has an environment of its own, by Python 3.11: tensorflow-addons has no build for a later
# one. Triton's package needs NumPy 1.
$(PARITY_VENV)/.installed: tests/parity/requirements.txt
$(QUANTUS_VENV)/.installed: tests/parity/requirements-quantus.txt
$(CAPTUM_VENV)/.installed: tests/parity/requirements-captum.txt
$(TRITON_VENV)/.installed: tests/triton/requirements.txt
$(PEERS_CAPTUM_VENV)/.installed: benchmarks/peers/requirements-captum.txt
$(PEERS_SALIENCY_VENV)/.installed: benchmarks/peers/requirements-saliency.txt
$(PEERS_XPLIQUE_VENV)/.installed: benchmarks/peers/requirements-xplique.txt
# Xplique asks for TensorFlow with CUDA, which a measurement on the processor does not need.
$(PEERS_XPLIQUE_VENV)/.installed: ALONE := xplique==2.0.2

%/.installed:
	python3.11 -m venv $(@D)
	$(@D)/bin/python -m pip install -q -r $^
	$(if $(ALONE),$(@D)/bin/python -m pip install -q --no-deps $(ALONE))
	@touch $@

# pip has no way to ask for the oldest versions, uv has. Bounds are those of the oldest Python: later ones have
# no builds of some of these versions, and get newer ones.
$(LOWEST_VENV)/.installed: setup.cfg pyproject.toml
	python3.11 -m venv $(LOWEST_VENV)
	$(LOWEST_VENV)/bin/python -m pip install -q uv
	$(LOWEST_VENV)/bin/python -m uv pip install -q --python $(LOWEST_VENV)/bin/python --resolution lowest-direct -e '.[serving,test]'
	@touch $@
