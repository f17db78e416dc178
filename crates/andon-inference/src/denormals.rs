// SPDX-License-Identifier: MPL-2.0
//! Denormal numbers taken for zero on this thread while the engine runs, and the thread's own mode put back after.
//!
//! Activations that fade out become denormal, and a CPU is up to a hundred times slower on those.

/// Flushes denormals until it is dropped. Must be dropped on the thread that made it, which not being `Send` ensures.
pub(super) struct FlushDenormals {
    before: imp::Register,
    not_send: std::marker::PhantomData<*const ()>,
}

impl FlushDenormals {
    pub(super) fn new() -> Self {
        let before = imp::read();
        imp::write(before | imp::FLUSH);
        Self { before, not_send: std::marker::PhantomData }
    }
}

impl Drop for FlushDenormals {
    fn drop(&mut self) {
        imp::write(self.before);
    }
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use std::arch::asm;

    pub(super) type Register = u32;

    /// MXCSR: flush to zero (bit 15), denormals are zero (bit 6).
    pub(super) const FLUSH: Register = 1 << 15 | 1 << 6;

    pub(super) fn read() -> Register {
        let mut value: Register = 0;
        // SAFETY: stores the control register of SSE, which every x86-64 has, into the four bytes of `value`.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack, preserves_flags)) };
        value
    }

    pub(super) fn write(value: Register) {
        // SAFETY: `value` is what `read` gave, with defined bits added, so that no reserved bit is set. The mode is
        // changed around foreign code only; the little Rust arithmetic in between does not depend on denormals.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const value, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod imp {
    use std::arch::asm;

    pub(super) type Register = u64;

    /// FPCR: flush to zero (bit 24), which covers inputs and outputs.
    pub(super) const FLUSH: Register = 1 << 24;

    pub(super) fn read() -> Register {
        let value: Register;
        // SAFETY: reads the floating-point control register, open to user code on every aarch64.
        unsafe { asm!("mrs {}, fpcr", out(reg) value, options(nomem, nostack, preserves_flags)) };
        value
    }

    pub(super) fn write(value: Register) {
        // SAFETY: `value` is what `read` gave, with a defined bit added; changed around foreign code only.
        unsafe { asm!("msr fpcr, {}", in(reg) value, options(nomem, nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod imp {
    pub(super) type Register = u32;
    pub(super) const FLUSH: Register = 0;
    pub(super) fn read() -> Register {
        0
    }
    pub(super) fn write(_: Register) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threads_own_mode_is_put_back() {
        let before = imp::read();
        {
            let _flush = FlushDenormals::new();
            assert_eq!(imp::read(), before | imp::FLUSH);
        }
        assert_eq!(imp::read(), before);
    }
}
