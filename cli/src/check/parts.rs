// SPDX-License-Identifier: MPL-2.0
//! Whether the stream says what a part is: without it, verdicts are by frame, and nothing that needs parts is concluded.

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

/// Looks at the first element of each stream that has the property `part-by`.
pub fn look(made: &Made, findings: &mut Findings) {
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
