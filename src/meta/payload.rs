// SPDX-License-Identifier: MPL-2.0
//! The C side of Andon's metas: a `GstMeta` that carries one Rust value, and the functions that GStreamer calls on it.
//!
//! All `unsafe` code of Andon's own metas is in this file. A meta is a [`Payload`] for its value, and [`PayloadMeta`] is the
//! face.

use std::{
    ffi::{CStr, c_char},
    mem::ManuallyDrop,
    ptr::{self, NonNull},
    sync::{LazyLock, OnceLock},
};

use glib::translate::*;
use gst::prelude::*;

/// A transform of a buffer, as far as metas know of it.
pub(super) enum Transform {
    /// A copy of the whole buffer.
    Copy,
    /// A change from one size to another, pixels.
    Scale([u32; 2], [u32; 2]),
    /// Any other, such as a copy of a piece of the memory.
    Other,
}

/// A value that travels on a buffer.
pub(super) trait Payload: Sized + Send + Sync + 'static {
    /// Name of the API type.
    const API: &'static CStr;
    /// Name of the implementation.
    const NAME: &'static CStr;
    /// What the value depends on. A transform that touches it calls [`Payload::transform`], or leaves the meta behind.
    const TAGS: &'static [&'static CStr];

    /// Returns the place of the registration. Each type has its own.
    fn registration() -> &'static OnceLock<Registration>;

    /// Puts the transformed value on `dest`. Returns `false` if the value cannot be transformed.
    fn transform(&self, dest: &mut gst::BufferRef, transform: Transform) -> bool;
}

/// A registered meta.
pub(super) struct Registration {
    api: glib::Type,
    info: NonNull<gst::ffi::GstMetaInfo>,
}

// SAFETY: the info never changes after the registration, and is never freed.
unsafe impl Send for Registration {}
// SAFETY: as for `Send`.
unsafe impl Sync for Registration {}

/// The name of a copy among transforms.
static COPY: LazyLock<glib::ffi::GQuark> =
    LazyLock::new(|| glib::Quark::from_static_str(glib::gstr!("gst-copy")).into_glib());

/// A `GstMeta` and the value that it carries.
#[repr(C)]
pub struct PayloadMeta<T> {
    parent: gst::ffi::GstMeta,
    pub(super) value: T,
}

// SAFETY: the value is `Send`, and the pointers in `parent` lead to the registered info only.
unsafe impl<T: Payload> Send for PayloadMeta<T> {}
// SAFETY: the value is `Sync`; `parent` is not changed while the meta is on a buffer.
unsafe impl<T: Payload> Sync for PayloadMeta<T> {}

// SAFETY: GStreamer allocates a meta of this API with the size of `PayloadMeta<T>`, which begins with a `GstMeta`.
unsafe impl<T: Payload> MetaAPI for PayloadMeta<T> {
    type GstType = Self;

    fn meta_api() -> glib::Type {
        registered::<T>().api
    }
}

/// Adds a meta with `value` to the buffer.
pub(super) fn add<T: Payload>(buffer: &mut gst::BufferRef, value: T) {
    let mut value = ManuallyDrop::new(value);
    // SAFETY: the registered `init` moves the value out of this place exactly once, and `ManuallyDrop` keeps it from
    // being dropped here as well. The buffer is writable by `&mut`.
    unsafe {
        let info = registered::<T>().info.as_ptr();
        gst::ffi::gst_buffer_add_meta(buffer.as_mut_ptr(), info, (&raw mut value).cast());
    }
}

fn registered<T: Payload>() -> &'static Registration {
    T::registration().get_or_init(|| {
        let tags: Vec<*const c_char> = T::TAGS.iter().map(|t| t.as_ptr()).chain([ptr::null()]).collect();
        // SAFETY: names and tags are NUL-terminated, the list of tags ends in NULL, and the callee copies them all.
        // Name, size and functions belong to `PayloadMeta<T>`, and each type is registered once.
        unsafe {
            let api = gst::ffi::gst_meta_api_type_register(T::API.as_ptr(), tags.as_ptr().cast_mut().cast());
            let info = gst::ffi::gst_meta_register(
                api,
                T::NAME.as_ptr(),
                size_of::<PayloadMeta<T>>(),
                Some(init::<T>),
                Some(free::<T>),
                Some(transform::<T>),
            );
            let info = NonNull::new(info.cast_mut()).expect("a meta is registered under its name only once");
            Registration { api: from_glib(api), info }
        }
    })
}

// SAFETY: GStreamer calls it on a fresh `PayloadMeta<T>` with the `params` of `add`, from which it moves the value.
unsafe extern "C" fn init<T: Payload>(
    meta: *mut gst::ffi::GstMeta,
    params: glib::ffi::gpointer,
    _buffer: *mut gst::ffi::GstBuffer,
) -> glib::ffi::gboolean {
    // SAFETY: the field is not initialised yet, so `write` is right, which drops nothing.
    unsafe { ptr::write(&raw mut (*meta.cast::<PayloadMeta<T>>()).value, ptr::read(params.cast::<T>())) };
    glib::ffi::GTRUE
}

// SAFETY: GStreamer calls it once on a `PayloadMeta<T>` that `init` has filled.
unsafe extern "C" fn free<T: Payload>(meta: *mut gst::ffi::GstMeta, _buffer: *mut gst::ffi::GstBuffer) {
    // SAFETY: the value is initialised, and is not used after this.
    unsafe { ptr::drop_in_place(&raw mut (*meta.cast::<PayloadMeta<T>>()).value) }
}

// SAFETY: GStreamer calls it on a filled `PayloadMeta<T>`, with a writable `dest` and the `data` that belongs to
// `kind`.
unsafe extern "C" fn transform<T: Payload>(
    dest: *mut gst::ffi::GstBuffer,
    meta: *mut gst::ffi::GstMeta,
    _buffer: *mut gst::ffi::GstBuffer,
    kind: glib::ffi::GQuark,
    data: glib::ffi::gpointer,
) -> glib::ffi::gboolean {
    // SAFETY: a copy hands over a `GstMetaTransformCopy`, and a change of size a `GstVideoMetaTransform` with two
    // infos.
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
        let value = &(*meta.cast::<PayloadMeta<T>>()).value;
        value.transform(gst::BufferRef::from_mut_ptr(dest), how).into_glib()
    }
}
