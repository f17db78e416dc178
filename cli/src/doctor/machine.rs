// SPDX-License-Identifier: MPL-2.0
//! Facts about this machine that need no trial: system, cores, versions, devices.

use std::{env::consts, fs, path::Path};

use andon_inference::runtime;

/// Returns the facts with their names, in the order of the table.
pub fn facts() -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("system", format!("{} {}", consts::OS, consts::ARCH)),
        ("processor", processor()),
        ("GStreamer", gst::version_string().replace("GStreamer ", "")),
        ("Andon", env!("CARGO_PKG_VERSION").into()),
    ];
    match (runtime::release(), runtime::library()) {
        (Ok(version), Some(path)) => facts.push(("ONNX Runtime", format!("{version}, {}", path.display()))),
        (Err(e), _) => facts.push(("ONNX Runtime", e.to_string())),
        (Ok(version), None) => facts.push(("ONNX Runtime", version)),
    }
    facts.push(("devices", devices()));
    facts
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ").map(|(_, m)| m.trim()));
    let cores = runtime::cores();
    let s = if cores == 1 { "" } else { "s" };
    format!("{}{cores} physical core{s} to use", model.map_or_else(String::new, |m| format!("{m}, ")))
}

/// Returns GPUs and neural engines by their device files. A provider may still lack its libraries.
fn devices() -> String {
    let mut seen = Vec::new();
    for (folder, prefix) in [("/dev", "nvidia"), ("/dev/dri", "renderD"), ("/dev/accel", "accel"), ("/dev", "dxg")] {
        let mut names: Vec<_> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .filter(|n| n.strip_prefix(prefix).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit())))
            .collect();
        names.sort();
        seen.extend(names.iter().map(|name| format!("{folder}/{name}{}", maker(name))));
    }
    if seen.is_empty() { "no GPU or neural engine seen".into() } else { seen.join(", ") }
}

/// Returns the maker of a device, if the kernel tells.
fn maker(name: &str) -> &'static str {
    let class = if name.starts_with("renderD") { "drm" } else { "accel" };
    let vendor = fs::read_to_string(Path::new("/sys/class").join(class).join(name).join("device/vendor"));
    match vendor.unwrap_or_default().trim() {
        "0x8086" => " (Intel)",
        "0x10de" => " (NVIDIA)",
        "0x1002" => " (AMD)",
        _ => "",
    }
}
