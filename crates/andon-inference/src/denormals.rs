// SPDX-License-Identifier: MPL-2.0
//! Denormal numbers taken for zero while ONNX Runtime computes.
//!
//! Activations that fade out become denormal, and many CPUs compute with those up to a hundred times slower. Two mode
//! bits of the thread make them zero. Rust's code must never run with them set: the documentation of
//! [`std::arch::x86_64::_mm_setcsr`] says that to change the denormals-are-zero mode is immediate undefined behaviour,
//! even if the mode is reset before any floating-point operation, since the compiler may move such operations; it names
//! one way out, an inline assembly block that restores the register before its end. So [`run`] and [`worker`] set the
//! bits, call foreign code, and restore the register within one block of assembly.

use std::ffi::c_void;

use ort::sys::{OrtIoBinding, OrtRunOptions, OrtSession, OrtStatusPtr};

/// ONNX Runtime's `RunWithBinding`.
pub(super) type RunWithBinding =
    unsafe extern "system" fn(*mut OrtSession, *const OrtRunOptions, *const OrtIoBinding) -> OrtStatusPtr;

/// Calls `function` with denormals flushed.
///
/// # Safety
/// The function's own conditions on its arguments.
pub(super) unsafe fn run(
    function: RunWithBinding,
    session: *mut OrtSession,
    options: *const OrtRunOptions,
    binding: *const OrtIoBinding,
) -> OrtStatusPtr {
    // SAFETY: the function takes three pointers, returns one (`OrtStatusPtr` is transparent), and as part of a C API
    // does not unwind. What it calls back, which is the logger alone, does no floating-point arithmetic. Its conditions
    // on the arguments are the caller's.
    OrtStatusPtr(
        unsafe {
            imp::call(function as *const (), [session.cast(), options.cast_mut().cast(), binding.cast_mut().cast()])
        }
        .cast(),
    )
}

/// Work of one of ONNX Runtime's own threads.
pub(super) type Work = Box<dyn FnOnce() + Send>;

/// Does the work of one of ONNX Runtime's threads with denormals flushed, and restores the thread's mode, which ONNX
/// Runtime changes, too, and leaves changed.
pub(super) fn worker(work: Work) {
    extern "C" fn enter(work: *mut Work) {
        // SAFETY: `worker` hands over a box that nothing else uses.
        let work = unsafe { Box::from_raw(work) };
        work();
    }
    let work = Box::into_raw(Box::new(work)).cast::<c_void>();
    // SAFETY: `enter` reads the first of the pointers, and its result is not used. It does not unwind: a panic aborts
    // at its edge. The work is ort's closure that passes one pointer on to ONNX Runtime's loop: the only Rust code that
    // runs in this mode, and no floating-point arithmetic.
    unsafe { imp::call(enter as *const (), [work, std::ptr::null_mut(), std::ptr::null_mut()]) };
}

/// Restores the thread's mode after `load`: ONNX Runtime changes the mode of the thread that creates the first session
/// of a process, and returns without restoring it.
pub(super) fn restored<T>(load: impl FnOnce() -> T) -> T {
    let before = imp::read();
    let loaded = load();
    // SAFETY: this is the mode that Rust's code ran in before.
    unsafe { imp::restore(before) };
    loaded
}

#[cfg(all(target_arch = "x86_64", not(windows)))]
mod imp {
    use std::{arch::asm, ffi::c_void};

    /// MXCSR: flush to zero (bit 15), denormals are zero (bit 6).
    pub(super) const FLUSH: u32 = 1 << 15 | 1 << 6;

    /// Calls a function with denormals flushed.
    ///
    /// # Safety
    /// `function` takes three pointers and returns one or nothing, by the C calling convention, and does not unwind; its
    /// conditions on the arguments hold.
    pub(super) unsafe fn call(function: *const (), arguments: [*mut c_void; 3]) -> *mut c_void {
        let before = read();
        let modes = [before, before | FLUSH];
        let result;
        // SAFETY: the flushing mode is set and the mode before is restored within this block, which is what std asks
        // for. Only defined bits are added to MXCSR, so that loading it does not fault. The block has no `nostack`, so
        // the stack is aligned for a call; R12 survives the call by the convention, and all that the convention lets a
        // function change is declared as clobbered. The rest is the caller's promise.
        unsafe {
            asm!(
                "ldmxcsr [r12 + 4]",
                "call {function}",
                "ldmxcsr [r12]",
                function = in(reg) function,
                in("r12") modes.as_ptr(),
                in("rdi") arguments[0],
                in("rsi") arguments[1],
                in("rdx") arguments[2],
                out("rax") result,
                clobber_abi("sysv64"),
            );
        }
        result
    }

    /// The mode of this thread.
    pub(super) fn read() -> u32 {
        let mut mode = 0_u32;
        // SAFETY: stores MXCSR, which every x86-64 CPU has, into the four bytes of `mode`.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mode, options(nostack, preserves_flags)) };
        mode
    }

    /// Sets the mode of this thread.
    ///
    /// # Safety
    /// Rust's code has run in this mode on this thread.
    pub(super) unsafe fn restore(mode: u32) {
        // SAFETY: `read` returned this mode, so no reserved bit is set; that Rust may run in it is the caller's promise.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mode, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod imp {
    use std::{arch::asm, ffi::c_void};

    /// FPCR: flush to zero (bit 24), which covers inputs and outputs.
    #[cfg(test)]
    pub(super) const FLUSH: u64 = 1 << 24;

    /// Calls a function with denormals flushed.
    ///
    /// # Safety
    /// `function` takes three pointers and returns one or nothing, by the C calling convention, and does not unwind; its
    /// conditions on the arguments hold.
    pub(super) unsafe fn call(function: *const (), arguments: [*mut c_void; 3]) -> *mut c_void {
        let result;
        // SAFETY: the flushing mode is set and the mode before is restored within this block. The stack of AArch64 is
        // always aligned for a call; X20 survives the call by the convention, and all that the convention lets a function
        // change is declared as clobbered. The rest is the caller's promise.
        unsafe {
            asm!(
                "mrs x20, fpcr",
                "orr x21, x20, #0x1000000",
                "msr fpcr, x21",
                "blr {function}",
                "msr fpcr, x20",
                function = in(reg) function,
                inout("x0") arguments[0] => result,
                in("x1") arguments[1],
                in("x2") arguments[2],
                out("x20") _,
                out("x21") _,
                clobber_abi("C"),
            );
        }
        result
    }

    /// The mode of this thread.
    pub(super) fn read() -> u64 {
        let mode: u64;
        // SAFETY: reads the floating-point control register, which is open to user code on every AArch64 CPU.
        unsafe { asm!("mrs {}, fpcr", out(reg) mode, options(nomem, nostack, preserves_flags)) };
        mode
    }

    /// Sets the mode of this thread.
    ///
    /// # Safety
    /// Rust's code has run in this mode on this thread.
    pub(super) unsafe fn restore(mode: u64) {
        // SAFETY: `read` returned this mode; that Rust may run in it is the caller's promise.
        unsafe { asm!("msr fpcr, {}", in(reg) mode, options(nomem, nostack, preserves_flags)) };
    }
}

/// On other machines denormals stay.
#[cfg(not(any(all(target_arch = "x86_64", not(windows)), target_arch = "aarch64")))]
mod imp {
    use std::ffi::c_void;

    /// Calls a function.
    ///
    /// # Safety
    /// `function` takes three pointers and returns one or nothing, by the C calling convention, and does not unwind; its
    /// conditions on the arguments hold.
    pub(super) unsafe fn call(function: *const (), [a, b, c]: [*mut c_void; 3]) -> *mut c_void {
        type Function = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_void) -> *mut c_void;
        // SAFETY: the caller promises the type.
        let function: Function = unsafe { std::mem::transmute(function) };
        // SAFETY: the caller promises it.
        unsafe { function(a, b, c) }
    }

    pub(super) fn read() {}

    /// # Safety
    /// None.
    pub(super) unsafe fn restore((): ()) {}
}

#[cfg(all(test, any(all(target_arch = "x86_64", not(windows)), target_arch = "aarch64")))]
mod tests {
    use super::*;

    /// Returns the mode that it is called in, and checks that its arguments arrive.
    #[cfg(target_arch = "x86_64")]
    #[unsafe(naked)]
    extern "C" fn mode(_: *mut c_void, _: *mut c_void, _: *mut c_void) -> *mut c_void {
        std::arch::naked_asm!(
            "sub rsp, 8",
            "stmxcsr [rsp]",
            "mov eax, [rsp]",
            "add rsp, 8",
            "add rax, rdi",
            "add rax, rsi",
            "add rax, rdx",
            "ret"
        )
    }

    #[cfg(target_arch = "aarch64")]
    #[unsafe(naked)]
    extern "C" fn mode(_: *mut c_void, _: *mut c_void, _: *mut c_void) -> *mut c_void {
        std::arch::naked_asm!("mrs x3, fpcr", "add x0, x0, x1", "add x0, x0, x2", "add x0, x0, x3", "ret")
    }

    #[test]
    fn denormals_are_flushed_within_the_call_alone() {
        let before = imp::read();
        let at = |n: usize| std::ptr::without_provenance_mut(n << 32);
        // SAFETY: the function takes three pointers, which it does not follow, and returns one.
        let within = unsafe { imp::call(mode as *const (), [at(1), at(2), at(4)]) };
        assert_eq!(within.addr(), 7 << 32 | (before | imp::FLUSH) as usize);
        assert_eq!(imp::read(), before);
    }

    #[test]
    fn a_workers_thread_gets_its_own_mode_back() {
        let (before, (send, receive)) = (imp::read(), std::sync::mpsc::channel());
        worker(Box::new(move || send.send(imp::read()).expect("it is received below")));
        assert_eq!(receive.recv(), Ok(before | imp::FLUSH));
        assert_eq!(imp::read(), before);
    }

    /// Sets the flushing mode and leaves it set, as ONNX Runtime does when it creates the first session.
    #[cfg(target_arch = "x86_64")]
    #[unsafe(naked)]
    extern "C" fn spoil() {
        std::arch::naked_asm!(
            "sub rsp, 8",
            "stmxcsr [rsp]",
            "or dword ptr [rsp], 0x8040",
            "ldmxcsr [rsp]",
            "add rsp, 8",
            "ret"
        )
    }

    #[cfg(target_arch = "aarch64")]
    #[unsafe(naked)]
    extern "C" fn spoil() {
        std::arch::naked_asm!("mrs x0, fpcr", "orr x0, x0, #0x1000000", "msr fpcr, x0", "ret")
    }

    #[test]
    fn loading_leaves_the_mode_as_it_was() {
        let before = imp::read();
        let within = restored(|| {
            spoil();
            imp::read()
        });
        assert_eq!((within, imp::read()), (before | imp::FLUSH, before));
    }
}
