// SPDX-License-Identifier: MPL-2.0
//! The memory of tensors: numbers of one type, frame after frame, aligned for the widest vector instructions.

use std::{cell::UnsafeCell, slice};

use andon_model::ElementType;
use half::f16;
use ort::value::TensorElementType;

/// The types of numbers that inputs and outputs may have.
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
    pub(crate) fn bytes(self) -> usize {
        match self {
            Kind::F64 | Kind::I64 => 8,
            Kind::F32 | Kind::I32 => 4,
            Kind::F16 => 2,
            Kind::U8 | Kind::I8 | Kind::Bool => 1,
        }
    }

    /// The kind of an element type of ONNX Runtime, or `None` if it is not supported.
    pub(crate) fn of(engine: TensorElementType) -> Option<Self> {
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

    /// The element type of ONNX Runtime.
    pub(crate) fn engine(self) -> TensorElementType {
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

/// A type of which any bytes are a number.
///
/// # Safety
/// `KIND` is the type's own, and every pattern of its bytes is a value. (`bool` does not qualify.)
pub(super) unsafe trait Number: Copy {
    const KIND: Kind;
}

macro_rules! numbers {
    ($($t:ty => $kind:ident),*) => { $(
        // SAFETY: a plain number, which any bytes are.
        unsafe impl Number for $t {
            const KIND: Kind = Kind::$kind;
        }
    )* };
}

numbers!(f32 => F32, f16 => F16, f64 => F64, i64 => I64, i32 => I32, u8 => U8, i8 => I8);

/// Bytes of a cache line, which the widest registers read at once.
const ALIGNMENT: usize = 64;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct CacheLine([u8; ALIGNMENT]);

/// Numbers of one type for several frames. Moving the struct leaves the numbers where they are.
pub(super) struct Memory {
    lines: Box<[UnsafeCell<CacheLine>]>,
    kind: Kind,
    /// How many numbers a frame has.
    count: usize,
    frames: usize,
}

// SAFETY: plain bytes. A shared reference only reads, except through `frame_mut` and `flags_mut`, whose callers promise
// that no other thread uses the frame.
unsafe impl Sync for Memory {}

impl Memory {
    /// Zeros, `count` numbers a frame.
    pub(crate) fn new(kind: Kind, count: usize, frames: usize) -> Self {
        let lines = (count * frames * kind.bytes()).div_ceil(ALIGNMENT);
        let lines = (0..lines).map(|_| UnsafeCell::new(CacheLine([0; ALIGNMENT]))).collect();
        Self { lines, kind, count, frames }
    }

    /// The type of the numbers.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The address of the first number. It is aligned even if the memory is empty.
    pub(crate) fn start(&self) -> *mut u8 {
        self.lines.as_ptr().cast::<u8>().cast_mut()
    }

    /// How many bytes the first `frames` frames have.
    pub(crate) fn bytes(&self, frames: usize) -> usize {
        self.count * frames.min(self.frames) * self.kind.bytes()
    }

    /// The numbers of one frame.
    pub(crate) fn frame<T: Number>(&self, frame: usize) -> &[T] {
        let start = self.at::<T>(frame);
        // SAFETY: `at` checked type and place. No thread writes while this is borrowed: writers borrow the memory mutably,
        // or promise it (`frame_mut`).
        unsafe { slice::from_raw_parts(start, self.count) }
    }

    /// The numbers of one frame, to write while other threads write other frames.
    ///
    /// # Safety
    /// While the slice lives, no other thread reads or writes this frame's numbers.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn frame_mut<T: Number>(&self, frame: usize) -> &mut [T] {
        let start = self.at::<T>(frame);
        // SAFETY: `at` checked type and place. The bytes lie in cells, so a shared reference may write them; that no other
        // thread uses them is the caller's promise.
        unsafe { slice::from_raw_parts_mut(start, self.count) }
    }

    /// The flags of one frame, or `None` if a byte is neither 0 nor 1.
    pub(crate) fn flags(&self, frame: usize) -> Option<&[bool]> {
        assert_eq!(self.kind, Kind::Bool, "the memory does not hold flags");
        assert!(frame < self.frames, "there is no such frame");
        // SAFETY: the frame lies within the memory, as checked above, and a flag has one byte.
        flags(unsafe { slice::from_raw_parts(self.start().add(frame * self.count), self.count) })
    }

    /// The flags of one frame, to write while other threads write other frames.
    ///
    /// # Safety
    /// While the slice lives, no other thread reads or writes this frame's flags, and every byte is 0 or 1, as
    /// [`Memory::new`] and writers of flags leave them.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn flags_mut(&self, frame: usize) -> &mut [bool] {
        assert_eq!(self.kind, Kind::Bool, "the memory does not hold flags");
        assert!(frame < self.frames, "there is no such frame");
        // SAFETY: the frame lies within the memory, as checked above; the rest is the caller's promise.
        unsafe { slice::from_raw_parts_mut(self.start().add(frame * self.count).cast(), self.count) }
    }

    fn at<T: Number>(&self, frame: usize) -> *mut T {
        assert_eq!(T::KIND, self.kind, "the numbers are read as what they are");
        assert!(frame < self.frames, "there is no such frame");
        // SAFETY: the frame lies within the memory, as checked above.
        unsafe { self.start().cast::<T>().add(frame * self.count) }
    }
}

/// Returns bytes as flags, or `None` if a byte is neither 0 nor 1.
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
        // SAFETY: no other thread has the memory.
        unsafe { memory.frame_mut::<f32>(1) }.copy_from_slice(&[1.0, 2.0, 3.0]);
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
