// SPDX-License-Identifier: MPL-2.0
//! Inputs and outputs of a session, bound to memory once, so that a run allocates nothing.
//!
//! ort's own `Session::run_binding` needs exclusive access to the session, since some execution providers did not support
//! several runs at a time. Here several execution contexts share a session, so this calls ONNX Runtime's C API. The API's
//! documentation says that several threads may call `Run` on a session at once; providers for which that is in doubt run
//! one at a time (see `Engine::gate`).

use std::{
    ffi::CStr,
    ptr::{self, NonNull},
    slice,
};

use ort::{
    AsPointer, Error,
    memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType},
    session::{IoBinding, RunOptions, Session},
    sys::{self, ONNXTensorElementDataType},
};

use crate::{
    denormals,
    memory::{Kind, Memory, Number, flags},
};

type Result<T> = ort::Result<T>;

/// Calls a function of the C API, and returns its status as an error of ort.
macro_rules! call {
    ($function:ident($($argument:expr),* $(,)?)) => {
        // Each call says why it is sound.
        Error::result_from_status((ort::api().$function)($($argument),*))
    };
}

/// The first frames of a [`Memory`] as a value of ONNX Runtime.
struct View(NonNull<sys::OrtValue>);

impl View {
    /// A value of `shape`, whose first axis counts all `frames`.
    ///
    /// # Safety
    /// The memory must outlive the view.
    unsafe fn new(memory: &Memory, shape: &[i64], frames: usize) -> Result<Self> {
        let info = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::Default)?;
        let kind = ONNXTensorElementDataType::from(memory.kind().engine());
        let mut value = ptr::null_mut();
        // SAFETY: all pointers live through the call, which copies shape and info; that the memory outlives the value
        // is the caller's promise.
        unsafe {
            call!(CreateTensorWithDataAsOrtValue(
                info.ptr(),
                memory.start().cast(),
                memory.bytes(frames),
                shape.as_ptr(),
                shape.len(),
                kind,
                &mut value
            ))?;
        }
        Ok(Self(NonNull::new(value).ok_or_else(|| Error::new("ONNX Runtime created no tensor"))?))
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: the C API created it, and it is released once.
        unsafe { (ort::api().ReleaseValue)(self.0.as_ptr()) };
    }
}

/// An input to bind: its name and its memory.
pub(super) struct BoundInput<'a> {
    pub name: &'a CStr,
    pub memory: &'a Memory,
    /// Includes the batch axis.
    pub shape: &'a [i64],
}

/// An output to bind: its name and its memory. ONNX Runtime allocates an output without a place in each run.
pub(super) struct BoundOutput<'a> {
    pub name: &'a CStr,
    pub place: Option<(&'a Memory, &'a [i64])>,
}

/// An output that ONNX Runtime allocates in each run.
#[derive(Default)]
struct Allocated {
    /// `None` before the first run.
    value: Option<View>,
    /// The address of its numbers.
    data: *const u8,
    /// `None` if its type is not supported.
    kind: Option<Kind>,
    shape: Vec<i64>,
}

/// Inputs and outputs of one session, bound to memory.
pub(super) struct Binding {
    /// Before the views, which it refers to.
    binding: IoBinding,
    inputs: Vec<View>,
    /// Kept alive for the binding.
    _outputs: Vec<Option<View>>,
    /// By output; `None` if it has a place of its own.
    allocated: Vec<Option<Allocated>>,
    cpu: MemoryInfo<'static>,
    allocator: Allocator,
}

// SAFETY: the objects of the C API behind the pointers belong to no thread, and shared references only read.
unsafe impl Send for Binding {}
// SAFETY: the objects of the C API behind the pointers belong to no thread, and shared references only read.
unsafe impl Sync for Binding {}

impl Binding {
    /// Binds all inputs, and the outputs to read.
    ///
    /// # Safety
    /// The memories must outlive the binding, and stay where they are.
    pub(crate) unsafe fn new(
        session: &Session,
        frames: usize,
        inputs: &[BoundInput<'_>],
        outputs: &[BoundOutput<'_>],
    ) -> Result<Self> {
        let binding = session.create_binding()?;
        let cpu = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::Default)?;
        let at = binding.ptr().cast_mut();
        let mut this = Self {
            binding,
            inputs: Vec::new(),
            _outputs: Vec::new(),
            allocated: Vec::new(),
            cpu,
            allocator: Allocator::default(),
        };
        for input in inputs {
            // SAFETY: the caller promises it.
            let view = unsafe { View::new(input.memory, input.shape, frames)? };
            // SAFETY: binding, name and value live through the call; the binding keeps the value's tensor alive.
            unsafe { call!(BindInput(at, input.name.as_ptr(), view.0.as_ptr()))? };
            this.inputs.push(view);
        }
        for output in outputs {
            let Some((memory, shape)) = output.place else {
                // SAFETY: binding and name live through the call, which copies what it needs of the memory's description.
                unsafe { call!(BindOutputToDevice(at, output.name.as_ptr(), this.cpu.ptr()))? };
                this._outputs.push(None);
                this.allocated.push(Some(Allocated::default()));
                continue;
            };
            // SAFETY: the caller promises it.
            let view = unsafe { View::new(memory, shape, frames)? };
            // SAFETY: binding, name and value live through the call; the binding keeps the value's tensor alive.
            unsafe { call!(BindOutput(at, output.name.as_ptr(), view.0.as_ptr()))? };
            this._outputs.push(Some(view));
            this.allocated.push(None);
        }
        Ok(this)
    }

    /// Runs the session on the inputs; then all outputs are there. `names` are those of the outputs, in the order in
    /// which they were bound.
    ///
    /// With `devices`, the names of the inputs, it first binds the inputs again: a provider with memory of its own copies
    /// them when they are bound, and only then.
    ///
    /// # Safety
    /// During the run no other thread reads the outputs' memory or writes the inputs'.
    pub(crate) unsafe fn run(
        &mut self,
        session: &Session,
        options: &RunOptions,
        devices: Option<&[impl AsRef<CStr>]>,
        names: &[impl AsRef<CStr>],
    ) -> Result<()> {
        let at = self.binding.ptr().cast_mut();
        for (view, name) in self.inputs.iter().zip(devices.unwrap_or_default()) {
            // SAFETY: binding, name and value live through the call.
            unsafe { call!(BindInput(at, name.as_ref().as_ptr(), view.0.as_ptr()))? };
        }
        for (output, name) in self.allocated.iter_mut().zip(names).filter_map(|(o, n)| Some((o.as_mut()?, n))) {
            output.clear();
            // SAFETY: all three live through the call. Without it the next run would need an output of the same shape.
            unsafe { call!(BindOutputToDevice(at, name.as_ref().as_ptr(), self.cpu.ptr()))? };
        }
        let function = ort::api().RunWithBinding;
        // SAFETY: session, options and binding live through the call. The binding is exclusive (`&mut`). A run only reads
        // the options, except for the flag that ends it, which other threads may set. Several threads may run the session
        // at once, as the head of this file says.
        let status = unsafe { denormals::run(function, session.ptr().cast_mut(), options.ptr(), at) };
        // SAFETY: the status is fresh, and released once.
        unsafe { Error::result_from_status(status)? };
        if self.allocated.iter().any(Option::is_some) { self.collect() } else { Ok(()) }
    }

    /// Fetches the outputs that ONNX Runtime allocated.
    fn collect(&mut self) -> Result<()> {
        let (mut values, mut count) = (ptr::null_mut(), 0);
        let allocator = self.allocator.ptr().cast_mut();
        // SAFETY: the call writes a fresh array of `count` fresh values, which belong to the caller.
        unsafe { call!(GetBoundOutputValues(self.binding.ptr(), allocator, &mut values, &mut count))? };
        if values.is_null() {
            return Err(Error::new("the run left no outputs"));
        }
        // SAFETY: the call above wrote the array.
        let all = unsafe { slice::from_raw_parts(values, count) };
        let mut result = Ok(());
        for (value, output) in all.iter().zip(&mut self.allocated) {
            let value = NonNull::new(*value).map(View);
            if let (Some(output), Some(value), Ok(())) = (output, value, &result) {
                result = output.take(value);
            }
        }
        // SAFETY: the array came from this allocator, and is not used any more.
        unsafe { call!(AllocatorFree(allocator, values.cast()))? };
        result
    }

    /// Type and shape of an output that ONNX Runtime allocated, or `None` if its type is not supported.
    pub(crate) fn allocated(&self, output: usize) -> Option<(Kind, &[i64])> {
        let output = self.allocated[output].as_ref().expect("this output has no place of its own");
        Some((output.kind?, &output.shape))
    }

    /// `count` numbers of an output that ONNX Runtime allocated, or `None` if it has fewer, or another type.
    pub(crate) fn numbers<T: Number>(&self, output: usize, start: usize, count: usize) -> Option<&[T]> {
        let output = self.allocated[output].as_ref().filter(|o| o.kind == Some(T::KIND) && o.holds(start, count))?;
        if count == 0 {
            return Some(&[]);
        }
        // SAFETY: the output holds so many numbers of that type, lives as long as `output`, and no thread writes it.
        Some(unsafe { slice::from_raw_parts(output.data.cast::<T>().add(start), count) })
    }

    /// `count` flags of an output that ONNX Runtime allocated, or `None` if it has fewer, or another type.
    pub(crate) fn flags(&self, output: usize, start: usize, count: usize) -> Option<&[bool]> {
        let output = self.allocated[output].as_ref().filter(|o| o.kind == Some(Kind::Bool) && o.holds(start, count))?;
        if count == 0 {
            return Some(&[]);
        }
        // SAFETY: the output holds so many flags of a byte each, lives as long as `output`, and no thread writes it.
        flags(unsafe { slice::from_raw_parts(output.data.add(start), count) })
    }
}

impl Allocated {
    fn clear(&mut self) {
        (self.value, self.data, self.kind) = (None, ptr::null(), None);
        self.shape.clear();
    }

    fn take(&mut self, value: View) -> Result<()> {
        let (mut info, mut data) = (ptr::null_mut(), ptr::null_mut());
        let (mut kind, mut rank) = (ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED, 0);
        // SAFETY: the first call refuses a value that is not a tensor. From then on all pointers live through the calls,
        // `shape` has room for `rank` numbers, and `info` is released once, whatever else fails.
        unsafe {
            call!(GetTensorTypeAndShape(value.0.as_ptr(), &mut info))?;
            let read = (|| {
                call!(GetTensorElementType(info, &mut kind))?;
                call!(GetDimensionsCount(info, &mut rank))?;
                self.shape.resize(rank, 0);
                call!(GetDimensions(info, self.shape.as_mut_ptr(), rank))?;
                call!(GetTensorMutableData(value.0.as_ptr(), &mut data))
            })();
            (ort::api().ReleaseTensorTypeAndShapeInfo)(info);
            read?;
        }
        (self.value, self.data, self.kind) = (Some(value), data.cast(), Kind::of(kind.into()));
        Ok(())
    }

    fn holds(&self, start: usize, count: usize) -> bool {
        let all: i64 = self.shape.iter().product();
        self.value.is_some() && start.checked_add(count).is_some_and(|end| end as i64 <= all)
    }
}
