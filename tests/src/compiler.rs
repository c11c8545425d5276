//! What tests have code compiled by: see `skep_runtime::engine::Compiler`.

fn main() -> std::process::ExitCode {
    skep_runtime::engine::compile_if_asked().unwrap_or(std::process::ExitCode::FAILURE)
}
