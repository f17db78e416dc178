// SPDX-License-Identifier: MPL-2.0
//! Sets the properties of one element as a launch line does, and says which value is not taken, and what is.

use andon_evaluate::pipeline::bus;
use glib::translate::{ToGlibPtr, ToGlibPtrMut};
use gst::prelude::*;

use super::{
    finding::{Findings, Topic},
    grammar::{Node, Setting},
};
use crate::meant::nearest;

/// Sets all properties of a node on its element, which is in the pipeline.
pub fn set(node: &Node, element: &gst::Element, pipeline: &gst::Pipeline, findings: &mut Findings) {
    for setting in &node.settings {
        if let Err((topic, what, cure)) = one(element, setting) {
            findings.problem(topic, setting.line, what, cure);
        }
        // What an element does not take for its meaning, it says on the bus.
        while let Some(message) = pipeline.bus().and_then(|bus| bus.pop()) {
            if let Some(why) = bus::warning(&message).or_else(|| bus::error(&message)) {
                let cure = format!("`gst-inspect-1.0 {}` and docs/reference.md say what it takes.", node.factory);
                findings.problem(Topic::Value, setting.line, why, cure);
            }
        }
    }
}

fn one(element: &gst::Element, setting: &Setting) -> Result<(), (Topic, String, String)> {
    let Setting { name, value, .. } = setting;
    let element_name = element.name();
    if name.contains("::") {
        // Of a child, which may come while the pipeline runs.
        return Ok(());
    }
    let Some(pspec) = element.find_property(name) else {
        let all: Vec<_> = element.list_properties().iter().map(|p| p.name().to_string()).collect();
        let cure = nearest(name, all.iter().map(String::as_str)).map_or_else(
            || format!("`gst-inspect-1.0 {}` lists its properties.", factory(element)),
            |meant| format!("Did you mean {meant}?"),
        );
        return Err((Topic::Property, format!("{element_name} has no property {name}"), cure));
    };
    let flags = pspec.flags();
    if !flags.contains(glib::ParamFlags::WRITABLE) {
        let what = format!("{element_name}: {name} can be read and not set");
        return Err((Topic::Property, what, "Take it out of the file.".into()));
    }
    if flags.contains(glib::ParamFlags::CONSTRUCT_ONLY) || pspec.value_type().is_a(gst::Element::static_type()) {
        return Ok(());
    }
    let bad = || {
        let what = format!("{element_name}: {name} does not take '{value}'");
        let class = glib::EnumClass::with_type(pspec.value_type());
        let nicks: Vec<_> = class.iter().flat_map(|c| c.values()).map(|v| v.nick().to_string()).collect();
        let meant = nearest(value, nicks.iter().map(String::as_str));
        let meant = meant.map(|meant| format!(" Did you mean {meant}?")).unwrap_or_default();
        Err((Topic::Value, what, format!("It takes {}.{meant}", takes(&pspec))))
    };
    let Ok(mut read) = glib::Value::deserialize_with_pspec(value, &pspec) else { return bad() };
    // SAFETY: both are valid for the call, and the value is of the property's type. It may change the value, and says so.
    let is_changed = unsafe {
        glib::gobject_ffi::g_param_value_validate(pspec.to_glib_none().0, read.to_glib_none_mut().0)
            != glib::ffi::GFALSE
    };
    if is_changed {
        return bad();
    }
    element.set_property_from_value(name, &read);
    Ok(())
}

fn factory(element: &gst::Element) -> String {
    element.factory().map(|f| f.name().to_string()).unwrap_or_default()
}

/// Returns what a property takes, in words.
fn takes(pspec: &glib::ParamSpec) -> String {
    let kind = pspec.value_type();
    if let Some(class) = glib::EnumClass::with_type(kind) {
        let nicks: Vec<_> = class.values().iter().map(|v| v.nick().to_string()).collect();
        return match nicks.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => nicks.join(""),
        };
    }
    if let Some(class) = glib::FlagsClass::with_type(kind) {
        let nicks: Vec<_> = class.values().iter().map(|v| v.nick().to_string()).collect();
        return format!("{} (several with '+' between them)", nicks.join(", "));
    }
    macro_rules! range {
        ($($spec:ty),*) => { $(
            if let Some(p) = pspec.downcast_ref::<$spec>() {
                return format!("a number from {} to {}", p.minimum(), p.maximum());
            }
        )* };
    }
    range!(
        glib::ParamSpecInt,
        glib::ParamSpecUInt,
        glib::ParamSpecInt64,
        glib::ParamSpecUInt64,
        glib::ParamSpecLong,
        glib::ParamSpecULong,
        glib::ParamSpecFloat,
        glib::ParamSpecDouble
    );
    match kind.name() {
        "gboolean" => "true or false".into(),
        "GstCaps" => "caps, such as video/x-raw,format=RGB,width=640".into(),
        "GstStructure" => "a structure, such as fields,speed=1.5,recipe=a".into(),
        "GstFraction" => "a fraction, such as 25/1".into(),
        other => format!("a {other}"),
    }
}
