// SPDX-License-Identifier: MPL-2.0
//! `AndonInferenceMeta`: one arm's result on the buffer. It follows copies and changes of size, and from GStreamer
//! 1.28 crops, borders, mirrored frames and quarter turns. A transform that it cannot follow drops it, because no box
//! is better than a wrong one.

use std::{
    ffi::CStr,
    sync::{Arc, OnceLock},
};

use andon_core::result::{Arm, Inference, decided};

use super::{
    payload::{self, Payload, PayloadMeta, Registration, Transform},
    transform::Placement,
};

/// One arm's result for the frame in a buffer. A buffer has at most one for each arm, element and stage: a model
/// leaves the results of others on the buffer.
pub type AndonInferenceMeta = PayloadMeta<Arc<Inference>>;

impl AndonInferenceMeta {
    /// Puts a result on the buffer, in place of the one of the same arm, element and stage.
    pub fn set(buffer: &mut gst::BufferRef, inference: Arc<Inference>) {
        for mut meta in buffer.iter_meta_mut::<Self>() {
            let (old, new) = (&meta.value, &inference);
            if (old.arm, old.stage, &old.element) == (new.arm, new.stage, &new.element) {
                meta.value = inference;
                return;
            }
        }
        payload::add(buffer, inference);
    }

    /// Returns the result.
    pub fn inference(&self) -> &Arc<Inference> {
        &self.value
    }

    /// Returns the result that gives the verdict of `arm`.
    pub fn get(buffer: &gst::BufferRef, arm: Arm) -> Option<Arc<Inference>> {
        decided(&Self::all(buffer), arm).map(|d| d.by)
    }

    /// Returns all results, in the order in which they were put on the buffer.
    pub fn all(buffer: &gst::BufferRef) -> Vec<Arc<Inference>> {
        buffer.iter_meta::<Self>().map(|m| m.inference().clone()).collect()
    }
}

impl Payload for Arc<Inference> {
    const API: &'static CStr = c"AndonInferenceMetaAPI";
    const NAME: &'static CStr = c"AndonInferenceMeta";
    const TAGS: &'static [&'static CStr] = &[c"video", c"orientation", c"size"];

    fn registration() -> &'static OnceLock<Registration> {
        static REGISTRATION: OnceLock<Registration> = OnceLock::new();
        &REGISTRATION
    }

    fn transform(&self, dest: &mut gst::BufferRef, transform: Transform) -> bool {
        let placement = match transform {
            Transform::Copy => {
                AndonInferenceMeta::set(dest, self.clone());
                return true;
            }
            Transform::Scale(from, to) => Placement::of_sizes(from, to),
            Transform::Matrix(matrix) => Placement::of_matrix(&matrix),
            // A piece of the memory is no longer the frame, and any other transform is unknown.
            Transform::Other => return false,
        };
        if let Some(placement) = placement {
            AndonInferenceMeta::set(dest, Arc::new(placement.place(self)));
        }
        // A scaler that is told of failure tries again with less knowledge: with the sizes alone.
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Detection, Frame};

    fn result(arm: Arm) -> Arc<Inference> {
        let mut i = Inference::new("m".into(), arm, &Frame::new(None), [640, 480]);
        i.detections.push(Detection::new(0, "open".into(), 0.9, [10., 20., 30., 40.]));
        Arc::new(i)
    }

    #[test]
    fn each_arm_has_one_result_and_the_last_one_counts() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let b = buffer.get_mut().unwrap();
        AndonInferenceMeta::set(b, result(Arm::A));
        AndonInferenceMeta::set(b, result(Arm::B));
        let last = result(Arm::A);
        AndonInferenceMeta::set(b, last.clone());
        assert_eq!(AndonInferenceMeta::all(b).len(), 2);
        assert_eq!(AndonInferenceMeta::get(b, Arm::A), Some(last));
    }

    #[test]
    fn a_piece_of_the_memory_is_not_the_frame() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::with_size(8).unwrap();
        AndonInferenceMeta::set(buffer.get_mut().unwrap(), result(Arm::A));
        let whole = buffer.copy_region(gst::BufferCopyFlags::all(), ..).unwrap();
        assert!(AndonInferenceMeta::get(&whole, Arm::A).is_some());
        let half = buffer.copy_region(gst::BufferCopyFlags::all(), 0..4).unwrap();
        assert!(AndonInferenceMeta::get(&half, Arm::A).is_none());
    }
}
