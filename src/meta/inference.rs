// SPDX-License-Identifier: MPL-2.0
//! `AndonInferenceMeta`: one arm's outcome on the buffer. Copied and scaled along; dropped where it cannot follow,
//! for no box is better than a wrong one.

use std::{mem, sync::Arc};

use gst::prelude::*;

use crate::result::{Arm, Inference};

/// One arm's outcome for the frame in a buffer. A buffer has at most one of each arm.
#[repr(transparent)]
pub struct AndonInferenceMeta(imp::InferenceMeta);

// SAFETY: the meta holds an `Arc<Inference>`, which is `Send + Sync`, and is reached only through the buffer.
unsafe impl Send for AndonInferenceMeta {}
// SAFETY: as above.
unsafe impl Sync for AndonInferenceMeta {}

impl AndonInferenceMeta {
    /// Puts an outcome on the buffer, in place of what the same arm said before.
    pub fn set(buffer: &mut gst::BufferRef, inference: Arc<Inference>) {
        for mut meta in buffer.iter_meta_mut::<Self>() {
            if meta.0.inference.arm == inference.arm {
                meta.0.inference = inference;
                return;
            }
        }
        let mut params = mem::ManuallyDrop::new(imp::Params { inference });
        // SAFETY: `info` is the registered info of this meta, whose init takes the Arc out of `params` exactly once;
        // `ManuallyDrop` keeps it from being dropped here as well. The buffer is writable by `&mut`.
        unsafe {
            gst::ffi::gst_buffer_add_meta(buffer.as_mut_ptr(), imp::info(), (&raw mut params).cast());
        }
    }

    /// The outcome.
    pub fn inference(&self) -> &Arc<Inference> {
        &self.0.inference
    }

    /// What `arm` said of this frame, if it is known here.
    pub fn get(buffer: &gst::BufferRef, arm: Arm) -> Option<Arc<Inference>> {
        buffer.iter_meta::<Self>().map(|m| m.inference().clone()).find(|i| i.arm == arm)
    }

    /// What every arm said, in the order they were put on.
    pub fn all(buffer: &gst::BufferRef) -> Vec<Arc<Inference>> {
        buffer.iter_meta::<Self>().map(|m| m.inference().clone()).collect()
    }
}

// SAFETY: the GType is the one registered in `imp`, and `GstType` is its repr(C) struct.
unsafe impl MetaAPI for AndonInferenceMeta {
    type GstType = imp::InferenceMeta;

    fn meta_api() -> glib::Type {
        imp::api()
    }
}

/// The outcome as it looks after the frame was scaled from one size to another.
pub fn scaled(inference: &Inference, from: [u32; 2], to: [u32; 2]) -> Inference {
    let mut out = inference.clone();
    let k = [to[0] as f32 / from[0] as f32, to[1] as f32 / from[1] as f32];
    let scale = |b: &mut [f32; 4]| {
        for (i, v) in b.iter_mut().enumerate() {
            *v *= k[i % 2];
        }
    };
    out.detections.iter_mut().for_each(|d| scale(&mut d.bbox));
    if let Some(map) = out.anomaly.as_mut().and_then(|a| a.map.as_mut()) {
        scale(&mut map.region);
    }
    out.frame = [0, 1].map(|i| (out.frame[i] as f32 * k[i]).round() as u32);
    out
}

mod imp {
    use std::{ptr, sync::LazyLock};

    use glib::translate::*;

    use super::*;

    pub(super) struct Params {
        pub inference: Arc<Inference>,
    }

    #[repr(C)]
    pub struct InferenceMeta {
        parent: gst::ffi::GstMeta,
        pub(super) inference: Arc<Inference>,
    }

    pub(super) fn api() -> glib::Type {
        static API: LazyLock<glib::Type> = LazyLock::new(|| {
            let mut tags =
                [c"video".as_ptr(), c"orientation".as_ptr(), c"size".as_ptr(), ptr::null::<std::ffi::c_char>()];
            // SAFETY: a NUL-terminated name and a NULL-terminated list of NUL-terminated tags, copied by the callee.
            unsafe {
                from_glib(gst::ffi::gst_meta_api_type_register(
                    c"AndonInferenceMetaAPI".as_ptr(),
                    tags.as_mut_ptr().cast(),
                ))
            }
        });
        *API
    }

    // SAFETY of the functions below: GStreamer calls them with the meta and buffer that `info` was registered for;
    // `init` initialises every field before anybody reads it, `free` drops what `init` wrote, once.

    unsafe extern "C" fn init(
        meta: *mut gst::ffi::GstMeta,
        params: glib::ffi::gpointer,
        _buffer: *mut gst::ffi::GstBuffer,
    ) -> glib::ffi::gboolean {
        // SAFETY: see above; `params` comes from `AndonInferenceMeta::set` only.
        unsafe {
            let params = ptr::read(params.cast::<Params>());
            ptr::write(&raw mut (*meta.cast::<InferenceMeta>()).inference, params.inference);
        }
        glib::ffi::GTRUE
    }

    unsafe extern "C" fn free(meta: *mut gst::ffi::GstMeta, _buffer: *mut gst::ffi::GstBuffer) {
        // SAFETY: see above.
        unsafe { ptr::drop_in_place(&raw mut (*meta.cast::<InferenceMeta>()).inference) }
    }

    unsafe extern "C" fn transform(
        dest: *mut gst::ffi::GstBuffer,
        meta: *mut gst::ffi::GstMeta,
        _buffer: *mut gst::ffi::GstBuffer,
        kind: glib::ffi::GQuark,
        data: glib::ffi::gpointer,
    ) -> glib::ffi::gboolean {
        // SAFETY: see above; `dest` is writable by the contract of transform functions, and `data` is what `kind`
        // says: a copy transform or a pair of video infos.
        unsafe {
            let inference = &(*meta.cast::<InferenceMeta>()).inference;
            let moved = if kind == *COPY {
                // Part of the memory only is not the frame any more.
                if (*data.cast::<gst::ffi::GstMetaTransformCopy>()).region != glib::ffi::GFALSE {
                    return glib::ffi::GFALSE;
                }
                inference.clone()
            } else if kind == *SCALE {
                let infos = &*data.cast::<gst_video::ffi::GstVideoMetaTransform>();
                let size =
                    |i: *const gst_video::ffi::GstVideoInfo| [(*i).width.max(1) as u32, (*i).height.max(1) as u32];
                Arc::new(scaled(inference, size(infos.in_info), size(infos.out_info)))
            } else {
                return glib::ffi::GFALSE;
            };
            AndonInferenceMeta::set(gst::BufferRef::from_mut_ptr(dest), moved);
        }
        glib::ffi::GTRUE
    }

    static COPY: LazyLock<glib::ffi::GQuark> =
        LazyLock::new(|| glib::Quark::from_static_str(glib::gstr!("gst-copy")).into_glib());
    static SCALE: LazyLock<glib::ffi::GQuark> = LazyLock::new(|| {
        // SAFETY: takes nothing and answers a quark.
        unsafe { gst_video::ffi::gst_video_meta_transform_scale_get_quark() }
    });

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
                    c"AndonInferenceMeta".as_ptr(),
                    size_of::<InferenceMeta>(),
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
    use crate::result::{Detection, Frame};

    fn outcome(arm: Arm) -> Arc<Inference> {
        let mut i = Inference::new("m".into(), arm, &Frame::new(None), [640, 480]);
        i.detections.push(Detection { class: 0, label: "open".into(), score: 0.9, bbox: [10., 20., 30., 40.] });
        Arc::new(i)
    }

    #[test]
    fn each_arm_has_one_outcome_and_the_last_word_counts() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let b = buffer.get_mut().unwrap();
        AndonInferenceMeta::set(b, outcome(Arm::A));
        AndonInferenceMeta::set(b, outcome(Arm::B));
        let last = outcome(Arm::A);
        AndonInferenceMeta::set(b, last.clone());
        assert_eq!(AndonInferenceMeta::all(b).len(), 2);
        assert_eq!(AndonInferenceMeta::get(b, Arm::A), Some(last));
    }

    #[test]
    fn boxes_follow_a_change_of_size() {
        let s = scaled(&outcome(Arm::A), [640, 480], [320, 480]);
        assert_eq!((s.detections[0].bbox, s.frame), ([5., 20., 15., 40.], [320, 480]));
    }

    #[test]
    fn a_piece_of_the_memory_is_not_the_frame() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::with_size(8).unwrap();
        AndonInferenceMeta::set(buffer.get_mut().unwrap(), outcome(Arm::A));
        let whole = buffer.copy_region(gst::BufferCopyFlags::all(), ..).unwrap();
        assert!(AndonInferenceMeta::get(&whole, Arm::A).is_some());
        let half = buffer.copy_region(gst::BufferCopyFlags::all(), 0..4).unwrap();
        assert!(AndonInferenceMeta::get(&half, Arm::A).is_none());
    }
}
