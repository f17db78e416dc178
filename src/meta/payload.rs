// SPDX-License-Identifier: MPL-2.0
//! The C side of our metas: a `GstMeta` that carries one Rust value, and the functions GStreamer calls on it.

use std::{
    ffi::{CStr, c_char},
    mem::ManuallyDrop,
    ptr::{self, NonNull},
    sync::{LazyLock, OnceLock},
};

use glib::translate::*;

/// What happens to a buffer on its way, as far as a meta can follow.
pub(super) enum Transform {
    /// Copied, whole.
    Copy,
    /// Scaled from one size to another, pixels.
    Scale([u32; 2], [u32; 2]),
    /// Anything else, a copy of a piece of the memory included.
    Other,
}

/// A value that travels on a buffer.
pub(super) trait Cargo: Sized + Send + Sync + 'static {
    /// Name of the API type.
    const API: &'static CStr;
    /// Name of the implementation.
    const NAME: &'static CStr;
    /// What the value depends on: a transform that touches it asks [`Cargo::follow`], or leaves the meta behind.
    const TAGS: &'static [&'static CStr];

    /// Where the registration is kept, one a type.
    fn registration() -> &'static OnceLock<Registration>;

    /// Puts on `dest` what the value has become; `false` where it cannot follow.
    fn follow(&self, dest: &mut gst::BufferRef, transform: Transform) -> bool;
}

/// A registered meta.
pub(super) struct Registration {
    api: glib::Type,
    info: NonNull<gst::ffi::GstMetaInfo>,
}

// SAFETY: the info is immutable once registered and lives for ever.
unsafe impl Send for Registration {}
// SAFETY: as above.
unsafe impl Sync for Registration {}

/// The name of a copy among transforms.
static COPY: LazyLock<glib::ffi::GQuark> =
    LazyLock::new(|| glib::Quark::from_static_str(glib::gstr!("gst-copy")).into_glib());

/// The C struct: a meta and its value.
#[repr(C)]
pub struct Carrier<T> {
    parent: gst::ffi::GstMeta,
    pub(super) value: T,
}

/// The API type of the meta that carries a `T`.
pub(super) fn api<T: Cargo>() -> glib::Type {
    registered::<T>().api
}

/// Adds a meta with `value` to the buffer.
pub(super) fn add<T: Cargo>(buffer: &mut gst::BufferRef, value: T) {
    let mut value = ManuallyDrop::new(value);
    // SAFETY: the registered `init` moves the value out of this place exactly once, and `ManuallyDrop` keeps it from
    // being dropped here as well. The buffer is writable by `&mut`.
    unsafe {
        let info = registered::<T>().info.as_ptr();
        gst::ffi::gst_buffer_add_meta(buffer.as_mut_ptr(), info, (&raw mut value).cast());
    }
}

fn registered<T: Cargo>() -> &'static Registration {
    T::registration().get_or_init(|| {
        let tags: Vec<*const c_char> = T::TAGS.iter().map(|t| t.as_ptr()).chain([ptr::null()]).collect();
        // SAFETY: names and tags are NUL-terminated, the list of tags ends in NULL, and all are copied by the callee;
        // name, size and functions belong together, and each type is registered once.
        unsafe {
            let api = gst::ffi::gst_meta_api_type_register(T::API.as_ptr(), tags.as_ptr().cast_mut().cast());
            let info = gst::ffi::gst_meta_register(
                api,
                T::NAME.as_ptr(),
                size_of::<Carrier<T>>(),
                Some(init::<T>),
                Some(free::<T>),
                Some(transform::<T>),
            );
            let info = NonNull::new(info.cast_mut()).expect("a meta is registered under its name only once");
            Registration { api: from_glib(api), info }
        }
    })
}

// SAFETY: called by GStreamer on a fresh `Carrier<T>` with the `params` of `add`, which it takes the value from.
unsafe extern "C" fn init<T: Cargo>(
    meta: *mut gst::ffi::GstMeta,
    params: glib::ffi::gpointer,
    _buffer: *mut gst::ffi::GstBuffer,
) -> glib::ffi::gboolean {
    // SAFETY: see above; the field is not initialised yet, so it is written without dropping what was there.
    unsafe { ptr::write(&raw mut (*meta.cast::<Carrier<T>>()).value, ptr::read(params.cast::<T>())) };
    glib::ffi::GTRUE
}

// SAFETY: called by GStreamer once on a `Carrier<T>` that `init` has filled.
unsafe extern "C" fn free<T: Cargo>(meta: *mut gst::ffi::GstMeta, _buffer: *mut gst::ffi::GstBuffer) {
    // SAFETY: see above.
    unsafe { ptr::drop_in_place(&raw mut (*meta.cast::<Carrier<T>>()).value) }
}

// SAFETY: called by GStreamer on a filled `Carrier<T>`, with a writable `dest` and the `data` that `kind` says.
unsafe extern "C" fn transform<T: Cargo>(
    dest: *mut gst::ffi::GstBuffer,
    meta: *mut gst::ffi::GstMeta,
    _buffer: *mut gst::ffi::GstBuffer,
    kind: glib::ffi::GQuark,
    data: glib::ffi::gpointer,
) -> glib::ffi::gboolean {
    // SAFETY: see above; a copy hands over a `GstMetaTransformCopy`, a change of size two video infos.
    unsafe {
        let how = if kind == *COPY {
            match (*data.cast::<gst::ffi::GstMetaTransformCopy>()).region {
                glib::ffi::GFALSE => Transform::Copy,
                _ => Transform::Other,
            }
        } else if kind == gst_video::ffi::gst_video_meta_transform_scale_get_quark() {
            let infos = &*data.cast::<gst_video::ffi::GstVideoMetaTransform>();
            let size = |i: *const gst_video::ffi::GstVideoInfo| [(*i).width.max(1) as u32, (*i).height.max(1) as u32];
            Transform::Scale(size(infos.in_info), size(infos.out_info))
        } else {
            Transform::Other
        };
        let value = &(*meta.cast::<Carrier<T>>()).value;
        value.follow(gst::BufferRef::from_mut_ptr(dest), how).into_glib()
    }
}
