//! Something that is there only while there is something of it: of a process that sleeps, nothing.
//!
//! Owns when the box is made: by the first change. Looked at before that, it is nothing. It goes when it is put away, not by
//! itself, so that what is used all the time is not made anew all the time.

use std::ops::{Deref, DerefMut};

/// What can be nothing.
pub(crate) trait Fold: Sized + Sync + 'static {
    /// Nothing, to be looked at.
    const NOTHING: &'static Self;

    /// Nothing, to become something.
    fn nothing() -> Self;

    /// Whether it is nothing again.
    fn is_nothing(&self) -> bool;
}

/// A box, or nothing.
#[derive(Debug)]
pub(crate) struct Folded<T>(Option<Box<T>>);

impl<T: Fold> Folded<T> {
    /// Frees the box, if nothing is in it.
    pub(crate) fn put_away(&mut self) {
        if self.0.as_ref().is_some_and(|there| there.is_nothing()) {
            self.0 = None;
        }
    }

    /// Whether there is a box.
    #[cfg(test)]
    pub(crate) fn is_there(&self) -> bool {
        self.0.is_some()
    }
}

impl<T> Default for Folded<T> {
    fn default() -> Self {
        Folded(None)
    }
}

impl<T: Fold> Deref for Folded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::NOTHING)
    }
}

impl<T: Fold> DerefMut for Folded<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::nothing()))
    }
}
