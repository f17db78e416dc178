// SPDX-License-Identifier: MPL-2.0
//! Facts about this machine that need no trial: system, cores, versions, devices.

use std::{env::consts, fs, path::Path};

use andon_inference::{
    runtime,
    telemetry::{self, Telemetry, VARIABLE},
};

use super::limits;

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
    facts.push(("reports", reports(&telemetry::telemetry(), runtime::library())));
    facts.push(("devices", devices()));
    facts.extend(limits::facts());
    facts
}

/// Returns whether ONNX Runtime reports to its maker.
fn reports(said: &Telemetry, library: Option<&Path>) -> String {
    let able = library.map(telemetry::has_uploader);
    match (able, said) {
        (None, _) => "none: there is no library that could".into(),
        (Some(Ok(false)), _) => "none: this library has no uploader".into(),
        (Some(Ok(true)), Telemetry::Off) => format!("off: this library has an uploader, and {VARIABLE} holds it back"),
        // It would not have been opened.
        (Some(Ok(true)), Telemetry::Unsaid) => format!("ON: set {VARIABLE}=1"),
        (Some(Ok(true)), Telemetry::On(value)) => format!(
            "ON, as {VARIABLE}={} asks: names and hashes of models go to mobile.events.data.microsoft.com; set it to 1, or \
             unset it",
            andon_core::text::shown(&value.to_string_lossy())
        ),
        (Some(Err(e)), _) => format!("unknown: {e}"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_off_unless_somebody_asks_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let (able, unable) = (folder.path().join("able.so"), folder.path().join("unable.so"));
        fs::write(&able, format!("\0{VARIABLE}\0")).unwrap();
        fs::write(&unable, "\0").unwrap();
        let on = Telemetry::On("0".into());
        for (said, library, expects) in [
            (&Telemetry::Off, Some(&able), "off: "),
            (&Telemetry::Off, Some(&unable), "none: this library"),
            (&on, Some(&unable), "none: this library"),
            (&on, Some(&able), "ON, as ORT_DISABLE_TELEMETRY=0 asks: "),
            (&Telemetry::Unsaid, Some(&able), "ON: set ORT_DISABLE_TELEMETRY=1"),
            (&Telemetry::Off, None, "none: there is no library"),
        ] {
            let told = reports(said, library.map(|l| l.as_path()));
            assert!(told.starts_with(expects), "{said:?}: {told}");
        }
    }
}
