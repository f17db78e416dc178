// SPDX-License-Identifier: MPL-2.0
//! Who holds a stream: the element that a frame went into and did not come out of, or that an end did not pass.

use gst::{PadFlags, prelude::*};

use super::boundary::is_busy;

/// Returns the last element from a sink pad downwards that is still busy with what came, or None if it is done.
pub fn busy_behind(pad: &gst::Pad) -> Option<String> {
    if !is_busy(pad) {
        return None;
    }
    let element = pad.parent_element()?;
    let below = element.src_pads().into_iter().filter_map(|src| src.peer());
    below.filter_map(|next| busy_behind(&next)).next().or_else(|| Some(element.name().into()))
}

/// Returns the sinks that have not seen the end of the stream, each with the element that holds it where one does.
pub fn without_end(pipeline: &gst::Pipeline) -> Vec<String> {
    let sinks = pipeline.iterate_sinks().into_iter().flatten();
    let open = sinks.flat_map(|sink| sink.sink_pads()).filter(|pad| !pad.pad_flags().contains(PadFlags::EOS));
    open.map(|pad| said(&pad)).collect()
}

fn said(pad: &gst::Pad) -> String {
    let name = |pad: &gst::Pad| pad.parent_element().map_or_else(|| pad.name(), |e| e.name());
    let sink = name(pad);
    let mut at = pad.clone();
    loop {
        if is_busy(&at) {
            let by = busy_behind(&at).unwrap_or_else(|| name(&at).into());
            return format!("{sink} has not seen it: {by} is busy");
        }
        let Some(above) = at.peer().and_then(|peer| peer.parent_element()) else { break };
        let ways_in = above.sink_pads();
        let Some(next) = ways_in.iter().find(|pad| !pad.pad_flags().contains(PadFlags::EOS)) else {
            return match ways_in.is_empty() {
                true => format!("{sink} has not seen it: {} did not give it", above.name()),
                false => format!("{sink} has not seen it: {} has it and did not pass it on", above.name()),
            };
        };
        at = next.clone();
    }
    format!("{sink} has not seen it: nothing feeds {}", name(&at))
}
