// SPDX-License-Identifier: MPL-2.0
//! A model reads nothing but its bundle, and a signature holds all that runs: ways around that, and what is said to each.
//!
//! `cargo test --test outside -- --nocapture` prints both tables.
#![cfg(unix)]

use std::{
    fs,
    io::Cursor,
    os::unix::{fs::symlink, net::UnixListener},
    path::PathBuf,
    process::Command,
    sync::Arc,
};

use andon_model::{self as model, Source, Store, Trust, store::Note};
use serde_json::{Value, json};

/// A message of protobuf with these fields, each below 16.
fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut message = Vec::new();
    for (number, bytes) in fields {
        message.push(number << 3 | 2);
        let mut length = bytes.len();
        while length > 0x7f {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(bytes);
    }
    message
}

/// An entry on where the numbers of a tensor lie.
fn entry(key: &str, value: &str) -> Vec<u8> {
    message(&[(13, &message(&[(1, key.as_bytes()), (2, value.as_bytes())]))])
}

/// A tensor `w` of 512 float32 with these entries.
fn tensor(entries: &[Vec<u8>]) -> Vec<u8> {
    [message(&[(8, b"w"), (1, &[0x80, 4])]), vec![0x10, 1], entries.concat()].concat()
}

/// A graph with that tensor as a weight.
fn graph(entries: &[Vec<u8>]) -> Vec<u8> {
    message(&[(7, &message(&[(5, &tensor(entries))]))])
}

fn named(location: &str) -> Vec<u8> {
    graph(&[entry("location", location)])
}

/// The bytes of the weights.
const WEIGHTS: usize = 2048;

/// A folder with keys, and in it the bundle `bundle`.
struct Place {
    dir: tempfile::TempDir,
    keys: minisign::KeyPair,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
        fs::write(dir.path().join("keys"), keys.pk.to_base64()).unwrap();
        fs::write(dir.path().join("secret"), [7; WEIGHTS]).unwrap();
        let place = Self { dir, keys };
        fs::create_dir_all(place.at("golden")).unwrap();
        for (name, content) in [
            ("model.onnx", named("w.bin")),
            ("w.bin", vec![1; WEIGHTS]),
            ("golden/a.png", b"a picture".to_vec()),
            ("golden/template.png", b"a template".to_vec()),
            ("reference.json", b"{}".to_vec()),
        ] {
            fs::write(place.at(name), content).unwrap();
        }
        place.write(&mut |_| {});
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join("bundle").join(name)
    }

    /// Writes the manifest with the digests of what lies there, and signs it.
    fn write(&self, change: &mut dyn FnMut(&mut Value)) {
        let bundle = self.at("");
        let mut manifest = json!({
            "schema": "andon.model/1", "name": "pcb", "version": "1", "task": "detection",
            "inputs": [
                {"name": "images", "source": "image", "size": [64, 64]},
                {"name": "template", "source": "image-file", "pattern": "{sku}.png", "size": [64, 64]}
            ],
            "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["open"]}],
            "verdict": {"rule": "any-detection"}, "reference": "reference.json",
            "golden": [{"image": "golden/a.png", "verdict": "ok", "part": {"sku": "template"}}]
        });
        // What is no plain file has no digest.
        manifest["digests"] = model::digests(&bundle).map_or_else(|_| json!({}), |d| json!(d));
        change(&mut manifest);
        fs::write(self.at("model.json"), manifest.to_string()).unwrap();
        self.sign("model.json");
    }

    fn sign(&self, name: &str) {
        let content = fs::read(self.at(name)).unwrap();
        let signature = minisign::sign(None, &self.keys.sk, Cursor::new(content), None, None).unwrap();
        fs::write(self.at(&format!("{name}.minisig")), signature.into_string()).unwrap();
    }

    fn open(&self, name: &str) -> Result<Source, model::Error> {
        let keys = Trust::read(&self.dir.path().join("keys")).unwrap();
        model::open_trusted(self.at(name).to_str().unwrap(), &keys)
    }

    /// What is said, with this folder's path left out.
    fn said(&self, error: impl ToString) -> String {
        let own = self.dir.path().canonicalize().unwrap();
        error
            .to_string()
            .replace(&format!("{}/", own.display()), "")
            .replace(&format!("{}/", self.dir.path().display()), "")
    }
}

#[test]
fn a_graph_that_names_a_file_outside_its_bundle_is_refused_by_all_that_read_it() {
    type Make<'a> = &'a dyn Fn(&Place) -> Vec<u8>;
    let link = |to: &'static str, from: &'static str, location: &'static str| {
        move |place: &Place| {
            symlink(to, place.at(from)).unwrap();
            named(location)
        }
    };
    let (to_file, to_folder, inside) =
        (link("../secret", "link", "link"), link("..", "up", "up/secret"), link("w.bin", "link", "link"));
    let device = link("/dev/zero", "zero", "zero");
    let fifo = |place: &Place| {
        assert!(Command::new("mkfifo").arg(place.at("pipe")).status().unwrap().success());
        named("pipe")
    };
    let socket = |place: &Place| {
        drop(UnixListener::bind(place.at("socket")).unwrap());
        named("socket")
    };
    let short = |place: &Place| {
        fs::write(place.at("short.bin"), [1; 100]).unwrap();
        named("short.bin")
    };
    let passwd = || tensor(&[entry("location", "/etc/passwd")]);
    let swapped = message(&[(13, &message(&[(2, b"/etc/passwd"), (1, b"location")]))]);
    let constant = message(&[(7, &message(&[(1, &message(&[(5, &message(&[(5, &passwd())]))]))]))]);
    let sub = message(&[(5, &message(&[(6, &message(&[(5, &passwd())]))]))]);
    let context = message(&[(4, b"EPContext"), (5, &[message(&[(1, b"embed_mode")]), vec![0x18, 0]].concat())]);
    let rows: &[(&str, Make<'_>, &str)] = &[
        ("an absolute path", &|_| named("/etc/passwd"), "by an absolute path ('/etc/passwd')"),
        (
            "the same, with the fields swapped",
            &|_| graph(std::slice::from_ref(&swapped)),
            "by an absolute path ('/etc/passwd')",
        ),
        ("a step up", &|_| named("../secret"), "outside by '..' ('../secret')"),
        ("a step down and two up", &|_| named("golden/../../secret"), "outside by '..'"),
        ("backslashes", &|_| named("..\\secret"), r"'\' in its path"),
        ("a NUL behind a good name", &|_| named("w.bin\0/../../secret"), "a control character"),
        ("an address in memory", &|_| named("*/_ORT_MEM_ADDR_/*"), "an address in memory"),
        ("a link to a file outside", &to_file, "link: is a link"),
        ("a link to a folder outside", &to_folder, "up/secret: is below a link"),
        ("a link to a file inside", &inside, "link: is a link"),
        ("a link to a device", &device, "zero: is a link"),
        ("a FIFO", &fifo, "pipe: is a FIFO"),
        ("a socket", &socket, "socket: is a socket"),
        ("a folder", &|_| named("golden"), "golden: is a folder"),
        ("the graph itself", &|_| named("./model.onnx"), "which is the graph itself"),
        ("the manifest", &|_| named("model.json"), "a file that says what the model is"),
        ("bytes behind the end of the file", &short, "need the first 2048 bytes of 'short.bin', which has 100"),
        ("a file that is not there", &|_| named("none.bin"), "'none.bin', which is not there"),
        ("two names", &|_| graph(&[entry("location", "w.bin"), entry("location", "/etc/passwd")]), "twice"),
        ("a constant", &|_| constant.clone(), "by an absolute path ('/etc/passwd')"),
        ("a sub-graph", &|_| message(&[(7, &message(&[(1, &sub)]))]), "by an absolute path ('/etc/passwd')"),
        ("a compiled model", &|_| message(&[(7, &message(&[(1, &context)]))]), "ep.context_embed_mode=1"),
        ("a graph in ONNX Runtime's format", &|_| b"\x20\0\0\0ORTM/etc/passwd".to_vec(), "use the .onnx"),
    ];
    for (name, make, said) in rows {
        let place = Place::new();
        let graph = make(&place);
        fs::write(place.at("model.onnx"), &graph).unwrap();
        place.write(&mut |m| m["digests"] = json!({}));
        fs::remove_file(place.at("model.json.minisig")).unwrap();
        let (bundle, bare) = (place.at(""), place.at("model.onnx"));
        let e = place.said(model::open(bundle.to_str().unwrap()).unwrap_err());
        println!("{name}: {e}");
        assert!(e.contains(said), "{name}: {e}");
        // A bundle as `digest` looks at it, a bare file, and what is added to a store.
        for e in [
            place.said(model::inspect(bundle.to_str().unwrap()).unwrap_err()),
            place.said(model::weights(&bare).unwrap_err()),
            place.said(model::open(bare.to_str().unwrap()).unwrap_err()),
        ] {
            assert!(e.contains(said), "{name}: {e}");
        }
        let store = Store::for_bundle(&place.dir.path().join("store"), &bundle).unwrap();
        assert!(store.add(&bundle, &Note::default()).is_err(), "{name}");
        assert!(store.versions().unwrap().is_empty(), "{name}");
    }
}

#[test]
fn whatever_is_exchanged_after_signing_is_refused_or_is_not_what_runs() {
    type Change<'a> = &'a dyn Fn(&Place);
    let write =
        |name: &'static str, content: &'static [u8]| move |place: &Place| fs::write(place.at(name), content).unwrap();
    let bend = |name: &'static str| {
        move |place: &Place| {
            let mut content = fs::read(place.at(name)).unwrap();
            *content.last_mut().unwrap() ^= 1;
            fs::write(place.at(name), content).unwrap();
        }
    };
    let (zeros, longer, graph_) =
        (write("w.bin", &[0; WEIGHTS]), write("w.bin", &[1; WEIGHTS + 1]), bend("model.onnx"));
    let (picture, template, reference) = (bend("golden/a.png"), bend("golden/template.png"), bend("reference.json"));
    let moved = |place: &Place| {
        fs::rename(place.at("w.bin"), place.dir.path().join("w.bin")).unwrap();
        symlink("../w.bin", place.at("w.bin")).unwrap();
    };
    let elsewhere = |place: &Place| {
        fs::write(place.at("v.bin"), [0; WEIGHTS]).unwrap();
        fs::write(place.at("model.onnx"), named("v.bin")).unwrap();
    };
    let more = write("w.bin.new", &[0; WEIGHTS]);
    let threshold = |place: &Place| {
        let text = fs::read_to_string(place.at("model.json")).unwrap();
        fs::write(place.at("model.json"), text.replace("\"open\"", "\"opem\"")).unwrap();
    };
    let refitted = |place: &Place| {
        let old = fs::read(place.at("model.json.minisig")).unwrap();
        fs::write(place.at("w.bin"), [0; WEIGHTS]).unwrap();
        place.write(&mut |_| {});
        fs::write(place.at("model.json.minisig"), old).unwrap();
    };
    // Signed by us, without a digest of the weights: they could be exchanged at any time.
    let unheld = |place: &Place| place.write(&mut |m| drop(m["digests"].as_object_mut().unwrap().remove("w.bin")));
    let unheld_graph = |place: &Place| {
        place.write(&mut |m| m["digests"] = json!({}));
    };
    let rows: &[(&str, Change<'_>, &str)] = &[
        ("the weights, for zeros", &zeros, "w.bin: was altered: its digest"),
        ("the weights, with a byte more", &longer, "w.bin: was altered: its digest"),
        ("the weights, for a link to the same", &moved, "w.bin: is a link"),
        ("the graph", &graph_, "model.onnx: was altered: its digest"),
        ("the graph, for one with other weights", &elsewhere, "was altered"),
        ("a golden picture", &picture, "golden/a.png: was altered: its digest"),
        ("a golden template", &template, "golden/template.png: was altered: its digest"),
        ("the drift reference", &reference, "reference.json: was altered: its digest"),
        ("the manifest", &threshold, "model.json: was altered: its content"),
        ("the weights and all digests", &refitted, "model.json: was altered: its content"),
        ("nothing, but a file was put beside", &more, "w.bin.new: was altered: it is not among the digests"),
        ("nothing, but weights without a digest", &unheld, "w.bin"),
        ("nothing, but no digests at all", &unheld_graph, "it is not among the digests"),
    ];
    for (name, change, said) in rows {
        let place = Place::new();
        assert!(place.open("").unwrap().signed_by.is_some(), "{name}");
        change(&place);
        let e = place.said(place.open("").unwrap_err());
        println!("{name}: {e}");
        assert!(e.contains(said), "{name}: {e}");
    }

    // A bare file whose signature cannot cover its weights, whichever way it names them.
    for (name, entry) in [
        ("a bare file with weights beside it", entry("location", "w.bin")),
        ("the same, with the fields swapped", message(&[(13, &message(&[(2, b"w.bin"), (1, b"location")]))])),
    ] {
        let place = Place::new();
        fs::write(place.at("model.onnx"), graph(&[entry])).unwrap();
        place.sign("model.onnx");
        let e = place.said(place.open("model.onnx").unwrap_err());
        println!("{name}: {e}");
        assert!(e.contains("which its signature does not cover (make it a bundle)"), "{name}: {e}");
    }

    // What was read is what runs, whatever becomes of the files.
    let place = Place::new();
    let source = place.open("").unwrap();
    fs::remove_dir_all(place.at("")).unwrap();
    assert_eq!((&*source.weights[0].name, &*source.weights[0].bytes), ("w.bin", &[1; WEIGHTS][..]));
    assert_eq!(*source.bytes, *named("w.bin"));
    let pictures: Vec<&Arc<[u8]>> = source.pictures.values().collect();
    assert_eq!((&**pictures[0], &**pictures[1]), (&b"a picture"[..], &b"a template"[..]));
    assert_eq!(*source.reference.unwrap().bytes, *b"{}");

    // A store that demands signatures takes the bundle as it was signed, and its copy is held to the same.
    let place = Place::new();
    let store = place.dir.path().join("store");
    fs::create_dir(&store).unwrap();
    let policy = json!({"trusted_keys": [place.keys.pk.to_base64()]});
    fs::write(store.join("policy.json"), policy.to_string()).unwrap();
    let pcb = Store::for_bundle(&store, &place.at("")).unwrap();
    assert_eq!(pcb.add(&place.at(""), &Note::default()).unwrap(), "1");
    let version = pcb.folder().join("1");
    assert!(model::open(version.to_str().unwrap()).unwrap().signed_by.is_some());
    fs::write(version.join("w.bin"), [0; WEIGHTS]).unwrap();
    let e = model::open(version.to_str().unwrap()).unwrap_err().to_string();
    assert!(e.contains("w.bin: was altered"), "{e}");
}
