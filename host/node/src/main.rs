//! The `skep` command: everything is in `skep::cli`, but for what it does when a node has it compile.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    skep_runtime::engine::compile_if_asked().unwrap_or_else(skep::cli::main)
}
