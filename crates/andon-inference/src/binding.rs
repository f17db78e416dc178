// SPDX-License-Identifier: MPL-2.0
//! The engine's inputs and outputs bound to memory once, and run from then on without anything being made anew.
//!
//! ort's own `Session::run_binding` asks for the session alone, since some execution providers did not stand several
//! runs at a time; here several lanes share a session, so this calls ONNX Runtime's C API beneath it. Its
//! documentation says of a session that `Run` may be called by several threads at once; providers where that is not
//! beyond doubt run one at a time (see `Engine::gate`).

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

use super::memory::{Kind, Memory, Number, flags};

type Result<T> = ort::Result<T>;

/// Calls a function of the C API, and gives its error back as ort's.
macro_rules! call {
    ($function:ident($($argument:expr),* $(,)?)) => {
        // The callers say why this is sound.
        Error::result_from_status((ort::api().$function)($($argument),*))
    };
}

/// The first frames of a [`Memory`] as the engine sees them.
struct View(NonNull<sys::OrtValue>);

impl View {
    /// Of `shape`, with as many frames along the first axis as are meant.
    ///
    /// # Safety
    /// The memory must outlive the view.
    unsafe fn new(memory: &Memory, shape: &[i64], frames: usize) -> Result<Self> {
        let info = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::Default)?;
        let kind = ONNXTensorElementDataType::from(memory.kind().engine());
        let mut value = ptr::null_mut();
        // SAFETY: all pointers live through the call, which copies shape and info; that the memory outlives the value
        // is the caller's word.
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
        Ok(Self(NonNull::new(value).ok_or_else(|| Error::new("no tensor was made"))?))
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: it was made by the C API, and is released once.
        unsafe { (ort::api().ReleaseValue)(self.0.as_ptr()) };
    }
}

/// What an input is called and where it lies.
pub(super) struct In<'a> {
    pub name: &'a CStr,
    pub memory: &'a Memory,
    /// With the batch axis.
    pub shape: &'a [i64],
}

/// What an output is called, and where it is to be put; without a place the engine makes one each run.
pub(super) struct Out<'a> {
    pub name: &'a CStr,
    pub place: Option<(&'a Memory, &'a [i64])>,
}

/// What the engine made a place for in the last run.
#[derive(Default)]
struct Made {
    /// None before the first run.
    value: Option<View>,
    /// Its numbers.
    data: *const u8,
    /// None where it is of a type that is not read here.
    kind: Option<Kind>,
    shape: Vec<i64>,
}

/// Inputs and outputs of one session, bound to memory.
pub(super) struct Binding {
    /// Before the views: it holds on to them.
    binding: IoBinding,
    inputs: Vec<View>,
    /// Kept for the binding's sake.
    _outputs: Vec<Option<View>>,
    /// By output; none where it has a place of its own.
    made: Vec<Option<Made>>,
    cpu: MemoryInfo<'static>,
    allocator: Allocator,
}

// SAFETY: the C API's objects behind the pointers are bound to no thread; shared references only read.
unsafe impl Send for Binding {}
// SAFETY: as above.
unsafe impl Sync for Binding {}

impl Binding {
    /// Binds all inputs, and the outputs that are to be read.
    ///
    /// # Safety
    /// The memories must outlive the binding, and stay where they are.
    pub unsafe fn new(session: &Session, frames: usize, inputs: &[In<'_>], outputs: &[Out<'_>]) -> Result<Self> {
        let binding = session.create_binding()?;
        let cpu = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::Default)?;
        let at = binding.ptr().cast_mut();
        let mut this = Self {
            binding,
            inputs: Vec::new(),
            _outputs: Vec::new(),
            made: Vec::new(),
            cpu,
            allocator: Allocator::default(),
        };
        for input in inputs {
            // SAFETY: the caller's word.
            let view = unsafe { View::new(input.memory, input.shape, frames)? };
            // SAFETY: binding, name and value live through the call; the binding holds on to the value's tensor.
            unsafe { call!(BindInput(at, input.name.as_ptr(), view.0.as_ptr()))? };
            this.inputs.push(view);
        }
        for output in outputs {
            let Some((memory, shape)) = output.place else {
                // SAFETY: as above, and the call copies what it needs of the description of memory.
                unsafe { call!(BindOutputToDevice(at, output.name.as_ptr(), this.cpu.ptr()))? };
                this._outputs.push(None);
                this.made.push(Some(Made::default()));
                continue;
            };
            // SAFETY: as above.
            let view = unsafe { View::new(memory, shape, frames)? };
            // SAFETY: as above.
            unsafe { call!(BindOutput(at, output.name.as_ptr(), view.0.as_ptr()))? };
            this._outputs.push(Some(view));
            this.made.push(None);
        }
        Ok(this)
    }

    /// Runs the session on what lies in the inputs; then all outputs are there. `names` are the outputs', in the order
    /// they were bound in.
    ///
    /// `devices` has the inputs bound anew first: a provider with memory of its own copies them then, and only then.
    ///
    /// # Safety
    /// While it runs, nobody else reads the outputs' memory or writes the inputs'.
    pub unsafe fn run(
        &mut self,
        session: &Session,
        options: &RunOptions,
        devices: Option<&[impl AsRef<CStr>]>,
        names: &[impl AsRef<CStr>],
    ) -> Result<()> {
        let at = self.binding.ptr().cast_mut();
        for (view, name) in self.inputs.iter().zip(devices.unwrap_or_default()) {
            // SAFETY: all three live through the call.
            unsafe { call!(BindInput(at, name.as_ref().as_ptr(), view.0.as_ptr()))? };
        }
        for (made, name) in self.made.iter_mut().zip(names).filter_map(|(m, n)| Some((m.as_mut()?, n))) {
            made.clear();
            // SAFETY: as above. Without this the next run would want the place of the last one to fit.
            unsafe { call!(BindOutputToDevice(at, name.as_ref().as_ptr(), self.cpu.ptr()))? };
        }
        // SAFETY: session, options and binding live through the call. The binding is this caller's alone (`&mut`), the
        // options are only read by a run but for their flag to end it, which is made for other threads; and the session
        // may run on several threads at once, as the head of this file says. Unlike ort's wrapper this does not take
        // `&mut Session`, which would keep frames of other lanes waiting.
        unsafe { call!(RunWithBinding(session.ptr().cast_mut(), options.ptr(), at))? };
        if self.made.iter().any(Option::is_some) { self.collect() } else { Ok(()) }
    }

    /// Fetches what the engine made.
    fn collect(&mut self) -> Result<()> {
        let (mut values, mut count) = (ptr::null_mut(), 0);
        let allocator = self.allocator.ptr().cast_mut();
        // SAFETY: the call writes a fresh array of `count` fresh values, which are this caller's from then on.
        unsafe { call!(GetBoundOutputValues(self.binding.ptr(), allocator, &mut values, &mut count))? };
        if values.is_null() {
            return Err(Error::new("the run left no outputs"));
        }
        // SAFETY: as just said.
        let all = unsafe { slice::from_raw_parts(values, count) };
        let mut result = Ok(());
        for (value, made) in all.iter().zip(&mut self.made) {
            let value = NonNull::new(*value).map(View);
            if let (Some(made), Some(value), Ok(())) = (made, value, &result) {
                result = made.take(value);
            }
        }
        // SAFETY: the array came from this allocator, and nothing of it is used from here on.
        unsafe { call!(AllocatorFree(allocator, values.cast()))? };
        result
    }

    /// Type and shape of an output that the engine made a place for; none where it is of a type that is not read here.
    pub fn face(&self, output: usize) -> Option<(Kind, &[i64])> {
        let made = self.made[output].as_ref().expect("this output has no place of its own");
        Some((made.kind?, &made.shape))
    }

    /// `count` numbers of an output that the engine made a place for; none where there are not as many, or of another
    /// type.
    pub fn made<T: Number>(&self, output: usize, start: usize, count: usize) -> Option<&[T]> {
        let made = self.made[output].as_ref().filter(|m| m.kind == Some(T::KIND) && m.holds(start, count))?;
        if count == 0 {
            return Some(&[]);
        }
        // SAFETY: the place holds so many numbers of that type, lives as long as `made`, and nobody writes it.
        Some(unsafe { slice::from_raw_parts(made.data.cast::<T>().add(start), count) })
    }

    /// The same of flags.
    pub fn made_flags(&self, output: usize, start: usize, count: usize) -> Option<&[bool]> {
        let made = self.made[output].as_ref().filter(|m| m.kind == Some(Kind::Bool) && m.holds(start, count))?;
        if count == 0 {
            return Some(&[]);
        }
        // SAFETY: as above; a flag has one byte.
        flags(unsafe { slice::from_raw_parts(made.data.add(start), count) })
    }
}

impl Made {
    fn clear(&mut self) {
        (self.value, self.data, self.kind) = (None, ptr::null(), None);
        self.shape.clear();
    }

    fn take(&mut self, value: View) -> Result<()> {
        let (mut info, mut data) = (ptr::null_mut(), ptr::null_mut());
        let (mut kind, mut rank) = (ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED, 0);
        // SAFETY: the first call refuses what is no tensor; from then on all pointers live through the calls, `shape`
        // has the room that is told, and `info` is released once, whatever else fails.
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
