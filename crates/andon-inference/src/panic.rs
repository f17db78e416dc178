// SPDX-License-Identifier: MPL-2.0
//! Panics as errors, so that a frame or a model fails and not the process.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// A panic, by its message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("panic: {0}")]
pub struct Panic(String);

/// Runs `run`, and returns a panic in it as an error.
///
/// After a panic, data that `run` was changing may be half changed: use only data that is valid with any content.
pub fn catch_panic<T, E: From<Panic>>(run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(Panic(message(&*panic).into()).into()))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let error = catch_panic::<(), Panic>(|| panic!("at {}", 7)).unwrap_err();
        assert_eq!(error.to_string(), "panic: at 7");
    }
}
