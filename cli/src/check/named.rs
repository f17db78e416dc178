// SPDX-License-Identifier: MPL-2.0
//! What properties name: models, stores, references, files and folders. Everything is read, and nothing written.

use std::path::{Path, PathBuf};

use andon_core::files;
use andon_inference::{Described, Hints, describe, requested_providers, split_labels};
use andon_model::{self as model, InputSource, Source, Store, Trust};
use andon_statistics::meter::References;
use gst::prelude::*;

use super::{
    finding::{Findings, Topic},
    make::{Made, factory},
    paths::{self, Fault},
    shape::upstream,
};
use crate::limit::rest;

/// The largest file of references, bytes.
const LARGEST: u64 = 4 * files::TEXT;

/// Looks at what the properties of all elements name.
pub fn look(made: &Made, findings: &mut Findings) {
    for element in made.elements.iter().flatten() {
        let mut look = Look { made, element, line: made.line_of(element), findings: &mut *findings };
        match factory(element).as_str() {
            "modelinfer" => look.model(),
            "abjoin" => look.join(),
            "driftmeter" => look.meter(),
            "framesampler" => look.sampler(),
            _ => look.file(),
        }
    }
}

struct Look<'a> {
    made: &'a Made,
    element: &'a gst::Element,
    line: usize,
    findings: &'a mut Findings,
}

impl Look<'_> {
    /// Returns a text property; None if it is empty or not there.
    fn text(&self, name: &str) -> Option<String> {
        text(self.element, name)
    }

    fn problem(&mut self, topic: Topic, what: impl Into<String>, cure: impl Into<String>) {
        let what = format!("{}: {}", self.element.name(), what.into());
        self.findings.problem(topic, self.line, what, cure);
    }

    /// Adds an error whose text says behind its last colon what to do.
    fn error(&mut self, topic: Topic, property: &str, error: &str) {
        let (what, cure) = match error.rsplit_once(": ") {
            Some((what, cure)) if cure.contains(' ') => (what.to_string(), sentence(cure)),
            _ => (error.to_string(), format!("Set {property} to what is meant.")),
        };
        self.problem(topic, format!("{property}: {what}"), cure);
    }

    fn fault(&mut self, topic: Topic, property: &str, fault: Option<Fault>) {
        if let Some(Fault { what, cure }) = fault {
            self.problem(topic, format!("{property}: {what}"), cure);
        }
    }

    fn model(&mut self) {
        if let Err(e) = requested_providers(&self.text("execution-providers").unwrap_or_default()) {
            self.error(Topic::Value, "execution-providers", &e.to_string());
        }
        let Some(named) = self.text("model") else {
            let cure = "Set model= to a bundle folder, an .onnx file, or STORE/NAME@VERSION.";
            return self.problem(Topic::Model, "no model is set, so that every frame is unjudged", cure);
        };
        let trust = self.text("trusted-keys").map(|keys| Trust::read(Path::new(&keys))).transpose();
        let opened = match trust {
            Ok(Some(trust)) => model::open_trusted(&named, &trust),
            Ok(None) => model::open(&named),
            Err(e) => return self.error(Topic::File, "trusted-keys", &e.to_string()),
        };
        match opened {
            Ok(source) => self.inputs(&named, &source),
            Err(e) => self.error(Topic::Model, "model", &e.to_string()),
        }
    }

    /// Looks at what a model needs beside the frame.
    fn inputs(&mut self, named: &str, source: &Source) {
        let Some(manifest) = &source.manifest else { return self.bare(named) };
        let root = self.text("image-root");
        if let Some(folder) = root.as_deref().filter(|folder| !Path::new(folder).is_dir()) {
            let what = format!("image-root: {folder} is no folder");
            self.problem(Topic::File, what, "Set it to the folder of the golden templates.");
        }
        for input in &manifest.inputs {
            match input.source() {
                Some(InputSource::ImageFile) if root.is_none() => {
                    let what =
                        format!("the model compares with the template {}", input.pattern.as_deref().unwrap_or("?"));
                    self.problem(Topic::Model, what, "Set image-root= to the folder of the templates.");
                }
                Some(InputSource::Field(name)) if input.required => {
                    let fields = self.element.property::<Option<gst::Structure>>("fields");
                    if fields.is_none_or(|fields| !fields.has_field(&name)) {
                        let what = format!(
                            "{}: the model needs the field {name}, which nothing here gives",
                            self.element.name()
                        );
                        let cure = format!(
                            "Set fields=\"fields,{name}=…\", or send it by the event andon/fields: frames without it are unjudged."
                        );
                        self.findings.warning(Topic::Model, self.line, what, cure);
                    }
                }
                _ => {}
            }
        }
    }

    /// Looks at an .onnx file without a manifest, which is loaded for it.
    fn bare(&mut self, named: &str) {
        let labels = self.text("labels").as_deref().map(split_labels).unwrap_or_default();
        let hints = Hints { labels, time_limit: Some(andon_inference::patience("cpu")), ..Hints::default() };
        match rest(|| describe(named, &hints)) {
            Ok(Described::Whole { .. }) => {}
            Ok(Described::Lacks(what)) => {
                let what = format!("model: {named} does not say everything that is needed: {what:?}");
                self.problem(
                    Topic::Model,
                    what,
                    format!("`andon model init {named}` makes a bundle of it, and asks for the rest."),
                );
            }
            Err(e) => self.error(Topic::Model, "model", &e.to_string()),
        }
    }

    fn join(&mut self) {
        let is_full = self.element.property_value("auto").serialize().is_ok_and(|nick| nick == "full");
        match self.text("store") {
            None if is_full => {
                let cure = "Set store=STORE/NAME, or auto=abort.";
                self.problem(Topic::Model, "auto=full moves aliases, and no store is set", cure);
            }
            None => {}
            Some(store) => match Store::open(Path::new(&store)) {
                Err(e) => self.error(Topic::Model, "store", &e.to_string()),
                Ok(_) if !is_full => {}
                Ok(opened) => match opened.aliases() {
                    Err(e) => self.error(Topic::Model, "store", &e.to_string()),
                    Ok(aliases) => {
                        for alias in ["champion", "challenger"].into_iter().filter(|a| !aliases.contains_key(*a)) {
                            let cure = format!("andon model alias {store} {alias} VERSION");
                            self.problem(Topic::Model, format!("store: {store} has no alias {alias}"), cure);
                        }
                    }
                },
            },
        }
        for (property, fault) in [
            ("labels", self.text("labels").and_then(|p| paths::in_folder(Path::new(&p)))),
            ("ledger", self.text("ledger").and_then(|p| paths::folder(Path::new(&p)))),
        ] {
            self.fault(Topic::File, property, fault);
        }
    }

    fn meter(&mut self) {
        let persist = self.text("persist").and_then(|p| paths::in_folder(Path::new(&p)));
        self.fault(Topic::File, "persist", persist);
        let Some(named) = self.text("reference") else { return };
        if named == "bundle" {
            return self.bundled();
        }
        let key = self.text("reference-key").unwrap_or_default();
        let cure = "Set reference to a file that save-reference or `andon reference` wrote for this camera, or leave it out to learn.";
        let references = files::read_text(Path::new(&named), LARGEST).map_err(|e| e.to_string());
        let references = match references.and_then(|text| References::from_json(&text).map_err(|e| e.to_string())) {
            Ok(references) => references,
            Err(e) => return self.problem(Topic::Reference, format!("reference: {named}: {e}"), cure),
        };
        let held = match &references {
            References::One(_) => String::new(),
            References::By(set) => set.key.clone(),
        };
        if held != key {
            let of =
                |key: &str| if key.is_empty() { "one for all frames".into() } else { format!("one for each {key}") };
            let what = format!("reference: {named} holds {}, and reference-key asks for {}", of(&held), of(&key));
            return self.problem(
                Topic::Reference,
                what,
                "Set reference-key to what the file holds, or learn a new reference.",
            );
        }
        let (References::One(reference), Some([width, height])) = (references, self.frame()) else { return };
        let [w, h] = reference.frame;
        if [w, h] != [width, height] {
            let what = format!(
                "reference: {named} was learned on frames of {w}×{h}, and here they have {width}×{height}: it is of another camera"
            );
            self.problem(Topic::Reference, what, cure);
        }
    }

    /// Looks at the reference of the bundle of the model upstream.
    fn bundled(&mut self) {
        let models = upstream(self.made, self.element);
        let Some(model) = models.iter().find(|e| factory(e) == "modelinfer") else {
            let cure = "Put a modelinfer ahead of it, or name a file.";
            return self.problem(Topic::Reference, "reference=bundle, and there is no model upstream", cure);
        };
        // A model that cannot be opened is told of itself.
        let Some(source) = text(model, "model").and_then(|m| model::inspect(&m).ok()) else { return };
        if source.manifest.is_some_and(|m| m.reference.is_none()) {
            let what = format!("reference=bundle, and the bundle of {} has none", model.name());
            self.problem(Topic::Reference, what, "Leave reference out to learn, or name a file.");
        }
    }

    /// Returns width and height of the frames, where the caps upstream say them.
    fn frame(&self) -> Option<[usize; 2]> {
        let caps = self.element.static_pad("sink")?.peer()?.query_caps(None);
        let s = caps.structure(0).filter(|_| caps.size() == 1)?;
        let side = |name: &str| usize::try_from(s.get::<i32>(name).ok()?).ok();
        Some([side("width")?, side("height")?])
    }

    fn sampler(&mut self) {
        if let Some(folder) = self.text("location") {
            let fault = paths::folder(Path::new(&folder));
            return self.fault(Topic::File, "location", fault);
        }
        let is_on = |name: &&str| self.element.property::<bool>(name);
        let cure = "Set location= to the folder that captures are to go to.";
        if let Some(trigger) = ["on-ng", "on-drift", "on-disagreement", "on-unjudged"].into_iter().find(is_on) {
            return self.problem(Topic::File, format!("{trigger} captures, and no location is set"), cure);
        }
        let what = format!("{}: no location is set: until then nothing is captured", self.element.name());
        self.findings.warning(Topic::File, self.line, what, cure);
    }

    /// Looks at the files that other elements name.
    fn file(&mut self) {
        let class = self.element.factory().and_then(|f| f.metadata("klass").map(String::from)).unwrap_or_default();
        if let Some(path) = self.text("location").filter(|path| !path.contains("://")) {
            let path = PathBuf::from(path);
            let fault = match (class.contains("Source"), path.to_string_lossy().contains('%')) {
                (true, false) => paths::readable(&path),
                (true, true) => None,
                (false, _) if class.contains("Sink") => paths::in_folder(&path),
                _ => None,
            };
            self.fault(Topic::File, "location", fault);
        }
        let uri = self.text("uri");
        if let Some(path) = uri.as_deref().and_then(|uri| glib::filename_from_uri(uri).ok()) {
            let fault = paths::readable(&path.0);
            self.fault(Topic::File, "uri", fault);
        }
        let device = self.text("device").filter(|path| path.starts_with("/dev/") && !Path::new(path).exists());
        if let Some(device) = device {
            let what = format!("{}: device: {device} is not there", self.element.name());
            self.findings.warning(Topic::File, self.line, what, "Plug the camera in, or name another: ls /dev/video*");
        }
    }
}

fn text(element: &gst::Element, name: &str) -> Option<String> {
    let pspec = element.find_property(name).filter(|p| p.flags().contains(glib::ParamFlags::READABLE))?;
    if pspec.value_type() == String::static_type() {
        return element.property::<Option<String>>(name).map(|t| t.trim().to_string()).filter(|t| !t.is_empty());
    }
    let is_path = pspec.name() == "location" && pspec.value_type().is_a(String::static_type());
    is_path.then(|| element.property::<Option<String>>(name)).flatten()
}

/// Makes a sentence of the end of one. A property's name stays as it is.
fn sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let word = text.split(' ').next().unwrap_or_default();
    match word.chars().all(char::is_alphabetic) {
        true => format!("{}{}.", text[..1].to_uppercase(), &text[1..]),
        false => format!("{text}."),
    }
}
