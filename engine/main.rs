//! The `zelo` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How [jemalloc](https://jemalloc.net/jemalloc.3.html#tuning) goes about it: what has not been used for a tenth of a second goes back to the
/// system, though nothing else happens, and little is kept for each thread: an idle server has 3 MiB less, and a busy one is as fast. `MALLOC_CONF` in the environment has the last word.
#[allow(unsafe_code, reason = "jemalloc finds its options by this name, which nothing else has")]
#[unsafe(export_name = "malloc_conf")]
static TUNING: &[u8; 123] =
    b"narenas:4,lg_tcache_max:12,tcache_nslots_small_max:32,dirty_decay_ms:100,muzzy_decay_ms:0,background_thread:true,thp:never\0";

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
