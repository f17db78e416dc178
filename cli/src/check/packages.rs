// SPDX-License-Identifier: MPL-2.0
//! Which Debian package has an element that is not there, and which element may have been meant.

/// What the names of elements begin with, and Debian's package of those elements. The first that fits counts.
const PACKAGES: &[(&str, &str)] = &[
    ("aravissrc", "libaravis-0.8-0"),
    ("avdec_", "gstreamer1.0-libav"),
    ("avenc_", "gstreamer1.0-libav"),
    ("avmux_", "gstreamer1.0-libav"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
    ("mpeg2dec", "gstreamer1.0-plugins-ugly"),
    ("libcamerasrc", "gstreamer1.0-libcamera"),
    ("pipewire", "gstreamer1.0-pipewire"),
    ("vaapi", "gstreamer1.0-vaapi"),
    ("gtk", "gstreamer1.0-gtk3"),
    ("ximagesink", "gstreamer1.0-x"),
    ("xvimagesink", "gstreamer1.0-x"),
    ("gl", "gstreamer1.0-gl"),
    ("alsa", "gstreamer1.0-alsa"),
    ("rtspclientsink", "gstreamer1.0-rtsp"),
    ("bayer2rgb", "gstreamer1.0-plugins-bad"),
    ("rgb2bayer", "gstreamer1.0-plugins-bad"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("h265parse", "gstreamer1.0-plugins-bad"),
    ("openh264", "gstreamer1.0-plugins-bad"),
    ("zbar", "gstreamer1.0-plugins-bad"),
    ("onnxinference", "gstreamer1.0-plugins-bad"),
    ("objectdetectionoverlay", "gstreamer1.0-plugins-bad"),
    ("va", "gstreamer1.0-plugins-bad"),
    ("nvh26", "gstreamer1.0-plugins-bad"),
    ("cuda", "gstreamer1.0-plugins-bad"),
    ("qsv", "gstreamer1.0-plugins-bad"),
    ("srt", "gstreamer1.0-plugins-bad"),
    ("v4l2sl", "gstreamer1.0-plugins-bad"),
    ("v4l2", "gstreamer1.0-plugins-good"),
    ("rtsp", "gstreamer1.0-plugins-good"),
    ("rtp", "gstreamer1.0-plugins-good"),
    ("udp", "gstreamer1.0-plugins-good"),
    ("qtdemux", "gstreamer1.0-plugins-good"),
    ("qtmux", "gstreamer1.0-plugins-good"),
    ("mp4mux", "gstreamer1.0-plugins-good"),
    ("avimux", "gstreamer1.0-plugins-good"),
    ("avidemux", "gstreamer1.0-plugins-good"),
    ("matroska", "gstreamer1.0-plugins-good"),
    ("multifile", "gstreamer1.0-plugins-good"),
    ("splitmux", "gstreamer1.0-plugins-good"),
    ("jpeg", "gstreamer1.0-plugins-good"),
    ("png", "gstreamer1.0-plugins-good"),
    ("auto", "gstreamer1.0-plugins-good"),
    ("pulse", "gstreamer1.0-plugins-good"),
    ("imagefreeze", "gstreamer1.0-plugins-good"),
    ("capssetter", "gstreamer1.0-plugins-good"),
    ("videocrop", "gstreamer1.0-plugins-good"),
    ("videoflip", "gstreamer1.0-plugins-good"),
    ("deinterlace", "gstreamer1.0-plugins-good"),
    ("video", "gstreamer1.0-plugins-base"),
    ("decodebin", "gstreamer1.0-plugins-base"),
    ("uridecodebin", "gstreamer1.0-plugins-base"),
    ("parsebin", "gstreamer1.0-plugins-base"),
    ("playbin", "gstreamer1.0-plugins-base"),
    ("app", "gstreamer1.0-plugins-base"),
    ("tcp", "gstreamer1.0-plugins-base"),
    ("theora", "gstreamer1.0-plugins-base"),
    ("ogg", "gstreamer1.0-plugins-base"),
];

/// Elements of makers whose packages Debian has not, by what their names begin with, and where they come from.
const MAKERS: &[(&str, &str)] = &[
    ("nvv4l2", "NVIDIA's DeepStream or Jetson packages"),
    ("nvvid", "NVIDIA's DeepStream or Jetson packages"),
    ("nvarguscamerasrc", "NVIDIA's Jetson packages"),
    ("pylonsrc", "Basler's gst-plugin-pylon"),
    ("tcamsrc", "The Imaging Source's tiscamera"),
];

/// Returns where an element that is not there comes from: a sentence, or None if nobody knows it.
pub fn origin(factory: &str) -> Option<String> {
    let fits = |(start, _): &&(&str, &str)| factory.starts_with(*start);
    if let Some((_, maker)) = MAKERS.iter().find(fits) {
        return Some(format!("It comes with {maker}."));
    }
    let (_, package) = PACKAGES.iter().find(fits)?;
    Some(format!("Debian has it in {package}: apt-get install {package}"))
}

/// Returns the names of elements that are known in full, whether they are here or not.
pub fn whole_names() -> impl Iterator<Item = &'static str> {
    let names = PACKAGES.iter().map(|(name, _)| *name);
    names.filter(|name| ["src", "sink", "enc", "dec", "parse", "mux", "2rgb"].iter().any(|end| name.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_by_the_start_of_a_name() {
        assert!(origin("avdec_h264").unwrap().contains("gstreamer1.0-libav"));
        assert!(origin("v4l2slh264dec").unwrap().contains("plugins-bad"), "the longer start counts");
        assert!(origin("nvv4l2decoder").unwrap().contains("NVIDIA"));
        assert_eq!(origin("modelinfr"), None);
    }
}
