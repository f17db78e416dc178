// SPDX-License-Identifier: MPL-2.0
//! Which link of a pipeline finds no format that both of its elements take, and what to put there.

use std::{ffi::CString, ptr};

use anyhow::{Result, anyhow};
use glib::translate::{from_glib_full, from_glib_none};
use gst::prelude::*;

/// Returns why the pipeline was not negotiated, from its elements as they stand after the failure: the link nearest to the
/// sinks whose two sides have no caps in common. None if every link has some.
pub fn explain(bin: &gst::Bin) -> Option<String> {
    // From the sinks upwards: the links above a broken one may be broken by it.
    for element in bin.iterate_sorted().into_iter().flatten() {
        for sink in element.sink_pads() {
            let Some(src) = sink.peer() else { continue };
            if let Some(why) = apart(&src, &sink) {
                return Some(why);
            }
        }
        if let Some(why) = element.downcast_ref::<gst::Bin>().and_then(explain) {
            return Some(why);
        }
    }
    None
}

/// Returns why two pads cannot be linked, or what is between them cannot be negotiated: they have no caps in common. None if
/// they have some, or if one of them has none at all, for then another link is the broken one.
pub fn apart(src: &gst::Pad, sink: &gst::Pad) -> Option<String> {
    let have = src.current_caps().unwrap_or_else(|| src.query_caps(None));
    let take = sink.query_caps(None);
    let is_broken = !have.is_empty() && !take.is_empty() && !have.can_intersect(&take);
    is_broken.then(|| said(&name(src), &have, &name(sink), &take))
}

/// Makes the elements of a launch line. Where two of them cannot be linked, the error says what [`explain`] says of a pipeline.
pub fn parse(line: &str) -> Result<gst::Element> {
    let text = CString::new(line)?;
    let mut error = ptr::null_mut();
    // SAFETY: the text ends with a zero, and whatever comes back is taken over. Not by the safe function, because it drops the
    // elements when there is an error.
    let (element, error): (Option<gst::Element>, Option<glib::Error>) = unsafe {
        let element = gst::ffi::gst_parse_launch(text.as_ptr(), &mut error);
        (from_glib_none(element), from_glib_full(error))
    };
    match (error, element) {
        (None, Some(element)) => Ok(element),
        (None, None) => Err(anyhow!("there is no element in the line")),
        (Some(error), element) => {
            let bin = element.and_then(|e| e.downcast::<gst::Bin>().ok());
            let why = bin.and_then(|bin| explain_unlinked(error.message(), &bin));
            Err(why.map_or_else(|| error.clone().into(), |why| anyhow!("{error}\n{why}")))
        }
    }
}

/// Returns why two elements of a bin could not be linked: `error` is what the parser said. None if the error is another, or is
/// not in English.
fn explain_unlinked(error: &str, bin: &gst::Bin) -> Option<String> {
    let (from, rest) = error.strip_prefix("could not link ")?.split_once(" to ")?;
    let to = rest.split([',', ' ']).next()?;
    let filter = rest.split_once(" caps ").and_then(|(_, caps)| caps.trim().parse::<gst::Caps>().ok());
    let refuses = |name: &str| rest.contains(&format!(", {name} can't handle caps"));
    let caps = |name: &str, direction| {
        let pads = bin.by_name(name)?.pads().into_iter().filter(|p| p.direction() == direction && !p.is_linked());
        pads.map(|pad| pad.query_caps(None)).reduce(|mut all, caps| {
            all.merge(caps);
            all
        })
    };
    let behind = format!("{from} with the caps behind it");
    let (from, have, to, take) = match filter {
        Some(filter) if refuses(from) => (from, caps(from, gst::PadDirection::Src)?, "the caps behind it", filter),
        Some(filter) => (behind.as_str(), filter, to, caps(to, gst::PadDirection::Sink)?),
        None => (from, caps(from, gst::PadDirection::Src)?, to, caps(to, gst::PadDirection::Sink)?),
    };
    (!have.can_intersect(&take)).then(|| said(from, &have, to, &take))
}

/// Returns the name of a pad with that of its element.
fn name(pad: &gst::Pad) -> String {
    let element = pad.parent_element().map(|e| e.name().to_string()).unwrap_or_default();
    format!("{element}.{}", pad.name())
}

fn said(from: &str, have: &gst::Caps, to: &str, take: &gst::Caps) -> String {
    let (gives, takes) = (formats(have, take), formats(take, have));
    format!(
        "{from} and {to} have no format in common.\n  {from} gives {gives}\n  {to} takes {takes}\n  {}",
        cure(have, take)
    )
}

/// Returns caps in a few words: media types, with the formats of each and what else the two sides differ in.
fn formats(caps: &gst::Caps, other: &gst::Caps) -> String {
    if caps.is_any() {
        return "anything".into();
    }
    let apart = differing(caps, other);
    let mut all: Vec<String> = Vec::new();
    for (s, features) in caps.iter_with_features() {
        let mut text = s.name().to_string();
        if !features.is_any()
            && features.size() > 0
            && !features.is_equal(gst::CAPS_FEATURES_MEMORY_SYSTEM_MEMORY.as_ref())
        {
            text += &format!(" ({features})");
        }
        let shown = ["format"].into_iter().chain(apart.iter().copied().filter(|f| *f != "format"));
        for (field, value) in shown.filter_map(|f| Some((f, s.value(f).ok()?))) {
            text += &format!(", {field} {}", listed(value));
        }
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all.join("; ")
}

/// Returns the values of a list with commas between them, or any other value as it is.
fn listed(value: &glib::SendValue) -> String {
    let plain = |v: &glib::Value| v.get::<String>().or_else(|_| v.serialize().map(String::from)).unwrap_or_default();
    match value.get::<gst::List>() {
        Ok(list) => list.iter().map(|v| plain(v)).collect::<Vec<_>>().join(" "),
        Err(_) => plain(value),
    }
}

/// Returns the fields that every pair of structures of one media type differs in.
fn differing(have: &gst::Caps, take: &gst::Caps) -> Vec<&'static str> {
    let pairs = || have.iter().flat_map(|h| take.iter().map(move |t| (h, t))).filter(|(h, t)| h.name() == t.name());
    let apart = |field: &&str| {
        let mut both = pairs().filter_map(|(h, t)| Some((h.value(*field).ok()?, t.value(*field).ok()?))).peekable();
        both.peek().is_some() && both.all(|(h, t)| h.intersect(t).is_none())
    };
    ["format", "width", "height", "framerate", "pixel-aspect-ratio", "interlace-mode", "colorimetry"]
        .into_iter()
        .filter(apart)
        .collect()
}

/// Returns what to put into a link.
fn cure(have: &gst::Caps, take: &gst::Caps) -> String {
    let all = |caps: &gst::Caps, name: &str| !caps.is_any() && caps.iter().all(|s| s.name().as_str() == name);
    let any = |caps: &gst::Caps, name: &str| caps.is_any() || caps.iter().any(|s| s.name().as_str() == name);
    let put = |what: &str| format!("Put {what} between them.");
    if all(have, "video/x-bayer") && any(take, "video/x-raw") {
        return bayer(have);
    }
    if any(have, "video/x-raw") && any(take, "video/x-raw") {
        if let Some(feature) = memory(have).filter(|_| memory(take).is_none()) {
            return put(match feature.as_str() {
                "memory:GLMemory" => "gldownload",
                "memory:CUDAMemory" => "cudadownload",
                "memory:NVMM" => "nvvideoconvert (on Jetson nvvidconv) and video/x-raw",
                "memory:VAMemory" | "memory:VASurface" | "memory:DMABuf" => "vapostproc and video/x-raw",
                "memory:D3D11Memory" => "d3d11download",
                _ => "the element that brings this memory into the system's (a …download or …convert of its plugin)",
            });
        }
        let parts = differing(have, take).into_iter().map(|field| match field {
            "width" | "height" | "pixel-aspect-ratio" => "videoscale",
            "framerate" => "videorate",
            "interlace-mode" => "deinterlace",
            _ => "videoconvert",
        });
        let mut parts: Vec<_> = parts.collect();
        parts.dedup();
        return match parts.is_empty() {
            true => put("videoconvert ! videoscale ! videorate"),
            false => put(&parts.join(" ! ")),
        };
    }
    if any(take, "video/x-raw") && !have.is_any() {
        return match have.structure(0).map(|s| s.name().as_str()) {
            Some("image/jpeg") => put("jpegdec"),
            Some("image/png") => put("pngdec"),
            _ => put("decodebin ! videoconvert"),
        };
    }
    "Put an element between them that makes the one of the other, or correct the caps of a filter.".into()
}

/// Returns what to do with colour mosaics.
fn bayer(have: &gst::Caps) -> String {
    let Some(converter) = gst::ElementFactory::find("bayer2rgb") else {
        return "Put bayer2rgb between them (Debian has it in gstreamer1.0-plugins-bad), as pipelines/bayer.launch does.".into();
    };
    if converter.can_sink_any_caps(have) {
        return "Put bayer2rgb between them, as pipelines/bayer.launch does.".into();
    }
    let (major, minor, ..) = gst::version();
    format!(
        "A mosaic of more than 8 bits is taken by no element here: bayer2rgb of GStreamer {major}.{minor} takes 8 bits only. Set \
         the camera to 8 bits (BayerRG8 and the like) and put bayer2rgb between them, or let the camera make RGB or mono."
    )
}

/// Returns the memory that all of the caps are in; None if some are in that of the system.
fn memory(caps: &gst::Caps) -> Option<String> {
    let of = |features: &gst::CapsFeaturesRef| {
        let mut names = (0..features.size()).filter_map(|i| features.nth(i).map(|f| f.to_string()));
        names.find(|f| f.starts_with("memory:") && f != "memory:SystemMemory")
    };
    let all: Option<Vec<_>> = caps.iter_with_features().map(|(_, features)| of(features)).collect();
    all?.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Explains a bin in which the filter `a` gets its caps after it was linked, as those of a camera are known late.
    fn why(caps: &str) -> String {
        gst::init().unwrap();
        let line = "fakesrc ! identity ! capsfilter name=a ! queue name=q ! capsfilter name=b \
                    caps=video/x-raw,format=(string){RGB,GRAY8},width=8,height=8 ! fakesink";
        let bin = gst::parse::bin_from_description(line, false).unwrap();
        bin.by_name("a").unwrap().set_property("caps", caps.parse::<gst::Caps>().unwrap());
        explain(&bin).unwrap_or_default()
    }

    #[test]
    fn the_broken_link_is_named_with_both_sides_and_the_element_to_put_there() {
        for (above, gives, put) in [
            (
                "video/x-raw,format=I422_10LE,width=8,height=8",
                "video/x-raw, format I422_10LE",
                "Put videoconvert between",
            ),
            ("video/x-raw,format=RGB,width=9,height=8", "format RGB, width 9", "Put videoscale between"),
            (
                "video/x-raw,format=NV12,width=9,height=8",
                "format NV12, width 9",
                "Put videoconvert ! videoscale between",
            ),
            ("image/jpeg", "gives image/jpeg", "Put jpegdec between"),
            ("video/x-h264", "gives video/x-h264", "Put decodebin ! videoconvert between"),
            ("video/x-raw(memory:NVMM),format=RGB", "(memory:NVMM)", "nvvideoconvert"),
            ("video/x-bayer,format=rggb,width=8,height=8", "video/x-bayer, format rggb", "Put bayer2rgb between"),
        ] {
            let why = why(above);
            assert!(why.starts_with("q.src and b.sink have no format in common"), "{above}: {why}");
            assert!(
                why.contains(gives) && why.contains("b.sink takes video/x-raw, format RGB GRAY8"),
                "{above}: {why}"
            );
            assert!(why.contains(put), "{above}: {why}");
        }
        assert_eq!(why("video/x-raw,format=RGB,width=8,height=8"), "", "nothing is wrong there");
    }

    #[test]
    fn a_line_that_cannot_be_linked_is_explained_from_what_was_made_of_it() {
        gst::init().unwrap();
        let filter = "capsfilter name=b caps=video/x-raw,format=RGB ! fakesink";
        for (line, gives, put) in [
            (format!("fakesrc ! jpegenc name=small ! {filter}"), "small gives image/jpeg", "Put jpegdec between"),
            (format!("fakesrc ! image/png ! queue ! {filter}"), " gives image/png", "Put pngdec between"),
            (
                format!("fakesrc name=s ! video/x-raw,format=NV12 ! {filter}"),
                "behind it gives video/x-raw, format NV12",
                "Put videoconvert",
            ),
            // From 1.24 bayer2rgb takes it; before, the reason is given.
            (
                format!("fakesrc name=s ! video/x-bayer,format=rggb10le ! {filter}"),
                "gives video/x-bayer, format rggb10le",
                "bayer2rgb",
            ),
        ] {
            let why = parse(&line).unwrap_err().to_string();
            assert!(
                why.contains(gives) && why.contains(put) && why.contains("b takes video/x-raw, format RGB"),
                "{line}: {why}"
            );
        }
        assert_eq!(parse("nothing ! fakesink").unwrap_err().to_string(), "no element \"nothing\"");
        assert_eq!(parse("fakesrc ! fakesink").unwrap().type_(), gst::Pipeline::static_type());
    }
}
