// SPDX-License-Identifier: MPL-2.0
//! The bits of 16-bit grey that a camera uses, as the property `bits` or the caps say them, and a warning when the pixels say
//! something else.
//!
//! A camera of 10, 12 or 14 bits mostly gives `GRAY16_LE` with its bits in the lower part of each sample: aravissrc does, and
//! its caps do not say how many there are. Other sources do, in the field `bpp`. Read as 16 bits, such a frame is 1/64, 1/16 or
//! 1/4 as bright as it is, and a model finds nothing on it.

use andon_core::image::Image;
use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrameRef, VideoInfo};
use parking_lot::Mutex;

use crate::meta::video;

/// Frames after which a stream that never left its lower part is told.
const FRAMES: u32 = 30;
/// Rows of a frame that are looked at.
const ROWS: usize = 16;

/// What one element knows of the depth of its stream.
#[derive(Debug, Default)]
pub(super) struct Depth {
    /// The format, if it is 16-bit grey.
    info: Option<VideoInfo>,
    /// What the caps say; 0 if they do not.
    of_caps: u32,
    /// The property at the last frame.
    set: u32,
    /// The bits that were set in any sample seen since caps or property changed.
    seen: u16,
    /// The frames that were looked at since then and were not all black.
    frames: u32,
    /// Whether something was told since then.
    told: bool,
}

/// Returns the bits that the caps say, in the field `bpp`; 0 if they do not, or if their format says it.
fn of_caps(caps: &gst::CapsRef) -> u32 {
    let Some(s) = caps.structure(0) else { return 0 };
    match (s.get::<&str>("format"), s.get::<i32>("bpp")) {
        (Ok("GRAY16_LE" | "GRAY16_BE"), Ok(bits @ 8..=16)) => bits as u32,
        _ => 0,
    }
}

/// Returns the bits of a sample of 16-bit grey of those caps, with the property `set`; 0 for all 16.
pub(crate) fn bits_of(caps: &gst::CapsRef, set: u32) -> u32 {
    if set > 0 { set } else { of_caps(caps) }
}

/// Returns the caps as they are written down beside raw frames: with the bits of a sample.
pub(super) fn told(caps: &gst::Caps, set: u32) -> gst::Caps {
    let mut caps = caps.clone();
    if set > 0 && grey(&caps).is_some() {
        caps.make_mut().set("bpp", set as i32);
    }
    caps
}

/// Returns the format of 16-bit grey; `None` for any other.
fn grey(caps: &gst::CapsRef) -> Option<VideoInfo> {
    let info = VideoInfo::from_caps(caps).ok()?;
    matches!(info.format(), VideoFormat::Gray16Le | VideoFormat::Gray16Be).then_some(info)
}

/// Returns the bits that are set in any sample of some rows of a frame of 16-bit grey. No further rows are read, so that it
/// costs microseconds.
fn seen(image: &Image<'_>) -> u16 {
    let step = (image.height / ROWS).max(1);
    let rows = (step / 2..image.height).step_by(step);
    let or = |row: &[u8]| row.as_chunks::<2>().0.iter().fold(0u16, |all, v| all | u16::from_ne_bytes(*v));
    let all = rows.fold(0, |all, y| all | or(image.planes[0].row(y, image.width * 2)));
    let little = image.format == andon_core::image::Format::Gray16Le;
    if little { u16::from_le(all) } else { u16::from_be(all) }
}

impl Depth {
    /// Takes in an event of the sink pad.
    pub(super) fn event(&mut self, event: &gst::EventRef) {
        if let gst::EventView::Caps(e) = event.view() {
            *self = Self { info: grey(e.caps()), of_caps: of_caps(e.caps()), ..Self::default() };
        }
    }

    /// Returns the bits of a sample of 16-bit grey with the property `set`; 0 for all 16.
    pub(super) fn bits(&self, set: u32) -> u32 {
        if set > 0 { set } else { self.of_caps }
    }

    /// Returns how many bits the samples of 16-bit grey were seen to have since the caps or the property changed; 0 for none.
    pub(super) fn seen_bits(&self) -> u32 {
        u16::BITS - self.seen.leading_zeros()
    }

    /// Takes note of what [`seen`] returned for a frame. Returns what is to be told, once.
    fn look(&mut self, seen: u16, set: u32) -> Option<String> {
        if set != self.set {
            *self = Self { info: self.info.take(), of_caps: self.of_caps, set, ..Self::default() };
        }
        self.seen |= seen;
        self.frames += u32::from(seen > 0);
        if self.told {
            return None;
        }
        let (bits, found) = (self.bits(set), self.seen_bits());
        let text = if bits == 0 {
            if self.frames < FRAMES || found > 14 {
                return None;
            }
            let likely = [8, 10, 12, 14].into_iter().find(|b| found <= *b).unwrap_or(16);
            format!(
                "samples of this stream have 16 bits, so that 65535 is white, but in {FRAMES} frames none was above {}: it looks \
                 like a camera of {likely} bits, seen at 1/{} of its brightness. Set bits={likely} on every Andon element that \
                 looks at pixels, or say it once, ahead of them: capssetter caps=video/x-raw,bpp={likely}. If the scene is \
                 so dark, set bits=16",
                (1u32 << found) - 1,
                1 << (16 - likely)
            )
        } else if found > bits {
            let by = if set > 0 { format!("bits={set}") } else { format!("bpp={bits} of the caps") };
            let right = [10, 12, 14].into_iter().find(|b| found <= *b).unwrap_or(16);
            format!(
                "{by} says that {} is white, but a sample has {found} bits: all above is seen as white. Set bits={right} if \
                 the camera gives more bits, or let it put them into the lower part of a sample",
                (1u32 << bits) - 1
            )
        } else {
            return None;
        };
        self.told = true;
        Some(text)
    }
}

/// Looks at a frame that comes into `element`, whose property is `set`, and posts a warning where its pixels contradict what is
/// said. Frames of other formats than 16-bit grey cost nothing.
pub(super) fn check(depth: &Mutex<Depth>, element: &impl IsA<gst::Element>, buffer: &gst::BufferRef, set: u32) {
    let mut state = depth.lock();
    let Some(info) = &state.info else { return };
    let seen =
        VideoFrameRef::from_buffer_ref_readable(buffer, info).ok().and_then(|f| video::image(&f, 0).map(|i| seen(&i)));
    let text = seen.and_then(|seen| state.look(seen, set));
    drop(state);
    if let Some(text) = text {
        gst::element_warning!(element, gst::StreamError::Format, ("{text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows frames in which these bits are set, and returns what was told of them.
    fn told(caps: &str, set: u32, seen: &[u16]) -> Vec<String> {
        gst::init().unwrap();
        let mut depth = Depth::default();
        depth.event(&gst::event::Caps::new(&caps.parse().unwrap()));
        seen.iter().filter_map(|s| depth.look(*s, set)).collect()
    }

    #[test]
    fn a_stream_that_stays_in_its_lower_part_is_told_once_with_the_bits_it_looks_like() {
        let plain = "video/x-raw,format=GRAY16_LE,width=8,height=8";
        for (seen, bits, share) in [(4095, 12, 16), (900, 10, 64), (0x3000, 14, 4), (200, 8, 256)] {
            let all = told(plain, 0, &[seen; 90]);
            assert_eq!(all.len(), 1, "{seen}");
            assert!(all[0].contains(&format!("bits={bits} ")) && all[0].contains(&format!("1/{share} ")), "{}", all[0]);
        }
        let with_white: Vec<u16> = [vec![900; 29], vec![0xfff0], vec![900; 90]].concat();
        let none: [(&str, u32, &[u16]); 6] = [
            (plain, 0, &[900; 29]),
            (plain, 0, &[0; 90]),
            (plain, 0, &with_white),
            (plain, 16, &[900; 90]),
            (plain, 12, &[4095; 90]),
            ("video/x-raw,format=GRAY16_LE,bpp=12,width=8,height=8", 0, &[4095; 90]),
        ];
        for (caps, set, seen) in none {
            assert_eq!(told(caps, set, seen), [""; 0], "{caps} {set}");
        }
    }

    #[test]
    fn more_bits_than_were_said_are_told_at_once() {
        let caps = "video/x-raw,format=GRAY16_LE,bpp=10,width=8,height=8";
        assert!(told(caps, 0, &[4095; 3])[0].starts_with("bpp=10 of the caps says that 1023 is white"));
        let set = told(caps, 12, &[0xfff0; 3]);
        assert!(set.len() == 1 && set[0].contains("bits=12") && set[0].contains("Set bits=16"), "{set:?}");
    }

    #[test]
    fn rows_are_read_in_the_order_of_bytes_of_the_format() {
        use andon_core::image::{Colorimetry, Format, Plane};
        let data = [0x34, 0x12].repeat(64 * 3);
        for (format, want) in [(Format::Gray16Le, 0x1234), (Format::Gray16Be, 0x3412)] {
            let plane = [Plane { data: &data, stride: 6 }];
            assert_eq!(seen(&Image::new(format, 3, 64, &plane, Colorimetry::default()).unwrap()), want);
        }
    }
}
