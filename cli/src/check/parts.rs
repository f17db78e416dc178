// SPDX-License-Identifier: MPL-2.0
//! What no element says of itself and a stream must say: what a part is, without which nothing that needs parts is concluded;
//! and how many bits a camera uses of 16.

use gst::prelude::*;

use super::{
    finding::{Findings, Topic},
    make::{Made, factory},
    shape::upstream,
};

/// Sources that say which part a frame shows, or by which a program says it.
const TELLS: [&str; 2] = ["defecttestsrc", "appsrc"];
/// Elements that read barcodes.
const READERS: [&str; 2] = ["zbar", "zxing"];

/// Looks at what each stream says.
pub fn look(made: &Made, findings: &mut Findings) {
    parts(made, findings);
    bits(made, findings);
}

/// Looks at the first element of each stream that has the property `bits`: caps of grey of 16 bits say nothing of the depth.
fn bits(made: &Made, findings: &mut Findings) {
    let has_depth = |e: &gst::Element| e.find_property("bits").is_some_and(|p| p.value_type() == u32::static_type());
    for element in made.elements.iter().flatten().filter(|e| has_depth(e)) {
        let caps = element.static_pad("sink").and_then(|p| p.peer()).map(|p| p.query_caps(None));
        let s = caps.as_ref().filter(|c| c.size() == 1 && !c.is_any()).and_then(|c| c.structure(0));
        let is_deep =
            s.is_some_and(|s| s.get::<&str>("format").is_ok_and(|f| f.starts_with("GRAY16")) && !s.has_field("bpp"));
        if is_deep && element.property::<u32>("bits") == 0 && !upstream(made, element).iter().any(has_depth) {
            let name = element.name();
            findings.warning(
                Topic::Value,
                made.line_of(element),
                format!(
                    "{name} reads 16 bits, and cameras that give GRAY16 mostly use 10, 12 or 14: frames would be dark"
                ),
                "Set bits= on each element that looks at pixels: what the camera uses (docs/cameras.md).",
            );
        }
    }
}

/// Looks at the first element of each stream that has the property `part-by`.
fn parts(made: &Made, findings: &mut Findings) {
    let has_rule = |e: &gst::Element| e.find_property("part-by").is_some();
    for element in made.elements.iter().flatten().filter(|e| has_rule(e)) {
        let before = upstream(made, element);
        // Of a stream whose beginning is not known nothing is said.
        let is_cut = |e: &gst::Element| made.excused.contains(e.name().as_str()) && !made.is_later(e);
        if before.iter().any(has_rule) || is_cut(element) || before.iter().any(is_cut) {
            continue;
        }
        let (name, line) = (element.name(), made.line_of(element));
        let rule = element.property::<Option<String>>("part-by").unwrap_or_default();
        let has = |kinds: &[&str]| before.iter().any(|e| kinds.contains(&factory(e).as_str()));
        match rule.as_str() {
            "" | "told" if !has(&TELLS) => findings.warning(
                Topic::Part,
                line,
                format!("nothing says what a part is: {name} judges by frame, and drift, comparisons and guards do not conclude"),
                format!("Set part-by on {name}: frame, every:10, pause:500000000, field:NAME or barcode (docs/parts.md)."),
            ),
            "barcode" if !has(&READERS) => findings.problem(
                Topic::Part,
                line,
                format!("{name} goes by barcodes, and nothing upstream reads them"),
                "Put zbar ahead of it.",
            ),
            "" | "told" => {}
            _ if has(&TELLS[..1]) => findings.problem(
                Topic::Part,
                line,
                format!("what a part is is said twice: by defecttestsrc, and by part-by={rule} on {name}"),
                format!("Take part-by off {name}, or set it to told."),
            ),
            _ => {}
        }
    }
}
