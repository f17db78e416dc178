// SPDX-License-Identifier: MPL-2.0
//! Memory that tensors lie in: numbers of one type, frame after frame, aligned as the engine's kernels like it.

use std::{cell::UnsafeCell, slice};

use andon_model::ElementType;
use half::f16;
use ort::value::TensorElementType;

/// Types of numbers that go in and come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    F16,
    F64,
    I64,
    I32,
    U8,
    I8,
    Bool,
}

impl Kind {
    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Kind::F64 | Kind::I64 => 8,
            Kind::F32 | Kind::I32 => 4,
            Kind::F16 => 2,
            Kind::U8 | Kind::I8 | Kind::Bool => 1,
        }
    }

    /// As the engine calls it.
    pub fn of(engine: TensorElementType) -> Option<Self> {
        Some(match engine {
            TensorElementType::Float32 => Kind::F32,
            TensorElementType::Float16 => Kind::F16,
            TensorElementType::Float64 => Kind::F64,
            TensorElementType::Int64 => Kind::I64,
            TensorElementType::Int32 => Kind::I32,
            TensorElementType::Uint8 => Kind::U8,
            TensorElementType::Int8 => Kind::I8,
            TensorElementType::Bool => Kind::Bool,
            _ => return None,
        })
    }

    /// The other way round.
    pub fn engine(self) -> TensorElementType {
        match self {
            Kind::F32 => TensorElementType::Float32,
            Kind::F16 => TensorElementType::Float16,
            Kind::F64 => TensorElementType::Float64,
            Kind::I64 => TensorElementType::Int64,
            Kind::I32 => TensorElementType::Int32,
            Kind::U8 => TensorElementType::Uint8,
            Kind::I8 => TensorElementType::Int8,
            Kind::Bool => TensorElementType::Bool,
        }
    }
}

impl From<ElementType> for Kind {
    fn from(element: ElementType) -> Self {
        match element {
            ElementType::F32 => Kind::F32,
            ElementType::F16 => Kind::F16,
            ElementType::F64 => Kind::F64,
            ElementType::I64 => Kind::I64,
            ElementType::I32 => Kind::I32,
            ElementType::U8 => Kind::U8,
            ElementType::I8 => Kind::I8,
            ElementType::Bool => Kind::Bool,
        }
    }
}

/// Numbers that any bytes make.
///
/// # Safety
/// `KIND` is the type's own, and every pattern of its bytes is a value. (`bool` is not one of them.)
pub(super) unsafe trait Number: Copy {
    const KIND: Kind;
}

macro_rules! numbers {
    ($($t:ty => $kind:ident),*) => { $(
        // SAFETY: a plain number; any bytes are one.
        unsafe impl Number for $t {
            const KIND: Kind = Kind::$kind;
        }
    )* };
}

numbers!(f32 => F32, f16 => F16, f64 => F64, i64 => I64, i32 => I32, u8 => U8, i8 => I8);

/// The widest registers read this many bytes at once; a cache line, too.
const ALIGNMENT: usize = 64;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct CacheLine([u8; ALIGNMENT]);

/// Numbers of one type for several frames. Moving it leaves the numbers where they are.
pub(super) struct Memory {
    lines: Box<[UnsafeCell<CacheLine>]>,
    kind: Kind,
    /// Numbers of one frame.
    count: usize,
    frames: usize,
}

// SAFETY: plain bytes. What is reached through a shared reference is only read, but for `slot`, whose callers answer for
// it.
unsafe impl Sync for Memory {}

impl Memory {
    /// Zeros; `count` numbers a frame.
    pub fn new(kind: Kind, count: usize, frames: usize) -> Self {
        let lines = (count * frames * kind.bytes()).div_ceil(ALIGNMENT);
        let lines = (0..lines).map(|_| UnsafeCell::new(CacheLine([0; ALIGNMENT]))).collect();
        Self { lines, kind, count, frames }
    }

    /// The type of its numbers.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it begins: aligned, also where it is empty.
    pub fn start(&self) -> *mut u8 {
        self.lines.as_ptr().cast::<u8>().cast_mut()
    }

    /// The bytes of the first `frames`.
    pub fn bytes(&self, frames: usize) -> usize {
        self.count * frames.min(self.frames) * self.kind.bytes()
    }

    /// Numbers of one frame.
    pub fn frame<T: Number>(&self, frame: usize) -> &[T] {
        let start = self.at::<T>(frame);
        // SAFETY: `at` has checked type and place; nobody writes while this is borrowed, for writers have the memory to
        // themselves or answer for it (`slot`).
        unsafe { slice::from_raw_parts(start, self.count) }
    }

    /// Numbers of one frame, to be written while other frames are.
    ///
    /// # Safety
    /// While the slice lives, nobody else reads or writes this frame's numbers.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slot<T: Number>(&self, frame: usize) -> &mut [T] {
        let start = self.at::<T>(frame);
        // SAFETY: `at` has checked type and place, and the bytes may be written through a shared reference, for they lie
        // in cells; that nobody else does is the caller's word.
        unsafe { slice::from_raw_parts_mut(start, self.count) }
    }

    /// Flags of one frame; none where a byte is neither 0 nor 1.
    pub fn flags(&self, frame: usize) -> Option<&[bool]> {
        assert_eq!(self.kind, Kind::Bool, "these are no flags");
        assert!(frame < self.frames, "there is no such frame");
        // SAFETY: the frame lies within the memory, as was just checked, and a flag has one byte.
        flags(unsafe { slice::from_raw_parts(self.start().add(frame * self.count), self.count) })
    }

    /// Flags of one frame, to be written while other frames are.
    ///
    /// # Safety
    /// The same as of [`Memory::slot`]; and the bytes are flags, as [`Memory::new`] and flags leave them.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn flag_slot(&self, frame: usize) -> &mut [bool] {
        assert_eq!(self.kind, Kind::Bool, "these are no flags");
        assert!(frame < self.frames, "there is no such frame");
        // SAFETY: within the memory, as was just checked; the rest is the caller's word.
        unsafe { slice::from_raw_parts_mut(self.start().add(frame * self.count).cast(), self.count) }
    }

    fn at<T: Number>(&self, frame: usize) -> *mut T {
        assert_eq!(T::KIND, self.kind, "the numbers are read as what they are");
        assert!(frame < self.frames, "there is no such frame");
        // SAFETY: the frame lies within the memory, as was just checked.
        unsafe { self.start().cast::<T>().add(frame * self.count) }
    }
}

/// Bytes as flags, where they are.
pub(super) fn flags(bytes: &[u8]) -> Option<&[bool]> {
    let all = bytes.iter().fold(true, |all, b| all & (*b <= 1));
    // SAFETY: every byte is 0 or 1, which are the two values of `bool`, of the same size.
    all.then(|| unsafe { slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_lie_one_after_the_other_and_begin_aligned() {
        let memory = Memory::new(Kind::F32, 3, 2);
        // SAFETY: nobody else knows of the memory.
        unsafe { memory.slot::<f32>(1) }.copy_from_slice(&[1.0, 2.0, 3.0]);
        assert_eq!((memory.frame::<f32>(0), memory.frame::<f32>(1)), (&[0.0; 3][..], &[1.0, 2.0, 3.0][..]));
        assert_eq!((memory.start() as usize % ALIGNMENT, memory.bytes(1), memory.bytes(9)), (0, 12, 24));
        assert!(Memory::new(Kind::I64, 0, 1).frame::<i64>(0).is_empty());
    }

    #[test]
    #[should_panic(expected = "as what they are")]
    fn numbers_are_not_read_as_another_type() {
        Memory::new(Kind::U8, 4, 1).frame::<i8>(0);
    }

    #[test]
    fn a_byte_that_is_no_flag_is_not_taken_for_one() {
        assert_eq!(flags(&[0, 1]), Some(&[false, true][..]));
        assert_eq!(flags(&[0, 2]), None);
    }
}
