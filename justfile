# Commands for everyday work, for https://just.systems; `just` alone lists them.

bin := ".venv/bin"

[private]
default:
    @just --list

# Install into .venv, editable; again after a change of Rust
dev:
    test -d .venv || python3 -m venv .venv
    {{bin}}/pip install -q maturin
    {{bin}}/maturin develop -q --profile quick --extras test

# Check format, lints and types of Python, and the format of Rust
lint:
    {{bin}}/ruff check -q .
    {{bin}}/ruff format -q --check .
    {{bin}}/mypy
    cargo fmt --all --check

# Lint, then run the quick tests: under a minute
test *arguments: lint
    {{bin}}/pytest -n auto -m quick {{arguments}}

# Run all tests but the thorough rounds, in Python and in Rust
full: lint
    {{bin}}/pytest -n auto
    cargo test --workspace

# Run every check there is; takes long
ci:
    .ci/run
