// SPDX-License-Identifier: MPL-2.0
//! Refusals of models, each followed to the letter: what the message says is done, and then the model runs, or the reason
//! is true and names nothing more to do here.
//!
//! `cargo test --test refusals -- --nocapture` prints the table.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use common::{andon, arg, err, out, root};
use serde_json::{Value, json};

/// A folder for the files of one case.
struct Place(tempfile::TempDir);

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        arg(&self.path(name)).to_string()
    }

    /// Copies a graph of tests/data, changed, and returns its path.
    fn graph(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = fs::read(graph(name)).unwrap();
        change(&mut bytes);
        fs::write(self.path("model.onnx"), bytes).unwrap();
        self.text("model.onnx")
    }

    /// Writes a bundle of the detector with a manifest that `change` may spoil, and returns its path.
    fn bundle(&self, change: impl FnOnce(&mut Value)) -> String {
        self.bundle_of("detector", change)
    }

    fn bundle_of(&self, name: &str, change: impl FnOnce(&mut Value)) -> String {
        let folder = self.path("bundle");
        fs::create_dir_all(&folder).unwrap();
        fs::copy(graph(name), folder.join("model.onnx")).unwrap();
        let mut manifest = json!({
            "schema": "andon.model/1", "name": name, "version": "1", "task": "detection",
            "inputs": [{"name": "images", "source": "image", "colour": "grey", "size": [32, 32]}],
            "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["dark", "bright"]}],
            "verdict": {"rule": "any-detection"}
        });
        change(&mut manifest);
        fs::write(folder.join("model.json"), manifest.to_string()).unwrap();
        arg(&folder).to_string()
    }

    /// Writes a launch file of one grey frame, and returns its path.
    fn launch(&self, model: &str) -> String {
        let line = "videotestsrc num-buffers=1 ! video/x-raw,format=GRAY8,width=32,height=32,framerate=1/1";
        fs::write(self.path("line.launch"), format!("{line} ! modelinfer {model} ! fakesink\n")).unwrap();
        self.text("line.launch")
    }
}

fn graph(name: &str) -> PathBuf {
    root().join("tests/data").join(name).with_extension("onnx")
}

/// The path of a graph of tests/data, as text.
fn data(name: &str) -> String {
    arg(&graph(name)).to_string()
}

/// Replaces the only place of `from` in a graph.
fn patch(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|w| w == from).expect("the graph has these bytes");
    bytes[at..at + to.len()].copy_from_slice(to);
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(String::from).collect()
}

/// The cases of one test.
#[derive(Default)]
struct Table {
    rows: usize,
    wrong: Vec<String>,
}

impl Table {
    /// A command that must be refused with these words, and what following them leads to: a command that must succeed, or
    /// nothing if the reason says that nothing helps here.
    #[track_caller]
    fn case(&mut self, name: &str, refused: &str, says: &[&str], follow: impl FnOnce() -> Option<String>) {
        self.rows += 1;
        let run = |command: &str| {
            let arguments = words(command);
            andon(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap()
        };
        let output = run(refused);
        let said = err(&output).trim().replace('\n', " ");
        if output.status.success() {
            self.wrong.push(format!("{name}: was not refused: {}", out(&output)));
            return;
        }
        self.wrong.extend(says.iter().filter(|w| !said.contains(**w)).map(|w| format!("{name}: no '{w}' in: {said}")));
        let odd = ["{ ", "Some(", "None", "Err(", "\\n", "onnxruntime_src"];
        self.wrong
            .extend(odd.iter().filter(|o| said.contains(**o)).map(|o| format!("{name}: '{o}' is no word: {said}")));
        let Some(command) = follow() else {
            println!("{name} | {said} | nothing more to do: the reason is true");
            if said.contains("andon model init") || said.contains("write a model.json") {
                self.wrong.push(format!("{name}: what cannot help is advised: {said}"));
            }
            return;
        };
        let output = run(&command);
        println!("{name} | {said} | {}", if output.status.success() { "it runs" } else { "it does not run" });
        if !output.status.success() {
            self.wrong.push(format!("{name}: followed by `andon {command}`: {}{}", out(&output), err(&output)));
        }
    }
}

fn place() -> Place {
    Place(tempfile::tempdir().unwrap())
}

#[test]
fn following_a_refusal_to_the_letter_leads_to_a_model_that_runs() {
    let mut t = Table::default();
    let check = |model: &str| Some(format!("model check {model}"));

    // Labels.
    let plain = data("detector-plain");
    t.case("no labels", &format!("model check {plain}"), &["property labels", "gives output0 f32 [1, 2, 6]"], || {
        Some(format!("model check {plain} --labels dark,bright"))
    });
    let p = place();
    let into = p.text("new");
    t.case(
        "no labels, init",
        &format!("model init {plain} --into {into}"),
        &["--labels A,B", "--labels @FILE", "takes images"],
        || Some(format!("model init {plain} --into {into} --labels dark,bright")),
    );
    let p = place();
    let names = p.text("names.txt");
    t.case(
        "no file of labels",
        &format!("model check {plain} --labels @{names}"),
        &["names.txt", "No such file"],
        || {
            fs::write(&names, "dark\nbright\n").unwrap();
            Some(format!("model check {plain} --labels @{names}"))
        },
    );
    for (name, bytes, says) in [
        ("a line without a label", &b"dark\n\nbright\n"[..], "line 2 is empty"),
        ("labels that are not UTF-8", b"dark\n\xff\n", "line 2 is not UTF-8"),
        ("an empty file of labels", b"\r\n", "one label a line"),
    ] {
        let line = p.launch(&format!("model={plain} labels=@{names}"));
        fs::write(&names, bytes).unwrap();
        t.case(name, &format!("run {line}"), &["names.txt", says], || {
            fs::write(&names, "\u{feff}dark\r\nbright\r\n").unwrap();
            Some(format!("run {line}"))
        });
    }
    let p = place();
    let (classes, into) = (data("text-beside"), p.text("new"));
    t.case(
        "no label means good",
        &format!("model init {classes} --into {into} --labels dark,bright --decoder classification"),
        &["--good A,…", "dark, bright"],
        || {
            Some(format!(
                "model init {classes} --into {into} --labels dark,bright --decoder classification --good dark"
            ))
        },
    );

    // Graphs that nothing here recognises, and graphs for which nothing here can help.
    let p = place();
    let (five, into) = (data("five-axes"), p.text("new"));
    t.case(
        "an unknown family",
        &format!("model check {five}"),
        &["andon model init", "--decoder NAME", "gives output0 f32 [1, 2, 3, 4, 5]"],
        || Some(format!("model init {five} --into {into} --decoder raw")),
    );
    let p = place();
    let (number, into) = (data("with-number"), p.text("new"));
    t.case("two inputs", &format!("model check {number}"), &["images", "warmth", "--decoder NAME"], || {
        Some(format!("model init {number} --into {into} --decoder yolov8"))
    });
    t.case(
        "numbers in place of a picture",
        &format!("model check {}", data("rank2")),
        &["[1, 1024]", "picture"],
        || None,
    );
    t.case(
        "five axes in place of a picture",
        &format!("model check {}", data("rank5")),
        &["[1, 1, 1, 32, 32]", "picture"],
        || None,
    );
    t.case("two channels", &format!("model check {}", data("two-channels")), &["1 or 3", "export"], || None);
    t.case("an unknown decoder", &format!("model init {five} --decoder yolo99"), &["yolo99", "yolov8", "raw"], || {
        Some(format!("model init {five} --into {} --decoder raw", p.text("other")))
    });
    t.case("a batch of two", &format!("model check {}", data("batch-of-two")), &["with a batch of one"], || {
        check(&data("detector"))
    });
    t.case("an output of text", &format!("model check {}", data("text-output")), &["output0 text"], || {
        check(&data("detector"))
    });

    // What the runtime cannot do.
    t.case(
        "a type without a kernel",
        &format!("model check {}", data("conv-f64")),
        &["cannot compute Conv", "with float32 numbers", "the file is whole"],
        || check(&data("conv-f32")),
    );
    let p = place();
    let new = p.graph("new-ir", |_| {});
    t.case(
        "an IR version of the future",
        &format!("model check {new}"),
        &["IR version 10 or older", "model.ir_version = 10"],
        || check(&p.graph("new-ir", |b| patch(b, &[0x08, 99], &[0x08, 10]))),
    );
    let p = place();
    let new = p.graph("future-opset", |_| {});
    t.case("an opset of the future", &format!("model check {new}"), &["opset of at most"], || {
        check(&p.graph("future-opset", |b| patch(b, &[0x42, 4, 10, 0, 16, 99], &[0x42, 4, 10, 0, 16, 17])))
    });
    t.case(
        "TensorRT's operator",
        &format!("model check {}", data("custom-op")),
        &["EfficientNMS_TRT", "without suppression in the graph"],
        || check(&data("detector")),
    );
    let p = place();
    let external = p.graph("external", |_| {});
    t.case("weights left behind", &format!("model check {external}"), &["weights", "put that file"], || {
        fs::write(p.path("weights.bin"), [0; 48]).unwrap();
        check(&external)
    });
    t.case(
        "a loop without an end",
        &format!("model check {} --time-limit 2", data("forever")),
        &["longer than 2 s", "a loop without an end"],
        || check(&data("detector")),
    );
    let p = place();
    let line = p.launch(&format!("model={} load-timeout=2000000000", data("forever")));
    t.case("a loop without an end, in a line", &format!("run {line}"), &["longer than 2 s", "load-timeout"], || {
        Some(format!("run {}", p.launch(&format!("model={}", data("detector")))))
    });

    // Files.
    for (name, bytes, says) in [
        ("an empty file", &b""[..], "is empty"),
        ("a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("a web page", b"<!DOCTYPE html>", "web page"),
        ("half a file", b"\x08\x08\x12\x0candon-tests:\xff", "whole ONNX model"),
    ] {
        let p = place();
        let model = p.graph("detector", |b| *b = bytes.to_vec());
        t.case(name, &format!("model check {model}"), &[says], || check(&p.graph("detector", |_| {})));
    }
    let p = place();
    p.graph("detector", |_| {});
    t.case(
        "a folder without a manifest",
        &format!("model check {}", arg(p.0.path())),
        &["no model.json", "model.onnx"],
        || check(&p.text("model.onnx")),
    );
    assert!(t.rows >= 25 && t.wrong.is_empty(), "{} rows\n{}", t.rows, t.wrong.join("\n"));
}

#[test]
fn every_field_that_a_refusal_names_is_the_one_to_correct() {
    let mut t = Table::default();
    // A field, what is wrong with it, what the refusal says, and what it leads to.
    let cases: &[(&str, &str, Value, &[&str], Value)] = &[
        ("another input", "/inputs/0/name", json!("x"), &["inputs[].name", "images"], json!("images")),
        ("another colour", "/inputs/0/colour", json!("rgb"), &["colour", "[1, 1, 32, 32]"], json!("grey")),
        ("another size", "/inputs/0/size", json!([64, 64]), &["size", "[1, 1, 32, 32]"], json!([32, 32])),
        ("another type", "/inputs/0/type", json!("f16"), &["type", "f32"], json!("f32")),
        ("another output", "/outputs/0/name", json!("x"), &["outputs[0].name", "gives output0"], json!("output0")),
        ("a label too few", "/outputs/0/labels", json!(["dark"]), &["labels", "[1, 6, 2]"], json!(["dark", "bright"])),
        ("an unknown decoder", "/outputs/0/decoder", json!("yolo99"), &["yolo99", "yolov8"], json!("yolov8")),
        ("a threshold of 7", "/thresholds/score", json!(7), &["thresholds.score", "0..1"], json!(0.7)),
        ("another schema", "/schema", json!("andon.model/9"), &["schema", "andon.model/1"], json!("andon.model/1")),
        (
            "another rule",
            "/verdict/rule",
            json!("anomaly-score"),
            &["verdict.rule", "any-detection"],
            json!("any-detection"),
        ),
    ];
    for (name, field, bad, says, good) in cases {
        let p = place();
        let set = |value: &Value| {
            let value = value.clone();
            p.bundle(|m| {
                m["thresholds"] = json!({"score": 0.5});
                m["inputs"][0]["type"] = "f32".into();
                *m.pointer_mut(field).unwrap() = value;
            })
        };
        t.case(name, &format!("model check {}", set(bad)), says, || Some(format!("model check {}", set(good))));
    }
    let p = place();
    let grey = json!([{"name": "images", "source": "image", "colour": "grey", "size": [32, 32]}]);
    let bundle = p.bundle_of("with-number", |m| m["inputs"] = grey.clone());
    t.case(
        "an input that nobody named",
        &format!("model check {bundle}"),
        &["'warmth'", "add it to inputs", "\"shape\": [1], \"required\": true"],
        || {
            let field =
                json!({"name": "warmth", "source": "field:warmth", "type": "f32", "shape": [1], "required": true});
            Some(format!("model check {}", p.bundle_of("with-number", |m| m["inputs"] = json!([grey[0], field]))))
        },
    );
    assert!(t.wrong.is_empty(), "{}", t.wrong.join("\n"));
}

#[test]
fn a_trial_draws_what_was_found_and_says_what_it_assumed() {
    let p = place();
    let picture = |name: &str, level: u8| {
        fs::create_dir_all(p.path("pictures")).unwrap();
        let mut encoder = png::Encoder::new(fs::File::create(p.path("pictures").join(name)).unwrap(), 64, 48);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&[level; 64 * 48]).unwrap();
    };
    picture("dark.png", 0);
    picture("light.png", 255);
    let (pictures, seen) = (p.text("pictures"), p.text("seen"));
    let run = |command: String| {
        let arguments = words(&command);
        let output = andon(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap();
        (output.status.code(), out(&output), err(&output))
    };
    // A model that says its labels.
    let (code, said, _) = run(format!("model try {} {pictures} --into {seen}", data("detector")));
    assert_eq!(code, Some(0), "{said}");
    for word in ["dark.png", "bright 0.86", "2 pictures: 1 ok, 1 ng", "yolov8", "32×32", "Drawn: 2 of the pictures"] {
        assert!(said.contains(word), "no '{word}' in\n{said}");
    }
    let drawn = |name: &str| {
        let file = fs::File::open(p.path("seen").join(name)).unwrap();
        let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        (reader.info().width, reader.info().height, pixels)
    };
    let (width, height, pixels) = drawn("light.png");
    assert_eq!((width, height), (64, 48));
    assert!(pixels.chunks(3).any(|p| p[0] != p[1]), "a box is drawn, in colour");
    // One that does not: labels by number, for looking only, and how to give them.
    let (code, said, e) = run(format!("model try {} {pictures}", data("detector-plain")));
    assert_eq!(code, Some(0), "{said}{e}");
    for word in ["class 1 0.86", "outputs[0].labels", "--labels A,B", "--into DIR"] {
        assert!(said.contains(word), "no '{word}' in\n{said}");
    }
    let (code, said, _) = run(format!("model try {} {pictures} --labels dark,bright --json", data("detector-plain")));
    let lines: Vec<Value> = said.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((code, lines.len()), (Some(0), 2));
    assert_eq!(lines[1]["result"]["detections"][0]["label"], "bright");
    // A file that is no picture does not stop the others.
    fs::write(p.path("pictures/broken.png"), "no picture").unwrap();
    let (code, said, _) = run(format!("model try {} {pictures}", data("detector")));
    assert!(
        code == Some(1) && said.contains("not read") && said.contains("1 ng") && said.contains("1 not read"),
        "{said}"
    );
    for (command, why) in [
        (format!("model try {} {}", data("detector"), p.text("nowhere.png")), "no such picture"),
        (format!("model try {} {pictures} --into {pictures}", data("detector")), "name another folder"),
        (format!("model try {} {pictures} --labels a", arg(&root().join("models/pcb/2"))), "in its model.json"),
    ] {
        let (code, _, e) = run(command);
        assert!(code == Some(2) && e.contains(why), "{why}: {e}");
    }
    assert!(Path::new(&seen).join("dark.png").is_file());
}
