// SPDX-License-Identifier: MPL-2.0
//! `snapshot`: a picture of the last frame of an element. The streaming thread lends a frame; all else is done here.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use andon_control::reply::{Outcome, Refusal, Snapshot};
use gst::prelude::*;
use gst_video::VideoInfo;

use super::{
    find::{self, Found},
    picture::{self, Look},
    properties::factory_of,
    walk::{Way, outermost, reached},
};
use crate::{
    elements::{
        depth,
        memory::{HeldBuffer, Holder},
    },
    meta::AndonFrameMeta,
};

/// How long the next frame is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// A frame, and when it went by.
struct Lent {
    buffer: gst::Buffer,
    caps: gst::Caps,
    utc_ns: u64,
}

/// Makes a picture of the next frame, or of the last one if none comes within a second.
pub(super) fn snapshot(
    element: Option<&str>,
    overlay: bool,
    max_width: Option<u32>,
    quality: u8,
) -> Result<Snapshot, Refusal> {
    if !(1..=100).contains(&quality) || max_width == Some(0) {
        return Err(Refusal::new(Outcome::BadValue, "quality is 1 to 100, and max_width from 1"));
    }
    let found = match element {
        Some(name) => find::one(name)?,
        None => {
            let shows = |found: &Found| found.is_ours && found.element.src_pads().iter().any(is_of_video);
            let all: Vec<_> = find::seen().into_iter().filter(shows).collect();
            find::only(outermost(&all, Way::Down), "of which a picture could be")?
        }
    };
    let element = &found.element;
    let pads = element.src_pads().into_iter().chain(element.sink_pads());
    let unavailable = |why: &str| Refusal::new(Outcome::Unavailable, format!("{}: {why}", element.name()));
    let pad = pads.into_iter().find(is_of_video).ok_or_else(|| unavailable("no frame has come yet"))?;
    let lent = next_of(&pad).or_else(|| last_of(element)).ok_or_else(|| {
        unavailable("no frame came within a second, and no sink behind it keeps its last one: does the stream run?")
    })?;
    let info = VideoInfo::from_caps(&lent.caps).map_err(|_| unavailable("its frames are not raw video"))?;
    let set = element.find_property("bits").filter(|p| p.value_type() == glib::Type::U32);
    let set = set.map_or(0, |_| element.property::<u32>("bits"));
    // It has drawn already.
    let overlay = overlay && factory_of(element) != "defectoverlay";
    let look = Look { overlay, max_width, quality, bits: depth::bits_of(&lent.caps, set) };
    let (jpeg, [width, height]) = picture::jpeg(&lent.buffer, &info, look).map_err(|why| unavailable(&why))?;
    Ok(Snapshot {
        element: element.name().into(),
        width,
        height,
        pts_ns: lent.buffer.pts().map(gst::ClockTime::nseconds),
        frame_id: lent.buffer.meta::<AndonFrameMeta>().map(|meta| meta.frame().id),
        utc_ns: lent.utc_ns,
        jpeg: glib::base64_encode(&jpeg).into(),
    })
}

/// Returns whether raw video is on the pad now.
fn is_of_video(pad: &gst::Pad) -> bool {
    pad.current_caps().is_some_and(|caps| caps.structure(0).is_some_and(|s| s.name() == "video/x-raw"))
}

/// Waits for the next frame of a pad. It is shared, or copied where its pool has few.
fn next_of(pad: &gst::Pad) -> Option<Lent> {
    let (sender, frames) = mpsc::sync_channel(1);
    let frames_only = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    let is_done = AtomicBool::new(false);
    let probe = pad.add_probe(frames_only, move |pad, info| {
        if is_done.swap(true, Relaxed) {
            return gst::PadProbeReturn::Ok;
        }
        let buffer = match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => Some(buffer.as_ref()),
            Some(gst::PadProbeData::BufferList(list)) => list.get(0),
            _ => None,
        };
        if let Some(buffer) = buffer
            && let Some(HeldBuffer::Shared(buffer) | HeldBuffer::Copied(buffer)) = Holder::default().hold(buffer)
            && let Some(caps) = pad.current_caps()
        {
            // Who asked may have gone.
            let _ = sender.try_send(Lent { buffer, caps, utc_ns: now() });
        }
        gst::PadProbeReturn::Ok
    })?;
    let lent = frames.recv_timeout(PATIENCE).ok();
    // Here and nowhere else, so that it is there to be removed.
    pad.remove_probe(probe);
    lent
}

/// Returns the last frame that a sink behind the element has.
fn last_of(element: &gst::Element) -> Option<Lent> {
    let sinks = reached(element, Way::Down).into_iter().filter(|e| e.find_property("last-sample").is_some());
    let lent = |sink: gst::Element| {
        let sample = sink.property::<Option<gst::Sample>>("last-sample")?;
        let caps = sample.caps_owned()?;
        let is_video = caps.structure(0).is_some_and(|s| s.name() == "video/x-raw");
        let buffer = sample.buffer_owned()?;
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
        let age = segment.zip(buffer.pts()).and_then(|(segment, pts)| {
            let shown = segment.to_running_time(pts)? + sink.base_time()?;
            sink.clock()?.time().checked_sub(shown)
        });
        let utc_ns = now().saturating_sub(age.map_or(0, gst::ClockTime::nseconds));
        is_video.then_some(Lent { buffer, caps, utc_ns })
    };
    sinks.into_iter().find_map(lent)
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
