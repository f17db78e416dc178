// SPDX-License-Identifier: MPL-2.0
//! Where a pipeline has its arms: the abjoin to listen to, and the abtee before it.

use gst::prelude::*;

/// The abjoin of that name, or the only one; else what to do about it.
pub fn join(pipeline: &gst::Pipeline, name: Option<&str>) -> Result<gst::Element, String> {
    let joins = all(pipeline.upcast_ref(), "abjoin");
    let names: Vec<_> = joins.iter().map(|j| j.name().to_string()).collect();
    let names = names.join(", ");
    match (name, joins.as_slice()) {
        (_, []) => Err("no abjoin in it, so there are no two arms to compare; \
                        pipelines/shadow.launch shows how abtee and abjoin are put around two models"
            .into()),
        (Some(name), joins) => joins
            .iter()
            .find(|j| j.name() == name)
            .cloned()
            .ok_or_else(|| format!("no abjoin is called {name}; name one with --join: {names}")),
        (None, [join]) => Ok(join.clone()),
        (None, _) => Err(format!("{} abjoins in it; name one with --join: {names}", joins.len())),
    }
}

/// The abtee that feeds `join`, where it can be found upstream of its sink_a.
pub fn tee(join: &gst::Element) -> Option<gst::Element> {
    let mut pad = join.static_pad("sink_a")?;
    loop {
        let before = pad.peer()?.parent_element()?;
        if is(&before, "abtee") {
            return Some(before);
        }
        if let Some(bin) = before.downcast_ref::<gst::Bin>()
            && let Some(tee) = all(bin, "abtee").into_iter().next()
        {
            return Some(tee);
        }
        pad = before.sink_pads().into_iter().next()?;
    }
}

/// What abjoin's report-interval is where nobody has set it, ns.
pub fn default_interval(join: &gst::Element) -> u64 {
    let default = join.find_property("report-interval").map(|p| p.default_value().get::<u64>());
    default.and_then(Result::ok).unwrap_or(0)
}

fn all(bin: &gst::Bin, factory: &str) -> Vec<gst::Element> {
    // Elements that were added in the meantime make an iterator start anew; nobody adds any before the first state change.
    let mut found: Vec<_> = bin.iterate_recurse().into_iter().flatten().filter(|e| is(e, factory)).collect();
    found.sort_by_key(|e| e.name());
    found
}

fn is(element: &gst::Element, factory: &str) -> bool {
    element.factory().is_some_and(|f| f.name() == factory)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "fakesrc ! abtee name=t  t.src_a ! identity ! j.sink_a  t.src_b ! identity ! j.sink_b  abjoin name=j ! fakesink";

    fn pipeline(line: &str) -> gst::Pipeline {
        crate::app::init().unwrap();
        gst::parse::launch(line).unwrap().downcast().unwrap()
    }

    #[test]
    fn the_only_join_is_found_and_its_tee() {
        let pipeline = pipeline(LINE);
        let found = join(&pipeline, None).unwrap();
        assert_eq!(found.name(), "j");
        assert_eq!(tee(&found).unwrap().name(), "t");
        assert!(default_interval(&found) > 0);
    }

    #[test]
    fn of_two_joins_one_has_to_be_named() {
        let both = pipeline(&format!("{LINE} abjoin name=k ! fakesink"));
        assert!(join(&both, None).unwrap_err().ends_with("name one with --join: j, k"));
        assert_eq!(join(&both, Some("k")).unwrap().name(), "k");
        assert!(join(&both, Some("x")).unwrap_err().contains("no abjoin is called x"));
        assert!(tee(&join(&both, Some("k")).unwrap()).is_none(), "nothing is linked to it");
    }

    #[test]
    fn a_line_without_arms_is_told_where_to_see_some() {
        assert!(join(&pipeline("fakesrc ! fakesink"), None).unwrap_err().contains("pipelines/shadow.launch"));
    }
}
