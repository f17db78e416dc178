// SPDX-License-Identifier: MPL-2.0
//! `AndonInferenceMeta`: one arm's result on the buffer. Transforms copy and scale it. A transform that it does not
//! understand drops it, because no box is better than a wrong one.
//!
//! One element defeats that: before GStreamer 1.28 `videoflip` copies metas as if nothing were flipped, regions of
//! interest too. Flip before the model, not after it.

use std::{
    ffi::CStr,
    sync::{Arc, OnceLock},
};

use andon_core::result::{Arm, BoxPx, Inference, Mask, decided};

use super::payload::{self, Payload, PayloadMeta, Registration, Transform};

/// One arm's result for the frame in a buffer. A buffer has at most one for each arm, element and stage: a model leaves the
/// results of others on the buffer.
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

/// Returns the result for the frame scaled from one size to another.
pub(crate) fn scaled(inference: &Inference, from: [u32; 2], to: [u32; 2]) -> Inference {
    let mut out = inference.clone();
    let k = [to[0] as f32 / from[0] as f32, to[1] as f32 / from[1] as f32];
    let scale = |b: &mut [f32; 4]| {
        for (i, v) in b.iter_mut().enumerate() {
            *v *= k[i % 2];
        }
    };
    let mask = |mask: &mut Option<Arc<Mask>>| {
        if let Some(mask) = mask {
            scale(&mut Arc::make_mut(mask).region);
        }
    };
    for d in &mut out.detections {
        match d.angle {
            Some(angle) if k[0] != k[1] => (d.bbox, d.angle) = turned(&d.bbox, angle, k),
            _ => scale(&mut d.bbox),
        }
        mask(&mut d.mask);
    }
    if let Some(anomaly) = &mut out.anomaly {
        if let Some(map) = &mut anomaly.map {
            scale(&mut map.region);
        }
        mask(&mut anomaly.mask);
    }
    if let Some(segmentation) = &mut out.segmentation {
        scale(&mut segmentation.region);
    }
    out.frame = [0, 1].map(|i| (out.frame[i] as f32 * k[i]).round() as u32);
    out
}

/// Scales each axis of an oriented box by its own factor: the rectangle along the new direction of its width.
fn turned([x, y, w, h]: &BoxPx, angle: f32, k: [f32; 2]) -> (BoxPx, Option<f32>) {
    let (sin, cos) = angle.sin_cos();
    let (wide, high) = ((w * cos * k[0]).hypot(w * sin * k[1]), (h * sin * k[0]).hypot(h * cos * k[1]));
    let (cx, cy) = ((x + w / 2.0) * k[0], (y + h / 2.0) * k[1]);
    ([cx - wide / 2.0, cy - high / 2.0, wide, high], Some((sin * k[1]).atan2(cos * k[0])))
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
        let moved = match transform {
            Transform::Copy => self.clone(),
            Transform::Scale(from, to) => Arc::new(scaled(self, from, to)),
            // A piece of the memory is no longer the frame, and any other transform is unknown.
            Transform::Other => return false,
        };
        AndonInferenceMeta::set(dest, moved);
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
    fn boxes_follow_a_change_of_size() {
        let s = scaled(&result(Arm::A), [640, 480], [320, 480]);
        assert_eq!((s.detections[0].bbox, s.frame), ([5., 20., 15., 40.], [320, 480]));
    }

    #[test]
    fn an_oriented_box_follows_a_change_of_size() {
        let mut i = (*result(Arm::A)).clone();
        i.detections[0].angle = Some(std::f32::consts::FRAC_PI_2);
        let s = scaled(&i, [640, 480], [320, 480]);
        // A quarter turn: the width lies along y, which has not changed; the height along x, which is half.
        let d = &s.detections[0];
        assert!(d.bbox.iter().zip([-2.5, 30., 30., 20.]).all(|(a, b)| (a - b).abs() < 1e-3), "{:?}", d.bbox);
        assert!((d.angle.unwrap() - std::f32::consts::FRAC_PI_2).abs() < 1e-5);
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
