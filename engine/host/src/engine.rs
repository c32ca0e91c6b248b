//! The wasmtime engine: what it is allowed to do, its pool of instances, and its clock.

use std::io;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy};

use crate::host::{Error, HostConfig};

/// How often a running plugin is looked at. Also the longest that it holds a thread at a time.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// No component may hold more elements in one table; the JavaScript runtimes measured need 7,689.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 20_000;

/// Engine and whether its instances come from a pool.
pub(crate) struct Built {
    pub(crate) engine: Engine,
    pub(crate) pooled: bool,
}

/// An engine over a pool, or without one where the address space for a pool is not to be had: the pool reserves more
/// than 4 GiB per instance, and machines with 39-bit addresses or a limit on them (`ulimit -v`) refuse that.
pub(crate) fn build(config: &HostConfig) -> Result<Built, Error> {
    let refused = match Engine::new(&pooled(config)) {
        Ok(engine) => return Ok(Built { engine, pooled: true }),
        Err(refused) => refused,
    };
    tracing::warn!(
        instances = config.instances,
        reason = format!("{refused:#}"),
        "no address space for a pool of plugin instances: runs allocate on demand, which is slower"
    );
    let engine = Engine::new(&on_demand(config)).map_err(|error| Error::Engine(format!("{error:#}")))?;
    Ok(Built { engine, pooled: false })
}

/// What every engine has in common: little.
///
/// Component-model async is off because it is in no support tier of wasmtime and because most holes of 2026 were in it;
/// relaxed SIMD because its results differ between machines; memory64, threads and the like because no plugin needs them.
fn common() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .concurrency_support(false)
        .epoch_interruption(true)
        .wasm_component_model(true)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_stack_switching(false)
        .wasm_gc(false)
        .gc_support(false)
        .wasm_function_references(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .wasm_shared_everything_threads(false)
        // `async_stack_zeroing` stays off: stacks hold no guest data that a correct compiler would let another guest read,
        // and clearing them cost a tenth to a fifth of a call.
        // Backtraces name functions of the plugin and help nobody who reads a job.
        .wasm_backtrace_max_frames(None);
    config
}

fn pooled(config: &HostConfig) -> Config {
    let instances = config.instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_stacks(instances)
        // One memory per component. Rust guests use three core instances and two tables, Python's thirty-eight.
        .max_memories_per_component(1)
        .total_memories(instances)
        .max_core_instances_per_component(64)
        .total_core_instances(instances.saturating_mul(64))
        .max_tables_per_component(4)
        .total_tables(instances.saturating_mul(4))
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(config.memory_max)
        .total_gc_heaps(0)
        // Page faults, not instantiation, are what a fresh instance costs: a guest with a small stack lives within its
        // first 256 KiB, which are cleared instead of unmapped.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(4 << 10)
        // Off: in 48.0.8 a dirty page that was swapped out is neither cleared nor unmapped, so the next instance could
        // read it (bytecodealliance/wasmtime#14357).
        .pagemap_scan(Enabled::No);
    let mut config = common();
    config.allocation_strategy(pool);
    config
}

fn on_demand(config: &HostConfig) -> Config {
    let mut engine = common();
    engine
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        // What can be had, at the price of explicit bounds checks.
        .memory_reservation(config.memory_max as u64)
        .memory_reservation_for_growth(0);
    engine
}

/// Starts the thread that moves the engine's epoch on; it ends when the engine is gone.
///
/// A thread and not a task: plugins run on the threads that run tasks, and it is their running that is to be measured.
pub(crate) fn start_ticker(engine: &Engine) -> io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("zelo-epochs".into()).spawn(move || {
        loop {
            std::thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    })?;
    Ok(())
}
