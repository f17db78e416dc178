// SPDX-License-Identifier: MPL-2.0
//! `andon check`: what it says of broken pipeline files, those of the folder `broken`. It lists all that is wrong, each with
//! its line and what to do, and nothing that is not.

mod common;

use std::fs;

use common::{andon, arg, bundle, err, fails, ok, out};
use serde_json::Value;

/// What a broken file is told: topic, line, and words of what is wrong and what to do.
type Told = (&'static str, u64, &'static [&'static str]);

/// Each broken file with all its problems.
const BROKEN: &[(&str, &[Told])] = &[
    (
        "element",
        &[
            ("element", 3, &["no element modelinfr", "Did you mean modelinfer?"]),
            ("element", 4, &["no element bayer2rbg", "Did you mean bayer2rgb?"]),
        ],
    ),
    ("package", &[("element", 2, &["no element pylonsrc", "Basler"])]),
    ("property", &[("property", 4, &["modelinfer0 has no property modle", "Did you mean model?"])]),
    ("range", &[("value", 3, &["score-threshold does not take '1.5'", "a number from -1 to 1"])]),
    ("enum", &[("value", 2, &["t: mode does not take 'shadwo'", "shadow, split, a or b"])]),
    ("rule", &[("value", 3, &["part-by=evry:10", "every:N"])]),
    (
        "unlinked",
        &[
            ("link", 3, &["nothing takes what champion.src gives", "fakesink"]),
            ("link", 4, &["nothing is linked to alone.sink", "Link a source"]),
        ],
    ),
    ("caps", &[("caps", 5, &["format RGB", "format GRAY8", "Put videoconvert between them"])]),
    ("mosaic", &[("caps", 5, &["video/x-bayer, format rggb", "Put bayer2rgb between them"])]),
    ("model", &[("model", 3, &["models/pcb/9: no such model", "a bundle folder, an .onnx file"])]),
    (
        "variable",
        &[
            ("variable", 1, &["FILE has no value", "Add FILE=…"]),
            ("variable", 1, &["MODEL has no value", "${MODEL:-…}"]),
        ],
    ),
    ("quote", &[("text", 3, &["a quote is open: \"models/pcb/2", "where the value ends"])]),
    ("unclosed", &[("variable", 3, &["a ${ has no }"])]),
    ("tee", &[("deadlock", 3, &["the branch of t to first has no queue", "t. ! queue"])]),
    ("one-arm", &[("link", 2, &["nothing takes what t.src_b gives"]), ("link", 4, &["j has one arm", "sink_b"])]),
    (
        "names",
        &[
            ("name", 4, &["two elements are called out", "line 3", "a name of its own"]),
            ("name", 5, &["no element is called u", "named are out, t"]),
        ],
    ),
    ("reference", &[("reference", 4, &["learned on frames of 640×640", "320×240", "another camera"])]),
    ("captures", &[("file", 3, &["README.md is a file", "another folder"])]),
    ("source", &[("file", 2, &["no file nowhere/clip.mp4", "Correct the path"])]),
    (
        "many",
        &[
            ("property", 3, &["no property thread", "Did you mean threads?"]),
            ("model", 3, &["models/pcb/9: no such model"]),
            ("value", 4, &["learn-frames does not take '5'", "from 20 to 10000"]),
            ("reference", 4, &["nowhere.json"]),
            ("element", 5, &["no element framsampler", "framesampler"]),
            ("element", 7, &["no element ximgesink"]),
        ],
    ),
];

/// Checks a broken file, and returns its exit code and the document.
fn checked(name: &str, more: &[&str]) -> (Option<i32>, Value) {
    let file = format!("cli/tests/broken/{name}.launch");
    let output = andon(&[&["check", &file, "--json"], more].concat()).output().unwrap();
    let json = serde_json::from_str(&out(&output)).unwrap_or_else(|e| panic!("{name}: {e}: {}", err(&output)));
    (output.status.code(), json)
}

#[track_caller]
fn assert_told(name: &str, found: &Value, told: &[Told]) {
    let all = found.as_array().unwrap();
    assert_eq!(all.len(), told.len(), "{name}: {found:#}");
    for (topic, line, words) in told {
        let is_it = |f: &&Value| {
            let text = format!("{} {}", f["what"].as_str().unwrap(), f["cure"].as_str().unwrap());
            f["topic"] == *topic && f["line"] == *line && words.iter().all(|word| text.contains(word))
        };
        assert_eq!(all.iter().filter(is_it).count(), 1, "{name}: {topic} {line} {words:?}: {found:#}");
    }
}

#[test]
fn every_broken_file_is_told_all_its_problems_and_no_other() {
    for (name, told) in BROKEN {
        let (code, report) = checked(name, &[]);
        assert_eq!(code, Some(1), "{name}: {report:#}");
        assert_eq!(report["ok"], false);
        assert_told(name, &report["problems"], told);
    }
}

#[test]
fn models_and_stores_are_held_to_their_manifests_without_being_run() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(folder.path(), "1", "one");
    let store = folder.path().join("store");
    ok(&["model", "add", "--no-run", arg(&bundle), arg(&store)]);
    let pcb = store.join("pcb");
    let (code, report) = checked("alias", &[&format!("STORE={}", pcb.display())]);
    assert_eq!(code, Some(1));
    assert_told("alias", &report["problems"], &[("model", 3, &["'challenger' is neither a version nor an alias"])]);
    // Its graph is one that no engine takes: the check does not run it.
    let named = format!("MODEL={}", bundle.display());
    assert_eq!(checked("model", &[&named]).0, Some(0), "{:#}", checked("model", &[&named]).1);
    let graph = bundle.join("model.onnx");
    let whole = fs::read(&graph).unwrap();
    fs::write(&graph, &whole[..whole.len() - 1]).unwrap();
    let (code, report) = checked("model", &[&named]);
    assert_eq!(code, Some(1));
    assert_told(
        "truncated",
        &report["problems"],
        &[("model", 3, &["model.onnx", "does not match the manifest", "Restore the file"])],
    );
}

#[test]
fn warnings_are_apart_and_a_person_reads_where_and_what_to_do() {
    let (code, report) = checked("warned", &[]);
    assert_eq!((code, &report["ok"]), (Some(0), &true.into()));
    assert_told(
        "warned",
        &report["warnings"],
        &[
            ("part", 3, &["nothing says what a part is", "part-by on champion"]),
            ("value", 3, &["champion reads 16 bits", "bits="]),
            ("file", 4, &["no location is set"]),
        ],
    );
    let (code, report) = checked("fine", &[]);
    assert_eq!((code, report["problems"].as_array().unwrap().len()), (Some(0), 0), "{report:#}");
    assert_eq!(report["warnings"].as_array().unwrap().len(), 0, "{report:#}");
    let said = ok(&["check", "cli/tests/broken/warned.launch"]);
    assert!(
        said.contains("warned.launch:3: warning: nothing says") && said.ends_with("no problem, 3 warnings\n"),
        "{said}"
    );
    let output = andon(&["check", "cli/tests/broken/element.launch"]).output().unwrap();
    assert!(out(&output).contains("element.launch:4: problem: there is no element bayer2rbg\n    Did you mean"));
    assert!(out(&output).ends_with(": 2 problems\n"), "{}", out(&output));
    assert!(fails(2, &["check", "pipelines/inspect.launch", "MODLE=x"]).contains("no variable MODLE"));
    assert!(fails(2, &["check", "nowhere.launch"]).contains("nowhere.launch"));
}

#[test]
fn nothing_is_opened_or_written() {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("camera");
    assert!(std::process::Command::new("mkfifo").arg(&device).status().unwrap().success());
    let captures = folder.path().join("deep/captures");
    let recording = folder.path().join("recording.mkv");
    // Whoever opened the FIFO would wait for ever.
    for source in [format!("filesrc location={}", device.display()), format!("v4l2src device={}", device.display())] {
        let output = andon(&[
            "check",
            "pipelines/record.launch",
            &format!("SOURCE={source} ! decodebin ! videoconvert"),
            &format!("CAPTURES={}", captures.display()),
            &format!("RECORDING={}", recording.display()),
            &format!("RESULTS={}/results.jsonl", folder.path().display()),
            "PART_BY=frame",
        ]);
        let output = { output }.output().unwrap();
        assert!(output.status.success(), "{}", out(&output));
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["camera"]);
}
