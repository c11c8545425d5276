//! How wasmtime is set up for the floor: as tight as the guests allow, which is tighter than Skep can have it.

use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Result, Store};

use super::{Context, World};

/// Instances at once: those of the largest ring.
const SLOTS: u32 = 1_100;
/// Core instances of one component: its memory, its code, and what is between.
const CORE_INSTANCES: u32 = 3;
/// A process is interrupted after so much fuel, as in Skep.
const SLICE: u64 = 200_000;

pub(super) fn pooled() -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SLOTS)
        .total_stacks(SLOTS)
        .total_core_instances(SLOTS * CORE_INSTANCES)
        .total_memories(SLOTS)
        .total_tables(SLOTS)
        .table_elements(1_000)
        .max_memory_size(4 << 20)
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10)
        .pagemap_scan(Enabled::No);
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .consume_fuel(true)
        .max_wasm_stack(128 << 10)
        .async_stack_size(256 << 10)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_reservation(4 << 20)
        .memory_guard_size(64 << 10)
        .memory_reservation_for_growth(0)
        .memory_may_move(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// The one function of the host.
pub(super) fn linker(engine: &Engine, send: fn(&World, u64, Vec<u8>)) -> Result<Linker<Context>> {
    let mut linker = Linker::new(engine);
    linker.root().func_wrap(
        "send",
        move |store: wasmtime::StoreContextMut<'_, Context>, (to, message): (u64, Vec<u8>)| {
            let world: &Arc<World> = &store.data().world;
            send(world, to, message);
            Ok(())
        },
    )?;
    Ok(linker)
}

pub(super) fn store(engine: &Engine, context: Context) -> Result<Store<Context>> {
    let mut store = Store::new(engine, context);
    store.set_fuel(u64::MAX)?;
    store.fuel_async_yield_interval(Some(SLICE))?;
    Ok(store)
}
