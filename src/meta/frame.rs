// SPDX-License-Identifier: MPL-2.0
//! `AndonFrameMeta`: the identity of a frame. Untagged, so that it survives every transform.

use std::{ffi::CStr, sync::OnceLock};

use andon_core::result::Frame;
use gst::prelude::*;

use super::payload::{self, Cargo, Carrier, Registration, Transform};

/// The identity of the frame in a buffer: run, frame id, part, arms expected.
#[repr(transparent)]
pub struct AndonFrameMeta(Carrier<Frame>);

// SAFETY: the meta holds a `Frame`, which is `Send + Sync`, and is reached only through the buffer.
unsafe impl Send for AndonFrameMeta {}
// SAFETY: as above.
unsafe impl Sync for AndonFrameMeta {}

impl AndonFrameMeta {
    /// Puts `frame` on the buffer, in place of what it carried.
    pub fn set(buffer: &mut gst::BufferRef, frame: Frame) {
        match buffer.meta_mut::<Self>() {
            Some(mut meta) => meta.0.value = frame,
            None => payload::add(buffer, frame),
        }
    }

    /// The identity.
    pub fn frame(&self) -> &Frame {
        &self.0.value
    }

    /// What the buffer carries, if anything.
    pub fn get(buffer: &gst::BufferRef) -> Option<Frame> {
        buffer.meta::<Self>().map(|m| m.frame().clone())
    }
}

// SAFETY: the GType is the one registered for this value, and `GstType` is its repr(C) struct.
unsafe impl MetaAPI for AndonFrameMeta {
    type GstType = Carrier<Frame>;

    fn meta_api() -> glib::Type {
        payload::api::<Frame>()
    }
}

impl Cargo for Frame {
    const API: &'static CStr = c"AndonFrameMetaAPI";
    const NAME: &'static CStr = c"AndonFrameMeta";
    const TAGS: &'static [&'static CStr] = &[];

    fn registration() -> &'static OnceLock<Registration> {
        static REGISTRATION: OnceLock<Registration> = OnceLock::new();
        &REGISTRATION
    }

    fn follow(&self, dest: &mut gst::BufferRef, _transform: Transform) -> bool {
        AndonFrameMeta::set(dest, self.clone());
        true
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
