# The two commands: `make run` and `make test`. Both install and build what they need.

.PHONY: run test bench

run:
	cargo build --release --locked --bin zelo
	ZELO=target/release/zelo plugins/build
	target/release/zelo serve

test:
	tests/run

# Each prints both sides of its budget from one run.
bench:
	plugins/build
	cargo bench --locked
