// SPDX-License-Identifier: MPL-2.0
//! What every test of `modelinfer` needs: tiny models, and the element in a harness with a bus to hear it.

use std::sync::Arc;

use andon_core::result::{Arm, Inference, Part};
use gst::prelude::*;
use gst_check::Harness;
use gstandon::meta::{AndonInferenceMeta, event::AndonEvent, message::json_of};

use super::{root, runtime};

/// A tiny graph of tests/data, written by tests/oracles/make_models.py.
pub fn graph(name: &str) -> String {
    root().join("tests/data").join(name).with_extension("onnx").display().to_string()
}

/// A bundle around a tiny graph, with a manifest that `change` may spoil.
pub fn bundle(graph_name: &str, change: impl Fn(&mut serde_json::Value)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(graph(graph_name)).unwrap();
    let mut manifest = serde_json::json!({
        "schema": "andon.model/1", "name": graph_name, "version": "1", "task": "detection",
        "inputs": [{"name": "images", "source": "image", "colour": "grey", "size": [32, 32]}],
        "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["dark", "bright"]}],
        "thresholds": {"score": 0.25, "iou": 0.45},
        "verdict": {"rule": "any-detection"},
        "digests": {"model.onnx": andon_model::digest(&bytes)}
    });
    change(&mut manifest);
    std::fs::write(dir.path().join("model.onnx"), bytes).unwrap();
    std::fs::write(dir.path().join("model.json"), manifest.to_string()).unwrap();
    dir
}

/// Version `version` of the model `line`, around a tiny graph.
pub fn version(graph: &str, version: &str, change: impl Fn(&mut serde_json::Value)) -> tempfile::TempDir {
    bundle(graph, |m| {
        (m["name"], m["version"]) = ("line".into(), version.into());
        change(m);
    })
}

/// Rewrites a bundle's manifest.
pub fn edit(bundle: &tempfile::TempDir, change: impl Fn(&mut serde_json::Value)) {
    let at = bundle.path().join("model.json");
    let mut m = serde_json::from_str(&std::fs::read_to_string(&at).unwrap()).unwrap();
    change(&mut m);
    std::fs::write(at, m.to_string()).unwrap();
}

/// Gives a bundle a golden sample: a grey picture of one brightness, what it must be called, and what it shows.
pub fn prove_by(bundle: &tempfile::TempDir, level: u8, verdict: &str, labels: &[&str]) {
    let name = format!("{level}.png");
    let at = bundle.path().join(&name);
    let mut encoder = png::Encoder::new(std::fs::File::create(&at).unwrap(), 64, 64);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[level; 64 * 64]).unwrap();
    let sum = andon_model::digest(&std::fs::read(at).unwrap());
    edit(bundle, |m| {
        let sample = serde_json::json!({"image": name, "verdict": verdict, "labels": labels});
        match m["golden"].as_array_mut() {
            Some(golden) => golden.push(sample),
            None => m["golden"] = vec![sample].into(),
        }
        m["digests"][&name] = sum.clone().into();
    });
}

/// Its path, for properties.
pub fn path(dir: &tempfile::TempDir) -> String {
    dir.path().display().to_string()
}

/// A harness around the element, with a bus to hear it.
pub struct Bench {
    /// Its neighbours.
    pub h: Harness,
    /// Where it speaks.
    pub bus: gst::Bus,
    /// Frames made so far, 40 ms each.
    pub n: u64,
}

impl Bench {
    /// On grey frames of 64×64.
    pub fn new(properties: &[(&str, &dyn glib::value::ToValue)]) -> Self {
        Self::with_caps(properties, "video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1")
    }

    /// On frames of `caps`.
    pub fn with_caps(properties: &[(&str, &dyn glib::value::ToValue)], caps: &str) -> Self {
        runtime();
        let element = gst::ElementFactory::make("modelinfer").name("judge").build().unwrap();
        for (name, value) in properties {
            element.set_property_from_value(name, &value.to_value());
        }
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let mut h = Harness::with_element(&element, Some("sink"), Some("src"));
        h.set_src_caps_str(caps);
        Self { h, bus, n: 0 }
    }

    /// The element.
    pub fn element(&self) -> gst::Element {
        self.h.element().unwrap()
    }

    /// A frame of one brightness, of as many bytes as the caps need.
    pub fn frame(&mut self, level: u8, bytes: usize) -> gst::Buffer {
        let mut buffer = gst::Buffer::from_mut_slice(vec![level; bytes]);
        let b = buffer.get_mut().unwrap();
        b.set_pts(self.n * gst::ClockTime::from_mseconds(40));
        b.set_duration(gst::ClockTime::from_mseconds(40));
        self.n += 1;
        buffer
    }

    /// Pushes a frame and waits for one to come out.
    #[track_caller]
    pub fn push(&mut self, buffer: gst::Buffer) -> gst::Buffer {
        self.h.push(buffer).expect("the frame goes in");
        self.h.pull().expect("the frame comes out")
    }

    /// What is said of a grey 64×64 frame.
    #[track_caller]
    pub fn judge(&mut self, level: u8) -> Arc<Inference> {
        let frame = self.frame(level, 64 * 64);
        let frame = self.push(frame);
        AndonInferenceMeta::get(&frame, Arm::A).expect("every frame carries an outcome")
    }

    /// The next message of that name; waits for the element's own threads.
    #[track_caller]
    pub fn message(&self, name: &str) -> serde_json::Value {
        let until = std::time::Instant::now() + super::WATCHDOG;
        while std::time::Instant::now() < until {
            let message = self.bus.timed_pop(gst::ClockTime::from_mseconds(100));
            if let Some(json) = message.and_then(|m| json_of(&m, name)) {
                return json;
            }
        }
        panic!("no {name} came");
    }

    /// All messages so far.
    pub fn messages(&self) -> Vec<gst::Message> {
        std::iter::from_fn(|| self.bus.pop()).collect()
    }

    /// Id and verdict of every part judged so far.
    pub fn verdicts(&self) -> Vec<(String, String)> {
        super::jsons(&self.messages(), "andon/part-verdict")
            .iter()
            .map(|j| (j["id"].as_str().unwrap().to_string(), j["verdict"].as_str().unwrap().to_string()))
            .collect()
    }

    /// A number of the property `stats`.
    pub fn stat(&self, name: &str) -> u64 {
        self.element().property::<gst::Structure>("stats").get(name).unwrap()
    }

    /// Tells which part the next frames show.
    pub fn show(&mut self, id: &str, view: u32, views: u32) {
        let part = Part { id: id.into(), sku: "A".into(), view, views, ..Part::default() };
        assert!(self.h.push_event(AndonEvent::Part(Arc::new(part)).to_event()));
    }
}

impl Bench {
    /// Feeds dark frames until the swap under way is done; none may be lost or unlike the others.
    #[track_caller]
    pub fn swapped(&mut self) -> serde_json::Value {
        let until = std::time::Instant::now() + super::WATCHDOG;
        while std::time::Instant::now() < until {
            let frame = self.frame(10, 64 * 64);
            self.push(frame);
            for m in self.messages() {
                assert_eq!(json_of(&m, "andon/model-failed"), None);
                if let Some(changed) = json_of(&m, "andon/model-changed") {
                    return changed;
                }
            }
            std::thread::yield_now();
        }
        panic!("the swap did not come");
    }
}

impl Bench {
    /// Feeds dark frames until a message of that name comes.
    #[track_caller]
    pub fn message_while_frames(&mut self, name: &str) -> serde_json::Value {
        let until = std::time::Instant::now() + super::WATCHDOG;
        while std::time::Instant::now() < until {
            let frame = self.frame(10, 64 * 64);
            self.push(frame);
            if let Some(said) = self.messages().iter().find_map(|m| json_of(m, name)) {
                return said;
            }
            std::thread::yield_now();
        }
        panic!("no {name} came");
    }
}
