// SPDX-License-Identifier: MPL-2.0
//! Tiny graphs with constant outputs, written as ONNX files: what a decoder must make of them is then known exactly.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Once},
};

use andon_core::{image::Image, result::Fields};
use andon_inference::{Cancel, Decoded, Engine, Error, Job, Options};

/// Element types of ONNX.
pub const F32: u64 = 1;
pub const U8: u64 = 2;
pub const I8: u64 = 3;
pub const I64: u64 = 7;
pub const TEXT: u64 = 8;

/// Points to the runtime that `make setup` fetched, where the system has none; fails where there is neither.
pub fn runtime() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let own = root().join("target/onnxruntime/libonnxruntime.so");
        if std::env::var_os("ORT_DYLIB_PATH").is_none() && own.is_file() {
            // SAFETY: every test begins with this, and the `Once` holds the others back.
            unsafe { std::env::set_var("ORT_DYLIB_PATH", own) };
        }
        if let Err(e) = andon_inference::runtime::info() {
            panic!("{e}; or run `make setup`");
        }
    });
}

/// The repository's root, from the package's folder, in which cargo runs tests: what was compiled may have been moved.
pub fn root() -> PathBuf {
    Path::new("../..").into()
}

/// A graph under construction.
#[derive(Clone, Default)]
pub struct Onnx {
    nodes: Vec<u8>,
    values: Vec<u8>,
    inputs: Vec<u8>,
    outputs: Vec<u8>,
    notes: Vec<u8>,
}

fn varint(out: &mut Vec<u8>, mut v: u64) {
    while v > 127 {
        out.push(v as u8 | 128);
        v >>= 7;
    }
    out.push(v as u8);
}

fn number(out: &mut Vec<u8>, field: u64, v: u64) {
    varint(out, field << 3);
    varint(out, v);
}

fn bytes(out: &mut Vec<u8>, field: u64, v: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, v.len() as u64);
    out.extend_from_slice(v);
}

/// A name with its type and shape; -1 is an open axis without a name, and a name stands for one with it.
fn value(name: &str, kind: u64, shape: &[i64], axes: &[&str]) -> Vec<u8> {
    let mut dims = Vec::new();
    for (i, d) in shape.iter().enumerate() {
        let mut dim = Vec::new();
        match axes.get(i).filter(|a| !a.is_empty()) {
            Some(axis) => bytes(&mut dim, 2, axis.as_bytes()),
            None if *d >= 0 => number(&mut dim, 1, *d as u64),
            None => bytes(&mut dim, 2, format!("{name}_{i}").as_bytes()),
        }
        bytes(&mut dims, 1, &dim);
    }
    let (mut tensor, mut kinds, mut out) = (Vec::new(), Vec::new(), Vec::new());
    number(&mut tensor, 1, kind);
    bytes(&mut tensor, 2, &dims);
    bytes(&mut kinds, 1, &tensor);
    bytes(&mut out, 1, name.as_bytes());
    bytes(&mut out, 2, &kinds);
    out
}

impl Onnx {
    /// Adds an input.
    pub fn input(mut self, name: &str, kind: u64, shape: &[i64]) -> Self {
        bytes(&mut self.inputs, 11, &value(name, kind, shape, &[]));
        self
    }

    /// Adds an input whose axes have names.
    pub fn named_input(mut self, name: &str, kind: u64, axes: &[&str]) -> Self {
        bytes(&mut self.inputs, 11, &value(name, kind, &vec![-1; axes.len()], axes));
        self
    }

    /// Adds an output with these numbers, which the graph declares with the shape `told`.
    pub fn told(mut self, name: &str, kind: u64, shape: &[i64], told: &[i64], data: &[f32]) -> Self {
        assert_eq!(shape.iter().product::<i64>(), data.len() as i64, "{name}");
        let raw: Vec<u8> = match kind {
            F32 => data.iter().flat_map(|v| v.to_le_bytes()).collect(),
            I64 => data.iter().flat_map(|v| (*v as i64).to_le_bytes()).collect(),
            U8 => data.iter().map(|v| *v as u8).collect(),
            I8 => data.iter().map(|v| *v as i8 as u8).collect(),
            other => panic!("{other}"),
        };
        let mut tensor = Vec::new();
        shape.iter().for_each(|d| number(&mut tensor, 1, *d as u64));
        number(&mut tensor, 2, kind);
        bytes(&mut tensor, 8, format!("{name}_c").as_bytes());
        bytes(&mut tensor, 9, &raw);
        bytes(&mut self.values, 5, &tensor);
        let mut node = Vec::new();
        bytes(&mut node, 1, format!("{name}_c").as_bytes());
        bytes(&mut node, 2, name.as_bytes());
        bytes(&mut node, 4, b"Identity");
        bytes(&mut self.nodes, 1, &node);
        bytes(&mut self.outputs, 12, &value(name, kind, told, &[]));
        self
    }

    /// Adds an output with these numbers.
    pub fn output(self, name: &str, kind: u64, shape: &[i64], data: &[f32]) -> Self {
        self.told(name, kind, shape, shape, data)
    }

    /// Adds an output of one text.
    pub fn text(mut self, name: &str) -> Self {
        let mut tensor = Vec::new();
        number(&mut tensor, 1, 1);
        number(&mut tensor, 2, TEXT);
        bytes(&mut tensor, 6, b"good");
        bytes(&mut tensor, 8, format!("{name}_c").as_bytes());
        bytes(&mut self.values, 5, &tensor);
        let mut node = Vec::new();
        bytes(&mut node, 1, format!("{name}_c").as_bytes());
        bytes(&mut node, 2, name.as_bytes());
        bytes(&mut node, 4, b"Identity");
        bytes(&mut self.nodes, 1, &node);
        bytes(&mut self.outputs, 12, &value(name, TEXT, &[1], &[]));
        self
    }

    /// Adds a note of the exporter.
    pub fn note(mut self, key: &str, text: &str) -> Self {
        let mut note = Vec::new();
        bytes(&mut note, 1, key.as_bytes());
        bytes(&mut note, 2, text.as_bytes());
        bytes(&mut self.notes, 14, &note);
        self
    }

    /// Adds several notes.
    pub fn notes(self, all: &[(&str, String)]) -> Self {
        all.iter().fold(self, |graph, (key, text)| graph.note(key, text))
    }

    /// The file.
    pub fn file(&self) -> Vec<u8> {
        let Self { nodes, values, inputs, outputs, notes } = self;
        let (mut graph, mut opset, mut model) = (Vec::new(), Vec::new(), Vec::new());
        graph.extend_from_slice(nodes);
        bytes(&mut graph, 2, b"g");
        for part in [values, inputs, outputs] {
            graph.extend_from_slice(part);
        }
        bytes(&mut opset, 1, b"");
        number(&mut opset, 2, 17);
        number(&mut model, 1, 8);
        bytes(&mut model, 7, &graph);
        bytes(&mut model, 8, &opset);
        model.extend_from_slice(notes);
        model
    }

    /// Loads the graph from a file without anything beside it.
    pub fn load(&self, labels: &[&str]) -> Result<Arc<Engine>, Error> {
        runtime();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.onnx");
        std::fs::write(&path, self.file()).unwrap();
        let labels = labels.iter().map(ToString::to_string).collect();
        Engine::load(path.to_str().unwrap(), &Options { labels, threads: 1, ..Options::default() }).map(Arc::new)
    }

    /// Loads the graph and judges a white frame of that size, width and height.
    pub fn judged(&self, labels: &[&str], size: [usize; 2]) -> Result<Decoded, String> {
        let engine = self.load(labels).map_err(|e| e.to_string())?;
        judged(&engine, size)
    }
}

/// Judges a white frame of that size, width and height.
pub fn judged(engine: &Arc<Engine>, [w, h]: [usize; 2]) -> Result<Decoded, String> {
    let white = vec![255; w * h];
    let image = Image::gray8(&white, w, h).unwrap();
    let thresholds = engine.manifest().thresholds;
    let job = Job { image: &image, region: None, fields: &Fields::new(), templates: &[], thresholds: &thresholds };
    let mut context = engine.context().map_err(|e| e.to_string())?;
    context.infer(&job, &Cancel::new().map_err(|e| e.to_string())?).map_err(|e| e.to_string())
}

/// Class, score rounded to thousandths, and box rounded to pixels, best first.
pub fn found(decoded: &Decoded) -> Vec<(u32, i32, [i32; 4])> {
    let row = |d: &andon_core::result::Detection| {
        (d.class, (d.score * 1000.0).round() as i32, d.bbox.map(|v| v.round() as i32))
    };
    decoded.detections.iter().map(row).collect()
}
