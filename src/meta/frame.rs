// SPDX-License-Identifier: MPL-2.0
//! `AndonFrameMeta`: the identity of a frame. Untagged, so that it survives every transform.

use std::{ffi::CStr, sync::OnceLock};

use andon_core::result::Frame;

use super::payload::{self, Payload, PayloadMeta, Registration, Transform};

/// The identity of the frame in a buffer: run, frame id, part, arms expected.
pub type AndonFrameMeta = PayloadMeta<Frame>;

impl AndonFrameMeta {
    /// Puts `frame` on the buffer, in place of the identity that it carries.
    pub fn set(buffer: &mut gst::BufferRef, frame: Frame) {
        match buffer.meta_mut::<Self>() {
            Some(mut meta) => meta.value = frame,
            None => payload::add(buffer, frame),
        }
    }

    /// Returns the identity.
    pub fn frame(&self) -> &Frame {
        &self.value
    }

    /// Returns the identity that the buffer carries.
    pub fn get(buffer: &gst::BufferRef) -> Option<Frame> {
        buffer.meta::<Self>().map(|m| m.frame().clone())
    }
}

impl Payload for Frame {
    const API: &'static CStr = c"AndonFrameMetaAPI";
    const NAME: &'static CStr = c"AndonFrameMeta";
    const TAGS: &'static [&'static CStr] = &[];

    fn registration() -> &'static OnceLock<Registration> {
        static REGISTRATION: OnceLock<Registration> = OnceLock::new();
        &REGISTRATION
    }

    fn transform(&self, dest: &mut gst::BufferRef, _transform: Transform) -> bool {
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
