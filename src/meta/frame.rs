// SPDX-License-Identifier: MPL-2.0
//! `AndonFrameMeta`: the identity of a frame. Untagged, so that it survives every transform.

use std::mem;

use gst::prelude::*;

use crate::result::Frame;

/// The identity of the frame in a buffer: run, frame id, part, arms expected.
#[repr(transparent)]
pub struct AndonFrameMeta(imp::FrameMeta);

// SAFETY: the meta holds a `Frame`, which is `Send + Sync`, and is reached only through the buffer.
unsafe impl Send for AndonFrameMeta {}
// SAFETY: as above.
unsafe impl Sync for AndonFrameMeta {}

impl AndonFrameMeta {
    /// Puts `frame` on the buffer, in place of what it carried.
    pub fn set(buffer: &mut gst::BufferRef, frame: Frame) {
        if let Some(mut meta) = buffer.meta_mut::<Self>() {
            *meta.0.frame = frame;
            return;
        }
        let mut params = mem::ManuallyDrop::new(imp::Params { frame: Box::new(frame) });
        // SAFETY: `info` is the registered info of this meta, whose init takes the box out of `params` exactly once;
        // `ManuallyDrop` keeps it from being dropped here as well. The buffer is writable by `&mut`.
        unsafe {
            gst::ffi::gst_buffer_add_meta(buffer.as_mut_ptr(), imp::info(), (&raw mut params).cast());
        }
    }

    /// The identity.
    pub fn frame(&self) -> &Frame {
        &self.0.frame
    }

    /// What the buffer carries, if anything.
    pub fn get(buffer: &gst::BufferRef) -> Option<Frame> {
        buffer.meta::<Self>().map(|m| m.frame().clone())
    }
}

// SAFETY: the GType is the one registered in `imp`, and `GstType` is its repr(C) struct.
unsafe impl MetaAPI for AndonFrameMeta {
    type GstType = imp::FrameMeta;

    fn meta_api() -> glib::Type {
        imp::api()
    }
}

mod imp {
    use std::{ptr, sync::LazyLock};

    use glib::translate::*;

    use super::*;

    pub(super) struct Params {
        pub frame: Box<Frame>,
    }

    #[repr(C)]
    pub struct FrameMeta {
        parent: gst::ffi::GstMeta,
        pub(super) frame: Box<Frame>,
    }

    pub(super) fn api() -> glib::Type {
        static API: LazyLock<glib::Type> = LazyLock::new(|| {
            let mut tags = [ptr::null_mut::<std::ffi::c_char>()];
            // SAFETY: a NUL-terminated name and a NULL-terminated list of tags, both copied by the callee.
            unsafe {
                from_glib(gst::ffi::gst_meta_api_type_register(c"AndonFrameMetaAPI".as_ptr(), tags.as_mut_ptr().cast()))
            }
        });
        *API
    }

    // SAFETY of the four functions below: GStreamer calls them with the meta and buffer that `info` was registered
    // for; `init` initialises every field before anybody reads it, `free` drops what `init` wrote, once.

    unsafe extern "C" fn init(
        meta: *mut gst::ffi::GstMeta,
        params: glib::ffi::gpointer,
        _buffer: *mut gst::ffi::GstBuffer,
    ) -> glib::ffi::gboolean {
        // SAFETY: see above; `params` comes from `AndonFrameMeta::set` only.
        unsafe {
            let params = ptr::read(params.cast::<Params>());
            ptr::write(&raw mut (*meta.cast::<FrameMeta>()).frame, params.frame);
        }
        glib::ffi::GTRUE
    }

    unsafe extern "C" fn free(meta: *mut gst::ffi::GstMeta, _buffer: *mut gst::ffi::GstBuffer) {
        // SAFETY: see above.
        unsafe { ptr::drop_in_place(&raw mut (*meta.cast::<FrameMeta>()).frame) }
    }

    unsafe extern "C" fn transform(
        dest: *mut gst::ffi::GstBuffer,
        meta: *mut gst::ffi::GstMeta,
        _buffer: *mut gst::ffi::GstBuffer,
        _kind: glib::ffi::GQuark,
        _data: glib::ffi::gpointer,
    ) -> glib::ffi::gboolean {
        // SAFETY: see above; `dest` is writable by the contract of transform functions.
        unsafe {
            let frame = (*(*meta.cast::<FrameMeta>()).frame).clone();
            AndonFrameMeta::set(gst::BufferRef::from_mut_ptr(dest), frame);
        }
        glib::ffi::GTRUE
    }

    pub(super) fn info() -> *const gst::ffi::GstMetaInfo {
        struct Info(ptr::NonNull<gst::ffi::GstMetaInfo>);
        // SAFETY: the info is immutable once registered and lives for ever.
        unsafe impl Send for Info {}
        // SAFETY: as above.
        unsafe impl Sync for Info {}

        static INFO: LazyLock<Info> = LazyLock::new(|| {
            // SAFETY: name, size and functions belong together; registered once.
            let info = unsafe {
                gst::ffi::gst_meta_register(
                    api().into_glib(),
                    c"AndonFrameMeta".as_ptr(),
                    size_of::<FrameMeta>(),
                    Some(init),
                    Some(free),
                    Some(transform),
                )
            };
            Info(ptr::NonNull::new(info.cast_mut()).expect("a meta is registered under its name only once"))
        });
        INFO.0.as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_survives_copies_and_is_replaced_in_place() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::with_size(4).unwrap();
        let frame = Frame::new(None);
        AndonFrameMeta::set(buffer.get_mut().unwrap(), frame.clone());
        let copy = buffer.copy_deep().unwrap();
        assert_eq!(AndonFrameMeta::get(&copy), Some(frame));

        let other = Frame::new(None);
        AndonFrameMeta::set(buffer.get_mut().unwrap(), other.clone());
        assert_eq!(buffer.iter_meta::<AndonFrameMeta>().count(), 1);
        assert_eq!(AndonFrameMeta::get(&buffer), Some(other));
    }
}
