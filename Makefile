# The two commands: `make run` and `make test`. Both install and build what they need.

.PHONY: run test bench plugins check-wasm

run:
	cargo build --release --locked --bin zelo
	ZELO=target/release/zelo plugins/build
	target/release/zelo serve

test:
	tests/run

bench:
	ZELO=target/release/zelo cargo bench --locked
