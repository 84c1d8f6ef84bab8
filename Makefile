# Thin: what takes more than a few lines is in tests/stages, which also has the list of what `make test` runs.
.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-deep bench lint fmt

help: ## this text
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## install what a fresh machine lacks (Debian packages when root, else the command is printed)
	tests/stages/run setup

build: setup ## build the library and every program of the tests
	cargo build --release --locked --workspace --all-features --bins --examples
	tests/stages/run programs

demo: ## three servers without any registry: calls of every kind, one killed under load, a circuit breaker
	examples/demo/run

test: ## everything that fits into half an hour on two cores
	tests/stages/run test

test-deep: ## policy, fuzzing, sanitizers, soak, the grid again and again; writes docs/reports/deep.md (25 minutes)
	tests/stages/run deep

bench: ## measure beside the floor and the competitors; writes docs/bench (25 minutes on a quiet machine)
	bench/run --idle --check --write docs/bench

lint: ## formatting, lints and types of every language
	tests/stages/run lint

fmt: ## format every language
	cargo fmt --all
	tests/stages/run format
