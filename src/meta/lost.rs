// SPDX-License-Identifier: MPL-2.0
//! What is done about results that an element between has lost, or has left where they were when it moved pixels.

use std::ops::ControlFlow;

use andon_core::result::Arm;
use gst::buffer::BufferMetaForeachAction;
use gst_video::VideoRegionOfInterestMeta;

use super::{AndonFrameMeta, AndonInferenceMeta, read_decided};

/// Takes off the results of all elements that `is_wrong` finds by their names, and what mirrors them in other people's
/// metas. A region that has lost its parameters, as GStreamer's scalers leave it, has an empty name. The analytics meta
/// names no element, and goes as a whole.
pub(crate) fn remove_results(buffer: &mut gst::BufferRef, is_wrong: impl Fn(&str) -> bool) {
    buffer.foreach_meta_mut(|mut meta| {
        let goes = if let Some(own) = meta.downcast_ref::<AndonInferenceMeta>() {
            is_wrong(&own.inference().element)
        } else if let Some(roi) = meta.downcast_ref::<VideoRegionOfInterestMeta>() {
            match roi.param("detection") {
                Some(param) => param.get::<&str>("element").is_ok_and(&is_wrong),
                None => roi.params().next().is_none() && is_wrong(""),
            }
        } else {
            is_analytics(&mut meta)
        };
        let action = if goes { BufferMetaForeachAction::Remove } else { BufferMetaForeachAction::Keep };
        ControlFlow::Continue(action)
    });
}

/// Puts the verdict on a judged frame of `size` that has lost its results back as a result without boxes, so that it
/// still counts beside the result of a further model. Where the verdict is lost too, that result is unjudged.
pub(crate) fn keep_verdict(buffer: &mut gst::BufferRef, size: [u32; 2]) {
    let judged = buffer.meta::<AndonFrameMeta>().is_some_and(|m| m.frame().judged);
    let has_result = || buffer.iter_meta::<AndonInferenceMeta>().any(|m| m.inference().arm != Arm::Truth);
    if judged
        && !has_result()
        && let Some(verdict) = read_decided(buffer, size)
    {
        AndonInferenceMeta::set(buffer, verdict);
    }
}

#[cfg(feature = "analytics")]
fn is_analytics<T>(meta: &mut gst::MetaRefMut<'_, gst::Meta, T>) -> bool {
    meta.downcast_ref::<gst_analytics::AnalyticsRelationMeta>().is_some()
}

#[cfg(not(feature = "analytics"))]
fn is_analytics<T>(_meta: &mut gst::MetaRefMut<'_, gst::Meta, T>) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use andon_core::result::{Arm, Detection, Frame, Inference};

    use super::*;
    use crate::meta::mirror;

    #[test]
    fn a_result_goes_with_its_mirrors_and_leaves_those_of_others() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().unwrap();
        for element in ["before", "after"] {
            let mut i = Inference::new(element.into(), Arm::A, &Frame::new(None), [100, 50]);
            i.detections.push(Detection::new(0, "open".into(), 0.9, [10., 20., 30., 10.]));
            mirror(buffer, &i);
            AndonInferenceMeta::set(buffer, Arc::new(i));
        }
        VideoRegionOfInterestMeta::add(buffer, "bare", (0, 0, 9, 9));
        let param = gst::Structure::builder("detection").field("confidence", 0.5).build();
        VideoRegionOfInterestMeta::add(buffer, "person", (0, 0, 9, 9)).add_param(param);
        #[cfg(feature = "analytics")]
        assert!(buffer.meta::<gst_analytics::AnalyticsRelationMeta>().is_some());
        remove_results(buffer, |element| element == "before");
        #[cfg(feature = "analytics")]
        assert!(buffer.meta::<gst_analytics::AnalyticsRelationMeta>().is_none(), "it names no element");
        let left: Vec<_> = AndonInferenceMeta::all(buffer).iter().map(|i| i.element.clone()).collect();
        assert_eq!(left, ["after".into()]);
        let regions: Vec<_> = buffer.iter_meta::<VideoRegionOfInterestMeta>().map(|roi| roi.roi_type()).collect();
        assert_eq!(regions, ["open", "bare", "person"]);
        remove_results(buffer, |_| true);
        let left: Vec<_> = buffer.iter_meta::<VideoRegionOfInterestMeta>().map(|roi| roi.roi_type()).collect();
        assert_eq!(left, ["person"], "a scaler may have left the bare one of ours");
    }
}
