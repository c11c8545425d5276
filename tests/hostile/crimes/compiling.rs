//! Components that are small, and much work to compile.

use crate::binary::{around, body, functions, leb};
use crate::suite::crimes;

crimes! {
    Compiling;

    many_functions: "has 25,000 functions", Refused("exports nothing"), 64 MiB =>
        |scene| scene.compile(60, 1_024, around(&functions(0, &vec![body(0, &[]); 25_000])));
    many_locals: "has a function of 50,000 locals", Refused("exports nothing"), 64 MiB =>
        |scene| scene.compile(60, 1_024, around(&functions(0, &[body(50_000, &[])])));
    too_many_locals: "has a function of a million locals", Refused("too many locals"), 64 MiB =>
        |scene| scene.compile(60, 1_024, around(&functions(0, &[body(1_000_000, &[])])));
    a_huge_function: "has one function of 200 KB in a straight line", Refused("exports nothing"), 64 MiB =>
        |scene| scene.compile(60, 1_024, around(&functions(1, &[body(0, &[STEP.repeat(20_000), vec![0x20, 0]].concat())])));
    a_jump_to_many_places: "has a jump to 65,000 places", Refused("exports nothing"), 64 MiB =>
        |scene| scene.compile(60, 1_024, around(&functions(1, &[body(0, &jumps(65_000))])));
    a_jump_to_too_many_places: "has a jump to a hundred thousand places", Refused("`br_table` has 100000 targets"), 64 MiB =>
        |scene| scene.compile(60, 1_024, around(&functions(1, &[body(0, &jumps(100_000))])));
    calls_through_a_table: "has 110,000 indirect calls in one function: minutes of compiling", Refused("more than 2 s of computing"), 64 MiB =>
        |scene| scene.compile(2, 2_048, around(&functions(1, &[body(0, &[INDIRECT.repeat(110_000), vec![0x20, 0]].concat())])));
    blocks_in_blocks: "has 40,000 blocks within each other", Refused("more than 2 s of computing"), 64 MiB =>
        |scene| scene.compile(2, 2_048, around(&functions(1, &[body(0, &nested(0x02, 40_000))])));
    loops_in_loops: "has 40,000 loops within each other", Refused("more than 2 s of computing"), 64 MiB =>
        |scene| scene.compile(2, 2_048, around(&functions(1, &[body(0, &nested(0x03, 40_000))])));
    more_memory_than_there_is: "takes more memory to compile than there is for it", Refused("more than 64 MiB of memory"), 64 MiB =>
        |scene| scene.compile(60, 64, around(&functions(1, &[body(0, &[LOAD.repeat(140_000), vec![0x20, 0]].concat())])));
}

/// `local 0 := table[local 0](local 0)`
const INDIRECT: &[u8] = &[0x20, 0, 0x20, 0, 0x11, 1, 0, 0x21, 0];
/// `local 0 := memory[local 0]`
const LOAD: &[u8] = &[0x20, 0, 0x28, 2, 0, 0x21, 0];
/// `local 0 := local 0 * local 0 + 1`
const STEP: &[u8] = &[0x20, 0, 0x20, 0, 0x6c, 0x41, 1, 0x6a, 0x21, 0];

/// One `br_table`, all of whose targets are the same block.
fn jumps(targets: usize) -> Vec<u8> {
    [vec![0x02, 0x40, 0x20, 0, 0x0e], leb(targets as u64), vec![0; targets + 1], vec![0x0b, 0x20, 0]].concat()
}

/// Blocks or loops within each other, out of each of which a branch leads.
fn nested(kind: u8, depth: usize) -> Vec<u8> {
    [[kind, 0x40].repeat(depth), [0x20, 0, 0x0d, 0, 0x0b].repeat(depth), vec![0x20, 0]].concat()
}
