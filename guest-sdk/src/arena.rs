//! The allocator of a guest: it begins with the memory that the module has anyway.
//!
//! Owns what its data leave of the last page, with free lists by size. That spares a young process the `memory.grow` which
//! the standard allocator begins with (8 of 13 µs, measured on spawn and first call), and keeps it as small as it can be: each
//! page is cleared when the instance is given back. What does not fit goes to the standard allocator. Only where the linker
//! leaves that memory to nobody else, so not beside a C library; called by everything that allocates.
#![allow(unsafe_code, reason = "an allocator hands out raw memory")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::Range;
use std::ptr;

/// Blocks of 16, 32, … 4,096 bytes.
const CLASSES: usize = 9;
const SMALLEST: usize = 16;

// The linker's names for the memory that nothing lies in yet.
unsafe extern "C" {
    static __heap_base: u8;
    static __heap_end: u8;
}

#[global_allocator]
static ARENA: Arena = Arena { used: Cell::new(0), free: [const { Cell::new(ptr::null_mut()) }; CLASSES] };

/// A block that is free holds the next one.
struct Free {
    next: *mut Free,
}

struct Arena {
    /// Bytes from its beginning.
    used: Cell<usize>,
    free: [Cell<*mut Free>; CLASSES],
}

// SAFETY: without the `atomics` feature a Wasm module has one thread, and the arena never calls out while it changes.
#[cfg(not(target_feature = "atomics"))]
unsafe impl Sync for Arena {}

/// Which list serves this layout, and how large its blocks are; none if it is too large or too strictly aligned.
fn class(layout: Layout) -> Option<(usize, usize)> {
    if layout.align() > SMALLEST {
        return None;
    }
    let block = layout.size().max(SMALLEST).next_power_of_two();
    let class = (block / SMALLEST).trailing_zeros() as usize;
    (class < CLASSES).then_some((class, block))
}

/// The addresses of the arena.
fn arena() -> Range<usize> {
    let start = (&raw const __heap_base as usize).next_multiple_of(SMALLEST);
    start..(&raw const __heap_end as usize).max(start)
}

fn holds(block: *mut u8) -> bool {
    arena().contains(&(block as usize))
}

impl Arena {
    fn take(&self, class: usize, block: usize) -> Option<*mut u8> {
        let free = self.free[class].get();
        if !free.is_null() {
            // SAFETY: a block on a list was given back, lies in the arena, and holds what `dealloc` wrote there.
            self.free[class].set(unsafe { (*free).next });
            return Some(free.cast());
        }
        let (arena, used) = (arena(), self.used.get());
        if block > arena.len() - used {
            return None;
        }
        self.used.set(used + block);
        Some(ptr::with_exposed_provenance_mut(arena.start + used))
    }
}

// SAFETY: every block is a power of two of at least 16 bytes and a part of the arena that nobody else has: `used` only
// grows, and a block leaves its list when it is handed out. Since `used` is a sum of such sizes and the arena is aligned
// to 16, so is every block. The arena lies between the module's data and the end of the memory that it begins with, which the
// system allocator of this target leaves alone: it takes only what it has grown itself. What is not of the arena is the
// system allocator's from beginning to end.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        class(layout)
            .and_then(|(class, block)| self.take(class, block))
            // SAFETY: the caller's promises are passed on.
            .unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match class(layout) {
            Some((class, _)) if holds(block) => {
                let free = block.cast::<Free>();
                // SAFETY: the block is ours, aligned to 16, at least 16 bytes, and its owner has given it up.
                unsafe { free.write(Free { next: self.free[class].get() }) };
                self.free[class].set(free);
            }
            // SAFETY: it is not from the arena, so the system allocator gave it out with this layout.
            _ => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !holds(block) {
            // SAFETY: as in `dealloc`.
            return unsafe { System.realloc(block, layout, new_size) };
        }
        // SAFETY: the caller promises that the size, rounded up to the alignment, does not overflow.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if class(layout) == class(new_layout) {
            return block;
        }
        // SAFETY: two blocks that do not overlap, both at least as long as what is copied.
        unsafe {
            let new_block = self.alloc(new_layout);
            if !new_block.is_null() {
                ptr::copy_nonoverlapping(block, new_block, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new_block
        }
    }
}
