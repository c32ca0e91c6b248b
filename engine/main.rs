//! The `zelo` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    small_pages();
    zelo::cli::main()
}

/// Of pages of two megabytes a server that does little would hold many for a few bytes each, a third of all it holds.
#[cfg(target_os = "linux")]
fn small_pages() {
    // Where the system does not know of it, it costs memory and nothing else.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(not(target_os = "linux"))]
fn small_pages() {}
