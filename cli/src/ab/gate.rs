// SPDX-License-Identifier: MPL-2.0
//! `--gate`: how much worse a challenger may be than the champion, from the gate file that `andon evaluate` reads.

use std::path::Path;

use andon_evaluate::Gate;
use anyhow::Result;
use gst::prelude::*;

use crate::app::Usage;

/// The figures of a gate that abjoin tests, and its properties for them.
const TESTED: [(&str, &str); 2] = [("escape_rate", "max-escape-increase"), ("overkill_rate", "max-overkill-increase")];

/// Sets abjoin's limits by a gate file.
///
/// # Errors
/// A file that is no gate, that demands nothing of what abjoin tests, or that says another limit than the pipeline file.
pub fn apply(path: &Path, join: &gst::Element) -> Result<()> {
    let gate = Gate::read(path)?;
    let mut set = false;
    for (figure, property) in TESTED {
        let Some(most) = gate.not_worse_by_more_than.get(figure).copied() else { continue };
        let here: f64 = join.property(property);
        let default = join.find_property(property).and_then(|p| p.default_value().get::<f64>().ok());
        if Some(here) != default && here != most {
            let what = format!(
                "{}: \"{figure}\" may be worse by {most}, and the pipeline sets {property}={here}: take it out of one of the two",
                path.display()
            );
            return Err(Usage(what).into());
        }
        let range = join.find_property(property).and_then(|p| p.downcast::<glib::ParamSpecDouble>().ok());
        if let Some(range) = range.filter(|range| !(range.minimum()..=range.maximum()).contains(&most)) {
            let (least, highest) = (range.minimum(), range.maximum());
            let what = format!("{}: \"{figure}\" is {most}, must be {least} to {highest}", path.display());
            return Err(Usage(what).into());
        }
        join.set_property(property, most);
        set = true;
    }
    if !set {
        let what = format!(
            "{}: its \"not_worse_by_more_than\" says nothing of \"escape_rate\" or \"overkill_rate\", which are what a judgement tests: add one, as in {{\"escape_rate\": 0.01}}",
            path.display()
        );
        return Err(Usage(what).into());
    }
    let floors = gate.at_least.keys().chain(gate.at_most.keys());
    let others = gate.not_worse_by_more_than.keys().filter(|figure| TESTED.iter().all(|(tested, _)| tested != figure));
    let others: Vec<_> = floors.chain(others).map(String::as_str).collect();
    if !others.is_empty() {
        eprintln!("note: a judgement does not test {}: andon evaluate --gate does", others.join(", "));
    }
    Ok(())
}
