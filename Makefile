# Bare `make` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
VENV_READY := $(VENV)/.ready
PEERS_READY := $(VENV)/.peers-ready
AWS_VENV := .venv-aws
AWS_READY := $(AWS_VENV)/.ready
AIRFLOW_VENV := .venv-airflow
AIRFLOW_READY := $(AIRFLOW_VENV)/.ready
SPARK_VENV := .venv-spark
SPARK_READY := $(SPARK_VENV)/.ready
REST_JARS := .cache/rest-jars
REST_JARS_READY := $(REST_JARS)/.ready
JARS := .cache/jars
JARS_READY := $(JARS)/.ready
IMAGE_VENV := .venv-image
IMAGE_READY := $(IMAGE_VENV)/.ready
IMAGE_ARCHITECTURES ?= amd64 arm64
WAREHOUSE ?= ./lake
AIRFLOW_PORT ?= 8080
ROWS ?= 5000000
MERGE_ROWS ?= 1000000,5000000,20000000
# What the allocator of the program is told when it is built (docs/adr/0008-allocator.md).
export JEMALLOC_SYS_WITH_MALLOC_CONF := narenas:4,dirty_decay_ms:500,muzzy_decay_ms:0

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
NORTHSTAR := $(TARGET_DIR)/release/northstar
# The demo and the tests use one optimised profile, so dependencies are compiled once.
CARGO_FLAGS := --release --locked

# The tests of the server, with what they need.
SERVE_TESTS = NORTHSTAR_BIN=$(abspath $(NORTHSTAR)) NORTHSTAR_SPARK_PYTHON=$(abspath $(SPARK_VENV)/bin/python) \
	NORTHSTAR_SPARK_JARS=$(abspath $(JARS)) $(AWS_VENV)/bin/python tests/serve/run.py

.PHONY: help build image-binary which demo airflow test test-rust test-interop test-serve test-image test-emr test-airflow soak bench bench-load bench-merge bench-scale bench-table check fmt clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# With the features that the whole workspace asks for, so that tests and demo share what was compiled.
build: ## Build the northstar program (needs Rust and a C compiler)
	@echo "building northstar; the first build compiles DataFusion and takes some minutes"
	cargo build $(CARGO_FLAGS) --workspace --bin northstar

# Linked for glibc 2.34, which EMR's image has, whatever this machine has (docs/emr.md).
image-binary: $(addprefix image-binary-,$(IMAGE_ARCHITECTURES)) ## Build the program for EMR's image into jobs/emr/bin

image-binary-amd64: TRIPLE := x86_64-unknown-linux-gnu
image-binary-arm64: TRIPLE := aarch64-unknown-linux-gnu
image-binary-%: $(IMAGE_READY)
	@echo "building northstar for linux/$* and glibc 2.34"
	@rustup target list --installed | grep -qx $(TRIPLE) || \
		{ echo "Rust's library for $* is missing: rustup target add $(TRIPLE)"; exit 1; }
	PATH=$(abspath $(IMAGE_VENV)/bin):$$PATH cargo zigbuild $(CARGO_FLAGS) --package northstar-jobs --target $(TRIPLE).2.34
	install -D --mode=755 $(TARGET_DIR)/$(TRIPLE)/release/northstar jobs/emr/bin/$*/northstar
	tar --create --gzip --file jobs/emr/bin/northstar-$*.tar.gz --directory jobs/emr/bin/$* --transform 's,^,bin/,' northstar

which: ## Print where the program is
	@echo $(abspath $(NORTHSTAR))

demo: build ## Generate, load, append and travel in time, in ./lake (or WAREHOUSE=DIR)
	$(NORTHSTAR) --warehouse $(WAREHOUSE) demo

airflow: build $(AIRFLOW_READY) ## Start Airflow with the DAGs over a server with data made up (AIRFLOW_PORT=8080)
	$(AIRFLOW_VENV)/bin/python airflow/start.py $(abspath $(NORTHSTAR)) --port $(AIRFLOW_PORT)

test: test-rust test-interop test-serve test-image test-emr test-airflow ## Run all tests; installs what they need into .venv

test-rust: $(AWS_READY) $(REST_JARS_READY)
	@echo "building and running the Rust tests"
	cargo build $(CARGO_FLAGS) --workspace --all-targets
	NORTHSTAR_BIN=$(abspath $(NORTHSTAR)) NORTHSTAR_AWS_PYTHON=$(abspath $(AWS_VENV)/bin/python) \
		NORTHSTAR_REST_JARS=$(abspath $(REST_JARS)) cargo test $(CARGO_FLAGS) --workspace

test-interop: $(VENV_READY) $(SPARK_READY) $(JARS_READY)
	@echo "reading and changing the same tables with PyIceberg, DuckDB, ClickHouse, Sail and Spark"
	NORTHSTAR_BIN=$(abspath $(NORTHSTAR)) NORTHSTAR_SPARK_PYTHON=$(abspath $(SPARK_VENV)/bin/python) \
		NORTHSTAR_SPARK_JARS=$(abspath $(JARS)) $(VENV)/bin/python tests/interop/run.py

test-serve: $(AWS_READY) $(SPARK_READY) $(JARS_READY)
	@echo "asking the server as AWS and Iceberg clients do: boto3, PyIceberg, Spark, DuckDB"
	$(SERVE_TESTS)

test-image: $(AWS_READY)
	@echo "looking at the image, its templates, and what the program asks of the C library"
	NORTHSTAR_BIN=$(abspath $(NORTHSTAR)) $(AWS_VENV)/bin/python tests/image/run.py

test-emr: $(SPARK_READY)
	@echo "launching jobs as Spark and Glue do: one process, a fan-out, and what is killed"
	NORTHSTAR_BIN=$(abspath $(NORTHSTAR)) NORTHSTAR_SPARK_PYTHON=$(abspath $(SPARK_VENV)/bin/python) \
		$(SPARK_VENV)/bin/python tests/emr/run.py

test-airflow: $(AIRFLOW_READY)
	@echo "running the DAGs and the operators of Airflow against the server"
	NORTHSTAR_BIN=$(abspath $(NORTHSTAR)) $(AIRFLOW_VENV)/bin/python tests/airflow/run.py

soak: $(AWS_READY) $(SPARK_READY) $(JARS_READY) ## Run the long forms of the tests (random kills, large loads, 10,000 statements and lives of tables, 100,000 requests)
	cargo build $(CARGO_FLAGS) --workspace --all-targets
	NORTHSTAR_SOAK=1 NORTHSTAR_BIN=$(abspath $(NORTHSTAR)) cargo test $(CARGO_FLAGS) --workspace --test fault -- --nocapture
	NORTHSTAR_SOAK=1 cargo test $(CARGO_FLAGS) --workspace --test it -- merge_model merge_memory table_life scale --nocapture
	$(SERVE_TESTS) --soak

bench: bench-load bench-merge bench-scale ## All benchmarks beside peers; loads ROWS lab rows (default 5000000), merges into MERGE_ROWS

bench-load: $(PEERS_READY)
	cargo build $(CARGO_FLAGS) --workspace
	$(TARGET_DIR)/release/northstar-bench load --rows $(ROWS) --northstar $(NORTHSTAR) --python $(VENV)/bin/python $(BENCH_FLAGS)

# What `bench-merge` runs: shapes and sizes beside peers, then what little memory, growth and time do.
WIDE = merge --data lab-wide --rows 500000 --slow-rows 0 --pyiceberg-rows 0
MERGE_CASES = "merge --rows $(MERGE_ROWS)" \
	"merge --data tpch --rows 6000000 --slow-rows 0 --pyiceberg-rows 0" \
	"$(WIDE) --shapes scattered,recent" \
	$(foreach memory,256MiB 1GiB, \
		"$(WIDE) --shapes scattered --changes 25000 --no-peers --memory $(memory) --section wide-$(memory)" \
		"merge --shapes scattered --changes 5000000 --no-peers --memory $(memory) --section narrow-$(memory)") \
	growth rounds

# All cases run, also if one misses its target.
bench-merge: $(PEERS_READY) $(SPARK_READY) $(JARS_READY) ## MERGE beside DuckDB, delta-rs, Sail, Spark and PyIceberg (hours)
	cargo build $(CARGO_FLAGS) --workspace
	@missed=0; for case in $(MERGE_CASES); do \
		$(TARGET_DIR)/release/northstar-bench $$case --northstar $(NORTHSTAR) --python $(VENV)/bin/python \
			--spark-python $(SPARK_VENV)/bin/python --jars $(JARS) $(BENCH_FLAGS) || missed=1; \
	done; exit $$missed

# All cases run, also if one misses its target.
bench-scale: $(VENV_READY)
	cargo build $(CARGO_FLAGS) --workspace
	@missed=0; for case in planning commits retention compaction; do \
		$(TARGET_DIR)/release/northstar-bench $$case --northstar $(NORTHSTAR) --python $(VENV)/bin/python $(BENCH_FLAGS) || missed=1; \
	done; exit $$missed

bench-table: BENCH_FLAGS = --results benches/RESULTS.md --date $(shell date +%F)
bench-table: bench ## All benchmarks, with their results into benches/RESULTS.md

check: ## Formatting, lints, dependency rules, documentation links
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc $(CARGO_FLAGS) --workspace --no-deps
	@if command -v cargo-deny >/dev/null; then cargo deny check; else echo "cargo-deny is not installed: cargo install cargo-deny"; fi

fmt: ## Format the code
	cargo fmt --all

clean: ## Remove what was built, the virtual environment and the demo's warehouse
	cargo clean
	rm -rf $(VENV) $(AWS_VENV) $(SPARK_VENV) $(IMAGE_VENV) $(AIRFLOW_VENV) $(JARS) $(REST_JARS) jobs/emr/bin lake

$(VENV_READY): tests/requirements.txt
	@echo "installing the readers that tests compare with into $(VENV)"
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: install Python 3.11 or later"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement tests/requirements.txt
	@touch $@

$(PEERS_READY): $(VENV_READY) benches/requirements.txt
	@echo "installing the other peers of the benchmarks into $(VENV)"
	$(VENV)/bin/pip install --quiet --requirement benches/requirements.txt
	@touch $@

$(AWS_READY): tests/requirements-aws.txt
	@echo "installing the servers that stand for AWS in tests into $(AWS_VENV)"
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: install Python 3.11 or later"; exit 1; }
	$(PYTHON) -m venv $(AWS_VENV)
	$(AWS_VENV)/bin/pip install --quiet --requirement tests/requirements-aws.txt
	@touch $@

$(IMAGE_READY): jobs/emr/requirements.txt
	@echo "installing the linker for EMR's image into $(IMAGE_VENV)"
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: install Python 3.11 or later"; exit 1; }
	$(PYTHON) -m venv $(IMAGE_VENV)
	$(IMAGE_VENV)/bin/pip install --quiet --requirement jobs/emr/requirements.txt
	@touch $@

$(AIRFLOW_READY): tests/requirements-airflow.txt
	@echo "installing Airflow with its Amazon provider into $(AIRFLOW_VENV)"
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: install Python 3.11 or later"; exit 1; }
	$(PYTHON) -m venv $(AIRFLOW_VENV)
	$(AIRFLOW_VENV)/bin/pip install --quiet --requirement tests/requirements-airflow.txt
	@touch $@

$(SPARK_READY): tests/requirements-spark.txt
	@echo "installing Spark, which tests compare with, into $(SPARK_VENV)"
	@command -v java >/dev/null || { echo "java is missing: install Java 17"; exit 1; }
	$(PYTHON) -m venv $(SPARK_VENV)
	$(SPARK_VENV)/bin/pip install --quiet --requirement tests/requirements-spark.txt
	@touch $@

$(JARS_READY): tests/interop/spark/pom.xml
	@echo "fetching Iceberg's runtime for Spark into $(JARS)"
	@command -v mvn >/dev/null || { echo "mvn is missing: install Maven 3"; exit 1; }
	mvn --quiet --batch-mode --file tests/interop/spark/pom.xml dependency:copy-dependencies -DoutputDirectory=$(abspath $(JARS))
	@touch $@

$(REST_JARS_READY): tests/serve/rest/pom.xml
	@echo "fetching the REST catalog of Iceberg's own tests into $(REST_JARS)"
	@command -v java >/dev/null || { echo "java is missing: install Java 17"; exit 1; }
	@command -v mvn >/dev/null || { echo "mvn is missing: install Maven 3"; exit 1; }
	mvn --quiet --batch-mode --file tests/serve/rest/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory=$(abspath $(REST_JARS))
	@touch $@
