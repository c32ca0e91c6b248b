//! The `zelo` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    zelo::cli::main()
}
