// SPDX-License-Identifier: MPL-2.0
//! What a frame says of itself, as a document of schema `andon.result/1`: there is one for every frame.

use std::sync::Arc;

use andon_core::result::{Arm, Decided, Frame, Inference, Status, Verdict};

use crate::meta::{AndonFrameMeta, decided_on, read_decided, result};

/// Returns the document. It is what `AndonResult` carries, else it is made of the metas of Andon, then of other
/// people's. A frame that nobody judged has one as well, and its verdict is unjudged.
///
/// `size` is the size of the frame, pixels.
pub(super) fn of(buffer: &gst::BufferRef, size: [u32; 2]) -> String {
    // A program that breaks its JSON into lines would break one document into several.
    result::json(buffer).filter(|json| !json.contains('\n')).unwrap_or_else(|| without_json(buffer, size))
}

/// Returns the document of a frame whose `AndonResult` has none, or one that cannot be used.
pub(super) fn without_json(buffer: &gst::BufferRef, size: [u32; 2]) -> String {
    let decided = decided_on(buffer).unwrap_or_else(|| {
        let by = read_decided(buffer, size).unwrap_or_else(|| Arc::new(unjudged(buffer, size)));
        Decided { by, others: Vec::new() }
    });
    result::to_json(&decided)
}

/// The result of a frame that no model has judged.
fn unjudged(buffer: &gst::BufferRef, size: [u32; 2]) -> Inference {
    let frame = AndonFrameMeta::get(buffer).unwrap_or_else(|| Frame::new(None));
    let mut i = Inference::new("".into(), Arm::A, &frame, size);
    (i.status, i.verdict) = (Status::Skipped, Verdict::Unjudged);
    i.reason = "no model has judged the frame".into();
    i.pts_ns = buffer.pts().map(|t| t.nseconds());
    i
}
