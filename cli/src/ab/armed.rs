// SPDX-License-Identifier: MPL-2.0
//! Whether each arm has a model, before anything is played: without one there is nothing to compare.

use std::path::Path;

use andon_model::{self as model, Store, store::CHAMPION};
use gst::prelude::*;

/// Why there is nothing to compare, and the command that helps. None if every arm has the models that it names, or has
/// none of Andon's elements, of which nothing is known.
pub fn missing(join: &gst::Element) -> Option<String> {
    let arms = ["a", "b"].into_iter().filter_map(|arm| {
        let without = models(join, &format!("sink_{arm}")).into_iter().find_map(|element| {
            let named = element.property::<Option<String>>("model").unwrap_or_default();
            let error = model::inspect(&named).err()?;
            Some(format!("{}: {error}{}", element.name(), help(&named, &error)))
        });
        without.map(|why| format!("arm {arm} has no model: {why}"))
    });
    let arms: Vec<_> = arms.collect();
    if arms.is_empty() { None } else { Some(format!("nothing to compare, so nothing was played: {}", arms.join("; "))) }
}

/// The modelinfers upstream of a pad, as far as the abtee.
fn models(join: &gst::Element, pad: &str) -> Vec<gst::Element> {
    let (mut found, mut pad) = (Vec::new(), join.static_pad(pad));
    while let Some(before) = pad.as_ref().and_then(gst::Pad::peer).and_then(|peer| peer.parent_element()) {
        match before.factory().map(|f| f.name().to_string()).as_deref() {
            Some("abtee") => break,
            Some("modelinfer") => found.push(before.clone()),
            _ => {}
        }
        pad = before.sink_pads().into_iter().next();
    }
    found
}

/// The commands that give an arm the model that it names, where it names one of a store.
fn help(named: &str, error: &model::Error) -> String {
    let Some((folder, reference)) = named.rsplit_once('@') else { return String::new() };
    let store = Path::new(folder).parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let add = format!("`andon model add BUNDLE {}`", store.display());
    match error {
        model::Error::NotFound { .. } => {
            format!(": add its versions with {add}, and set the alias: `{}`", alias(folder, reference, "VERSION"))
        }
        model::Error::NoVersion { .. } => match other(folder) {
            Some(version) => format!(": set it with `{}`", alias(folder, reference, &version)),
            None => format!(
                ": add another version with {add}, and set the alias: `{}`",
                alias(folder, reference, "VERSION")
            ),
        },
        _ => String::new(),
    }
}

fn alias(folder: &str, alias: &str, version: &str) -> String {
    format!("andon model alias {folder} {alias} {version}")
}

/// The last version of a store that is not champion.
fn other(folder: &str) -> Option<String> {
    let store = Store::open(Path::new(folder)).ok()?;
    let champion = store.aliases().ok()?.remove(CHAMPION);
    store.versions().ok()?.into_iter().rev().find(|v| Some(v) != champion.as_ref())
}
