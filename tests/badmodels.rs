// SPDX-License-Identifier: MPL-2.0
//! Models and manifests that cannot work. Each is refused with a text that names it and says what to do, and with
//! `on-error=pass` every frame goes on unjudged.
//!
//! `cargo test --test badmodels -- --nocapture` prints the table.

mod common;

use std::path::PathBuf;

use andon_core::result::{Arm, Status, Verdict};
use common::{
    init,
    judge::{bundle, graph},
    launch, play_until_end, root, runtime,
};
use gst::prelude::*;
use gstandon::meta::AndonInferenceMeta;
use serde_json::{Value, json};

/// Frames of each stream.
const FRAMES: usize = 3;

struct Bad {
    name: &'static str,
    /// The value of the property `model`.
    model: String,
    /// What the text must contain: what is bad, and what to do.
    words: &'static [&'static str],
}

/// The files of one test, and what is bad about them.
struct Collection {
    scratch: tempfile::TempDir,
    bundles: Vec<tempfile::TempDir>,
    all: Vec<Bad>,
}

impl Collection {
    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn add(&mut self, name: &'static str, model: impl Into<String>, words: &'static [&'static str]) {
        self.all.push(Bad { name, model: model.into(), words });
    }

    fn bytes(&mut self, name: &'static str, file: &str, bytes: &[u8], words: &'static [&'static str]) {
        let path = self.path(file);
        std::fs::write(&path, bytes).unwrap();
        self.add(name, path.display().to_string(), words);
    }

    fn graph(&mut self, name: &'static str, file: &str, words: &'static [&'static str]) {
        self.add(name, graph(file), words);
    }

    /// Adds the detector with a spoilt manifest.
    fn manifest(&mut self, name: &'static str, spoil: impl Fn(&mut Value), words: &'static [&'static str]) {
        self.bundle(name, "detector", spoil, words);
    }

    fn bundle(&mut self, name: &'static str, file: &str, spoil: impl Fn(&mut Value), words: &'static [&'static str]) {
        let folder = bundle(file, spoil);
        self.add(name, folder.path().display().to_string(), words);
        self.bundles.push(folder);
    }
}

fn collection() -> Collection {
    let mut c = Collection { scratch: tempfile::tempdir().unwrap(), bundles: Vec::new(), all: Vec::new() };
    let whole = std::fs::read(graph("detector")).unwrap();

    // What is no model at all.
    c.add("no model set", "", &["no model is set", "model="]);
    c.add("file missing", "/nowhere/model.onnx", &["/nowhere/model.onnx", "no such model"]);
    c.bytes("empty file", "empty.onnx", b"", &["empty.onnx", "whole ONNX model"]);
    c.bytes("random bytes", "noise.onnx", &noise(4096), &["noise.onnx", "whole ONNX model"]);
    c.bytes("an HTML page", "page.onnx", b"<!DOCTYPE html><html>404</html>", &["page.onnx", "whole ONNX model"]);
    c.bytes("a compressed file", "packed.onnx", b"\x1f\x8b\x08\0\0\0\0\0\0\x03", &["packed.onnx", "whole ONNX model"]);
    c.bytes("truncated at a tenth", "tenth.onnx", &whole[..whole.len() / 10], &["tenth.onnx", "whole ONNX model"]);
    c.bytes("truncated at half", "half.onnx", &whole[..whole.len() / 2], &["half.onnx", "whole ONNX model"]);
    c.bytes("truncated at the end", "end.onnx", &whole[..whole.len() - 1], &["end.onnx", "whole ONNX model"]);
    c.bytes("a text file", "notes.txt", b"hello", &["notes.txt", ".onnx"]);
    let folder = c.path("folder.onnx");
    std::fs::create_dir(&folder).unwrap();
    c.add("a folder named .onnx", folder.display().to_string(), &["folder.onnx", "model.json"]);

    // Graphs that this runtime or this version cannot run.
    c.graph(
        "a custom operator",
        "custom-op",
        &["custom-op.onnx", "EfficientNMS_TRT", "export the model without it", "only TensorRT"],
    );
    c.graph("an unknown operator", "unknown-op", &["unknown-op.onnx", "Frobnicate", "export the model without it"]);
    c.graph("an opset of the future", "future-opset", &["future-opset.onnx", "opset of at most", "newer ONNX Runtime"]);
    c.graph("weights in a missing file", "external", &["external.onnx", "file of their own"]);
    c.graph("more memory than there is", "hungry", &["hungry.onnx", "out of memory", "smaller"]);
    c.graph("an input of rank 2", "rank2", &["rank2.onnx", "picture", "images f32 [1, 1024]"]);
    c.graph("an input of rank 5", "rank5", &["rank5.onnx", "picture"]);
    c.graph("an input of text", "text-input", &["text-input.onnx", "export it"]);
    c.graph("an output of text", "text-output", &["text-output.onnx", "export it"]);
    c.graph("two channels", "two-channels", &["two-channels.onnx", "1 or 3 channels"]);
    c.graph("a batch of two", "batch-of-two", &["batch-of-two.onnx", "batch"]);
    c.graph("no input at all", "no-image", &["no-image.onnx", "image"]);
    c.graph("no labels", "detector-plain", &["detector-plain.onnx", "labels"]);

    // Manifests.
    c.manifest("another schema", |m| m["schema"] = "andon.model/9".into(), &["model.json", "schema", "andon.model/1"]);
    c.manifest(
        "a digest of another file",
        |m| {
            m["digests"]["model.onnx"] = andon_model::digest(b"another").into();
        },
        &["model.onnx", "does not match the manifest", "publish"],
    );
    c.manifest(
        "a file outside the bundle",
        |m| m["model"] = "../../etc/hostname".into(),
        &["model.json", "leaves the bundle"],
    );
    c.manifest("an unknown decoder", |m| m["outputs"][0]["decoder"] = "yolov99".into(), &["model.json", "yolov99"]);
    c.manifest(
        "labels of another model",
        |m| m["outputs"][0]["labels"] = json!(["one"]),
        &["model.onnx", "[1, 6, 2]", "labels"],
    );
    c.manifest(
        "an output that is not there",
        |m| m["outputs"][0]["name"] = "nothing".into(),
        &["model.onnx", "no output 'nothing'", "outputs[0].name"],
    );
    c.manifest(
        "an input that is not there",
        |m| m["inputs"][0]["name"] = "picture".into(),
        &["model.onnx", "no input 'picture'", "images", "inputs[].name"],
    );
    c.manifest(
        "another colour",
        |m| m["inputs"][0]["colour"] = "rgb".into(),
        &["model.onnx", "[1, 1, 32, 32]", "[1, 3, 32, 32]", "colour"],
    );
    c.manifest("another size", |m| m["inputs"][0]["size"] = json!([64, 64]), &["model.onnx", "[1, 1, 64, 64]", "size"]);
    c.manifest(
        "an impossible size",
        |m| m["inputs"][0]["size"] = json!([0, 32]),
        &["model.json", "inputs[0].size", "1.."],
    );
    c.manifest("another type", |m| m["inputs"][0]["type"] = "f16".into(), &["model.onnx", "'images'", "f32", "f16"]);
    c.manifest("no verdict rule", |m| drop(m.as_object_mut().unwrap().remove("verdict")), &["model.json", "verdict"]);
    c.manifest(
        "a threshold beyond 1",
        |m| m["thresholds"]["score"] = json!(7),
        &["model.json", "thresholds.score", "0..1"],
    );
    c.manifest(
        "two frames",
        |m| {
            let frame = m["inputs"][0].clone();
            m["inputs"].as_array_mut().unwrap().push(frame);
        },
        &["model.json", "inputs", "must be one"],
    );
    c.bundle("fields that nobody named", "fields", |_| {}, &["model.onnx", "'speed'", "add it to inputs"]);
    let torn = bundle("detector", |_| {});
    std::fs::write(torn.path().join("model.json"), "{ \"schema\": ").unwrap();
    c.add("a torn manifest", torn.path().display().to_string(), &["model.json", "line 1"]);
    c.bundles.push(torn);
    c
}

/// The next of a sequence of random numbers that is the same each time (Marsaglia's xorshift32).
fn noise(n: usize) -> Vec<u8> {
    let mut x = 0x1234_5678_u32;
    std::iter::repeat_with(|| {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        x as u8
    })
    .take(n)
    .collect()
}

/// A stream that has ended: the error that ended it, the warnings, and the frames that came out.
struct Stream {
    error: Option<String>,
    warnings: Vec<String>,
    frames: Vec<(Status, Verdict)>,
}

fn stream(model: &str, on_error: &str) -> Stream {
    let pipeline = launch(&format!(
        "videotestsrc num-buffers={FRAMES} ! video/x-raw,format=GRAY8,width=32,height=32 ! \
         modelinfer name=m on-error={on_error} ! appsink name=out sync=false"
    ));
    pipeline.by_name("m").unwrap().set_property("model", model);
    let out: gst_app::AppSink = pipeline.by_name("out").unwrap().downcast().unwrap();
    let frames = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = frames.clone();
    out.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |out| {
                let sample = out.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let i = sample.buffer().and_then(|b| AndonInferenceMeta::get(b, Arm::A));
                seen.lock().unwrap().push(i.map_or((Status::Error, Verdict::Ok), |i| (i.status, i.verdict)));
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    let (messages, error) = play_until_end(&pipeline);
    let text = |e: glib::Error| e.message().to_string();
    let error = messages
        .iter()
        .find_map(|m| match m.view() {
            gst::MessageView::Error(e) => Some(text(e.error())),
            _ => None,
        })
        .or(error);
    let warnings = messages.iter().filter_map(|m| match m.view() {
        gst::MessageView::Warning(w) => Some(text(w.error())),
        _ => None,
    });
    let frames = frames.lock().unwrap().clone();
    Stream { error, warnings: warnings.collect(), frames }
}

#[test]
fn every_bad_model_says_what_to_do_and_judges_no_frame() {
    init();
    runtime();
    let collection = collection();
    assert!(collection.all.len() >= 25);
    let mut wrong = Vec::new();
    for bad in &collection.all {
        let refused = stream(&bad.model, "error");
        let error = refused.error.unwrap_or_else(|| panic!("{}: it ran", bad.name));
        let folders = [collection.scratch.path().to_path_buf(), root().join("tests/data")];
        let short = folders.iter().fold(error.clone(), |e, f| e.replace(&format!("{}/", f.display()), ""));
        println!("{:27} | {}", bad.name, short.replace('\n', " "));
        let missing = bad.words.iter().filter(|w| !error.contains(**w));
        wrong.extend(missing.map(|w| format!("{}: '{w}' is missing in: {error}", bad.name)));
        assert!(refused.frames.iter().all(|f| f.1 == Verdict::Unjudged), "{}: {:?}", bad.name, refused.frames);

        let passed = stream(&bad.model, "pass");
        assert_eq!(passed.error, None, "{}: on-error=pass is no error", bad.name);
        assert_eq!(passed.frames, [(Status::Error, Verdict::Unjudged); FRAMES], "{}", bad.name);
        let warned = passed.warnings.iter().any(|w| bad.words.iter().all(|word| w.contains(word)));
        if !warned {
            wrong.push(format!("{}: no warning says so: {:?}", bad.name, passed.warnings));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} bad models and manifests: none crashed, hung or judged a frame", collection.all.len());
}

#[test]
fn flipped_bits_are_refused_or_run_and_never_crash() {
    init();
    runtime();
    let whole = std::fs::read(graph("detector")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("flipped.onnx");
    let places = noise(3 * 64);
    let (mut refused, mut ran) = (0, 0);
    for place in places.chunks_exact(3) {
        let mut bytes = whole.clone();
        let at = usize::from(u16::from_le_bytes([place[0], place[1]])) % bytes.len();
        bytes[at] ^= 1 << (place[2] % 8);
        std::fs::write(&path, bytes).unwrap();
        let played = stream(&path.display().to_string(), "pass");
        assert_eq!((played.error, played.frames.len()), (None, FRAMES), "bit {} of byte {at}", place[2] % 8);
        if played.warnings.is_empty() { ran += 1 } else { refused += 1 }
    }
    println!("64 flipped bits: {refused} refused, {ran} ran");
    assert!(refused > 0, "some of them break the file");
}
