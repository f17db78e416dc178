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
use gst_video::ffi::{GstVideoInfo, GstVideoRectangle};

use super::transform::{Extent, Matrix};

/// A transform of a buffer, as far as metas know of it.
pub(super) enum Transform {
    /// A copy of the whole buffer.
    Copy,
    /// A change from one size to another.
    Scale(Extent, Extent),
    /// A move of pixels, from GStreamer 1.28.
    Matrix(Matrix),
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

/// The name of moves of pixels among transforms. GStreamer before 1.28 makes none.
static MATRIX: LazyLock<glib::ffi::GQuark> =
    LazyLock::new(|| glib::Quark::from_static_str(glib::gstr!("gst-video-matrix")).into_glib());

/// `GstVideoMetaTransformMatrix` of GStreamer 1.28, which older headers do not have.
#[repr(C)]
struct MatrixData {
    in_info: *const GstVideoInfo,
    in_rectangle: GstVideoRectangle,
    out_info: *const GstVideoInfo,
    out_rectangle: GstVideoRectangle,
    matrix: [[f32; 3]; 3],
}

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
    // SAFETY: a copy hands over a `GstMetaTransformCopy`, a change of size a `GstVideoMetaTransform` with two infos,
    // and a move of pixels a `GstVideoMetaTransformMatrix` with two.
    unsafe {
        let how = if kind == *COPY {
            match (*data.cast::<gst::ffi::GstMetaTransformCopy>()).region {
                glib::ffi::GFALSE => Transform::Copy,
                _ => Transform::Other,
            }
        } else if kind == gst_video::ffi::gst_video_meta_transform_scale_get_quark() {
            let infos = &*data.cast::<gst_video::ffi::GstVideoMetaTransform>();
            Transform::Scale(extent(&*infos.in_info), extent(&*infos.out_info))
        } else if kind == *MATRIX {
            let m = &*data.cast::<MatrixData>();
            Transform::Matrix(Matrix {
                from: extent(&*m.in_info).size,
                from_part: part(m.in_rectangle),
                to: extent(&*m.out_info).size,
                to_part: part(m.out_rectangle),
                rows: m.matrix,
            })
        } else {
            Transform::Other
        };
        let value = &(*meta.cast::<PayloadMeta<T>>()).value;
        value.transform(gst::BufferRef::from_mut_ptr(dest), how).into_glib()
    }
}

fn extent(info: &GstVideoInfo) -> Extent {
    let count = |v: i32| v.max(1) as u32;
    Extent { size: [info.width, info.height].map(count), pixel: [info.par_n, info.par_d].map(count) }
}

fn part(r: GstVideoRectangle) -> [i32; 4] {
    [r.x, r.y, r.w, r.h]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use andon_core::result::{Arm, Detection, Frame, Inference};
    use gst_video::{VideoFormat, VideoInfo};

    use super::*;
    use crate::meta::AndonInferenceMeta;

    fn buffer() -> gst::Buffer {
        let mut i = Inference::new("m".into(), Arm::A, &Frame::new(None), [1280, 640]);
        i.detections.push(Detection::new(0, "open".into(), 0.9, [200., 100., 200., 100.]));
        let mut buffer = gst::Buffer::new();
        AndonInferenceMeta::set(buffer.get_mut().unwrap(), Arc::new(i));
        buffer
    }

    fn info(width: u32, height: u32) -> VideoInfo {
        VideoInfo::builder(VideoFormat::I420, width, height).build().unwrap()
    }

    /// Does to the buffer's result what an element does that moves pixels.
    ///
    /// # Safety
    ///
    /// `data` must be what GStreamer hands over for transforms of that name.
    unsafe fn transformed<T>(buffer: &gst::Buffer, name: &str, data: &mut T) -> (bool, Vec<Arc<Inference>>) {
        let mut dest = gst::Buffer::new();
        let api = AndonInferenceMeta::meta_api().into_glib();
        // SAFETY: the meta is found by its type, and both buffers live on.
        let done = unsafe {
            let meta = gst::ffi::gst_buffer_get_meta(buffer.as_mut_ptr(), api);
            let transform = (*(*meta).info).transform_func.expect("the meta follows transforms");
            let kind = glib::Quark::from_str(name).into_glib();
            let dest = dest.get_mut().unwrap().as_mut_ptr();
            transform(dest, meta, buffer.as_mut_ptr(), kind, ptr::from_mut(data).cast())
        };
        (done != glib::ffi::GFALSE, AndonInferenceMeta::all(&dest))
    }

    #[test]
    fn a_matrix_is_read_as_gstreamer_1_28_hands_it_over() {
        gst::init().unwrap();
        let (before, after) = (info(1280, 640), info(1000, 500));
        let mut data = MatrixData {
            in_info: before.to_glib_none().0,
            in_rectangle: GstVideoRectangle { x: 100, y: 40, w: 1000, h: 500 },
            out_info: after.to_glib_none().0,
            out_rectangle: GstVideoRectangle { x: 0, y: 0, w: 1000, h: 500 },
            matrix: [[1., 0., 0.], [0., 1., 0.], [0., 0., 1.]],
        };
        // On 64 bits; the C side has the same order: pointer, four numbers, pointer, four numbers, nine numbers.
        assert!(cfg!(not(target_pointer_width = "64")) || size_of::<MatrixData>() == 88);
        // SAFETY: the data is of that kind.
        let (done, results) = unsafe { transformed(&buffer(), "gst-video-matrix", &mut data) };
        assert!(done, "else the scaler stretches the box");
        assert_eq!((results[0].detections[0].bbox, results[0].frame), ([100., 60., 200., 100.], [1000, 500]));
        data.matrix[0][1] = 0.5;
        // SAFETY: as above.
        let (done, results) = unsafe { transformed(&buffer(), "gst-video-matrix", &mut data) };
        assert_eq!((done, results), (true, vec![]), "a shear is dropped, and nobody stretches the box instead");
    }

    #[test]
    fn a_change_of_size_is_followed_where_both_shapes_are_equal() {
        gst::init().unwrap();
        let before = info(1280, 640);
        let after = |width, height| {
            let after = info(width, height);
            let (in_info, out_info) = (before.to_glib_none().0.cast_mut(), after.to_glib_none().0.cast_mut());
            let mut data = gst_video::ffi::GstVideoMetaTransform { in_info, out_info };
            // SAFETY: the data is of that kind, and both infos live on.
            unsafe { transformed(&buffer(), "gst-video-scale", &mut data) }.1
        };
        assert_eq!(after(640, 320)[0].detections[0].bbox, [100., 50., 100., 50.]);
        assert!(after(640, 640).is_empty(), "there may be borders");
    }
}
