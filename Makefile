# Every target installs what it needs first. State of this clone: .trainyard/ and .venv/.
SHELL := /bin/bash
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
UV := .trainyard/uv/bin/uv
DEV := .venv/bin/trainyard-dev

# Of all other tests several run at once, a file by each: they mostly wait for processes to start.
ONE_BY_ONE := alone or cluster

export UV_PYTHON_DOWNLOADS := never
export CLUSTER DATA TARGET JOB SUBJECT ROLE IMAGE_REGISTRY CASES PEER PEER_BINARY PEER_CRDS

.PHONY: help demo test up down status images lint format bench bench-quality bench-trainer bench-api bench-scale chaos logs \
	kubeconfig env token crd install

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: install ## Cluster, images, chart, data, three trained models. DATA=file.csv TARGET=column: your own
	@$(DEV) demo $(if $(DATA),--data "$(DATA)") $(if $(TARGET),--target "$(TARGET)")

test: install ## Run every test; brings a cluster up where a test needs one
ifdef ARGS
	@.venv/bin/pytest $(ARGS)
else
	@.venv/bin/pytest -n 5 --dist loadfile --no-loadscope-reorder -m "not ($(ONE_BY_ONE))"
	@.venv/bin/pytest -m "$(ONE_BY_ONE)"
endif

up: install ## Bring up the cluster with Trainyard in it. CLUSTER=embedded|kind|minikube|current
	@$(DEV) up

down: install ## Take the cluster away, and everything that it left on the machine
	@$(DEV) down

status: install ## Show nodes, pods and TrainingJobs
	@$(DEV) status

images: install ## Build the images and publish them to the cluster
	@$(DEV) images

lint: install ## Check style, types, layers and that generated files are up to date
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@PYTHONPATH=trainer-image/src .venv/bin/lint-imports
	@$(DEV) crd --check

format: install ## Format and mend what can be mended
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

bench: install ## Measure; the last line is one JSON object
	@$(DEV) bench

bench-quality: install ## Compare the models with plain scikit-learn; the last line is one JSON object
	@$(DEV) bench-quality

bench-trainer: install ## Time and memory of the trainer beside a plain script, up to 1M rows (half an hour)
	@$(DEV) bench-trainer

bench-api: install ## Load and faults on the API with 10,000 jobs (five minutes); the last line is one JSON object
	@.venv/bin/python -m tests.load.api

bench-scale: install ## The operator under 1,000 and 10,000 runs (an hour and a half); the last line is one JSON object. CASES=names
	@.venv/bin/python -m tests.load.scale

chaos: install ## Faults on the operator at random. SECONDS=600 SEED=…; the last line is one JSON object
	@.venv/bin/python -m tests.faults --seconds $(or $(SECONDS),600) $(if $(SEED),--seed "$(SEED)")

logs: install ## Follow the operator and the API. JOB=name: one TrainingJob
	@$(DEV) logs $(if $(JOB),--job "$(JOB)")

kubeconfig: install ## Print the path of the cluster's kubeconfig
	@$(DEV) kubeconfig

env: install ## Print what makes kubectl and helm use this cluster: eval "$$(make -s env)"
	@$(DEV) env

token: install ## Print a bearer token for the API. SUBJECT=name ROLE=viewer|trainer|admin
	@$(DEV) token $(if $(SUBJECT),--subject "$(SUBJECT)") $(if $(ROLE),--role "$(ROLE)")

crd: install ## Write the chart's CRDs from the schema
	@$(DEV) crd

install: .venv/.installed

# The lock says which packages; a stamp newer than it says that they are installed.
.venv/.installed: uv.lock pyproject.toml */pyproject.toml | $(UV)
	@echo "Installing the Python packages of uv.lock …"
	@$(UV) sync --frozen --quiet || { echo "Failed: $(UV) sync --frozen. See that a package registry is reachable."; exit 1; }
	@touch $@

$(UV):
	@command -v python3 >/dev/null || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv"; exit 1; }
	@python3 -m venv .trainyard/uv 2>/dev/null || { \
	  echo "Installing python3-venv …"; \
	  apt-get update -qq >/dev/null && apt-get install -qq -y python3-venv >/dev/null && python3 -m venv --clear .trainyard/uv; }
	@.trainyard/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
