// SPDX-License-Identifier: MPL-2.0
//! The loads of this process, and its end while one is under way or was left behind.
//!
//! `exit` takes ONNX Runtime's tables down while a thread that cannot be stopped still reads them, and the process may crash
//! (seen once in 40 ends, with a graph whose constants take hours to fold). So before that happens, the process ends at once,
//! with the status that it was to have and with its output written. What was registered by `atexit` before ONNX Runtime was
//! loaded is not called then; a crash would not call it either.

use std::io::Write as _;

use andon_core::aside::Room;

/// The loads of this process. One that does not end is left behind: ONNX Runtime cannot be stopped while it reads a graph,
/// and nothing stops a disk that does not answer. Each keeps its memory, so no more are begun once eight have not ended.
pub static LOADS: Room = Room::new(8);

/// Looks after the end of this process. Called when the library of ONNX Runtime is in the process, and once more when its
/// environment is made, which registers ends of its own: what is registered last comes first.
pub(super) fn guard() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the function is one of this library, which is never unloaded, and takes what `on_exit` gives.
    unsafe {
        glibc::on_exit(glibc::end, std::ptr::null_mut());
    }
}

/// Ends this process at once, with its output written, as `exit` does not while a model loads or a pipeline hangs. For programs;
/// what they registered by `atexit` is not called.
pub fn leave(status: i32) -> ! {
    let _ = std::io::stdout().flush();
    // SAFETY: it writes what all streams of C hold; `_exit` then ends the process without touching anything else.
    unsafe {
        libc::fflush(std::ptr::null_mut());
        libc::_exit(status)
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::ffi::{c_int, c_void};

    use super::{LOADS, leave};

    unsafe extern "C" {
        pub(super) fn on_exit(end: extern "C" fn(c_int, *mut c_void), of: *mut c_void) -> c_int;
    }

    pub(super) extern "C" fn end(status: c_int, _: *mut c_void) {
        if LOADS.is_busy() {
            leave(status);
        }
    }
}
