//! How wasmtime is set up: two classes of engine, one for the many small guests and one for the few large.
//!
//! Owns every setting of wasmtime and the reason for it. Called once, when the engine is made.

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails};

use super::compiler::Compiler;
use super::limits::TABLE_ELEMENTS;
use super::trace::FRAMES;
use super::wasi::{RequestBounds, Resolver, SystemResolver};

/// Linear memories in one component of the small class. JavaScript has two.
pub(crate) const MEMORIES: u32 = 2;
/// Tables in one component of the small class. All four languages have two.
pub(crate) const TABLES: u32 = 3;
/// Core instances in one component: JavaScript has 9, Python 14, a wrapped wasip1 module 5.
pub(crate) const CORE_INSTANCES: u32 = 24;

/// Instances of the small class without a configured number. A live instance holds some 35 kB, up to 80 where the place was
/// used before: 140 to 320 MB in all.
const DEFAULT_SLOTS: u32 = 4_000;
/// Memory mappings of one live instance, at most: memory, its guard, tables, fiber stack and its guard.
pub(super) const MAPPINGS: u32 = 8;
/// Mappings on a Linux that does not say: its default.
const DEFAULT_MAPPINGS: u32 = 65_530;
/// Slots beyond the budget, for trying out modules while all others are taken.
pub(crate) const TRIALS: u32 = 2;
/// Wasm's part of a fiber's stack; with less, deep recursion in Python is a trap instead of an exception.
const WASM_STACK: usize = 1 << 20;
/// A fiber's whole stack: host functions run on it too, and one that overflows it aborts the host.
const FIBER_STACK: usize = 2 << 20;
/// Bytes of a small memory that are cleared in place instead of being given back: more than a small guest uses.
const KEEP_RESIDENT: usize = 256 << 10;
/// Between two small memories: a page more than what bounds checks need, so that what all guests touch first does not lie at
/// the same place of the cache for each of them.
const GUARD: u64 = (64 << 10) + 4096;

/// What an embedder chooses.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Instances of the small class that live at once. None: what the machine's limits allow, at most 4,000.
    pub slots: Option<u32>,
    /// Bytes of linear memory that a guest of the small class may have. One that is allowed more goes to the large class.
    pub small_memory_bytes: usize,
    /// Instances of the large class that live at once.
    pub large_slots: u32,
    /// Where compiled code is kept. None: it is compiled at every start.
    pub cache: Option<PathBuf>,
    /// Where core modules become components, and components are compiled: in a process with bounds of its own. None: in this
    /// one, for as long as it takes and wherever it ends, which is for code that one trusts so far.
    pub compiler: Option<Compiler>,
    /// Who says what names of hosts stand for, to guests that may ask.
    pub resolver: Arc<dyn Resolver>,
    /// A file of certificates (PEM) of those whom requests over TLS believe. None: whom the host believes, which the variable
    /// `SSL_CERT_FILE` can say too.
    pub authorities: Option<PathBuf>,
    /// What the requests of guests are held to, whatever these ask for.
    pub requests: RequestBounds,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            slots: None,
            small_memory_bytes: 4 << 20,
            large_slots: 64,
            cache: None,
            compiler: None,
            resolver: Arc::new(SystemResolver),
            authorities: None,
            requests: RequestBounds::default(),
        }
    }
}

impl EngineConfig {
    /// Instances of the small class, as configured or as the machine allows.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slots.unwrap_or_else(|| (mappings_allowed() / MAPPINGS).min(DEFAULT_SLOTS)).max(1)
    }

    /// Settings of the small class.
    pub(crate) fn small(&self) -> Config {
        let slots = self.slots() + TRIALS;
        // Whole Wasm pages, or the pool rounds down what was promised.
        let memory = self.small_memory_bytes.next_multiple_of(64 << 10);
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(slots)
            .total_stacks(slots)
            .total_core_instances(slots * CORE_INSTANCES)
            .max_core_instances_per_component(CORE_INSTANCES)
            .total_memories(slots * MEMORIES)
            .max_memories_per_component(MEMORIES)
            .total_tables(slots * TABLES)
            .max_tables_per_component(TABLES)
            .max_tables_per_module(TABLES)
            .table_elements(TABLE_ELEMENTS)
            .max_memory_size(memory)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(64 << 10)
            .async_stack_keep_resident(64 << 10)
            // Faster for large memories only, and these are elsewhere.
            .pagemap_scan(Enabled::No);
        let mut config = common();
        config
            .memory_reservation(memory as u64)
            .memory_guard_size(GUARD)
            .memory_reservation_for_growth(0)
            .memory_may_move(false)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        config
    }

    /// Settings of the large class: memories anywhere, with wasmtime's own reservation of 4 GiB each.
    pub(crate) fn large(&self) -> Config {
        let mut config = common();
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        config
    }
}

/// What both classes share.
fn common() -> Config {
    let mut config = Config::new();
    config
        // On, a call costs four times as much, and component-model async is not offered.
        .concurrency_support(false)
        .consume_fuel(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(FRAMES))
        // Names are enough, and parsing a guest's debug information is work that a hostile guest could multiply.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .cranelift_opt_level(OptLevel::Speed)
        // The same bits on every machine, should a state depend on them.
        .relaxed_simd_deterministic(true)
        // Nothing that the four languages do not need: each is more of wasmtime for a hostile guest to try.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .shared_memory(false);
    config
}

/// How many memory mappings the system gives one program.
pub(super) fn mappings_allowed() -> u32 {
    std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(DEFAULT_MAPPINGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_stay_within_what_the_machine_gives() {
        let config = EngineConfig::default();
        assert!((1..=DEFAULT_SLOTS).contains(&config.slots()));
        assert!(config.slots() <= mappings_allowed() / MAPPINGS || config.slots() == 1);
        assert_eq!(EngineConfig { slots: Some(7), ..config }.slots(), 7);
    }
}
