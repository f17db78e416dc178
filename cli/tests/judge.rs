// SPDX-License-Identifier: MPL-2.0
//! Evidence outlives the process: a line that is killed, another beside it, and a judgement where no line runs.

use std::{
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Write},
    process::Stdio,
};

mod common;

use common::{andon, arg, err, fails, ok};
use serde_json::Value;

#[test]
fn what_a_killed_line_saw_counts_beside_that_of_another_and_is_judged_without_any() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    for version in ["1", "2"] {
        ok(&["model", "add", &format!("models/pcb/{version}"), arg(&store), "--no-run"]);
    }
    let pcb = store.join("pcb");
    ok(&["model", "alias", arg(&pcb), "champion", "1"]);
    ok(&["model", "alias", arg(&pcb), "challenger", "2"]);
    let [at, labels, report] = [
        format!("STORE={}", pcb.display()),
        format!("LABELS={}", folder.path().join("labels.jsonl").display()),
        folder.path().join("report").display().to_string(),
    ];
    // Version 1 has not learnt what stray copper is. The first line runs until it is killed.
    let source = "SOURCE=defecttestsrc defect-rate=1 defects=copper";
    let line = ["pipelines/trial.launch", &at, &labels, "AUTO=off", source];
    let mut first = andon(&[&["run"], &line[..], &["--json"]].concat()).stdout(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(first.stdout.take().unwrap()).lines().map(Result::unwrap);
    let disagreements = said.filter(|line| line.contains("andon.disagreement/1")).take(4);
    assert_eq!(disagreements.count(), 4);
    // The second line beside it hears of its parts.
    let second = ["SOURCE=defecttestsrc num-buffers=20 defect-rate=1 defects=copper"];
    let second = [&["ab"], &line[..4], &second, &["--report", &report]].concat();
    let output = andon(&second).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    first.kill().unwrap();
    first.wait().unwrap();
    let json: Value = serde_json::from_str(&fs::read_to_string(format!("{report}/report.json")).unwrap()).unwrap();
    assert_eq!(json["elements"]["j"]["ledger-runs"], 1, "{}", json["elements"]["j"]);
    let trial = pcb.join("trials/1-2");
    assert_eq!(fs::read_dir(&trial).unwrap().count(), 2, "a file a run");
    // Killed within a line.
    for file in fs::read_dir(&trial).unwrap() {
        let mut file = OpenOptions::new().append(true).open(file.unwrap().path()).unwrap();
        file.write_all(b"{\"part\":{\"id\":\"torn").unwrap();
    }
    let said = ok(&["judge", arg(&trial)]);
    assert!(said.starts_with("pcb 1 (a) beside 2 (b), kept by 2 runs: "), "{said}");
    // The page of one folder that is no trial says how to name one; a store is none the wiser for its trials.
    assert!(fails(2, &["judge", arg(&pcb)]).contains("STORE/NAME/trials/A-B"));
    assert!(!ok(&["model", "list", arg(&pcb)]).contains("trials"));
    ok(&["model", "audit", arg(&store)]);
    let nobody = folder.path().join("nobody.jsonl");
    fs::write(&nobody, "{\"id\": \"A-001\", \"verdict\": \"ok\", \"source\": \"sample\"}\n").unwrap();
    let refused = fails(1, &["judge", arg(&trial), "--labels", arg(&nobody)]);
    assert!(refused.contains("'A-001'"), "{refused}");
}

#[test]
fn a_gate_sets_the_limits_of_a_judgement_or_says_why_it_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let (gate, report) = (folder.path().join("gate.json"), folder.path().join("report"));
    let line = |more: &str| {
        let path = folder.path().join("line.launch");
        let text = format!(
            "videotestsrc num-buffers=1 ! abtee name=t leaky=false t.src_a ! identity ! j.sink_a \
             t.src_b ! identity ! j.sink_b abjoin name=j wait=-1 {more} ! fakesink"
        );
        fs::write(&path, text).unwrap();
        path
    };
    let demand = |what: &str| fs::write(&gate, format!("{{\"schema\":\"andon.gate/1\",{what}}}")).unwrap();
    for (what, more, code, said) in [
        (r#""not_worse_by_more_than":{"overkill_rate":0.02,"map_0.33":0.1}"#, "", 0, "does not test map_0.33"),
        (
            r#""not_worse_by_more_than":{"overkill_rate":0.02}"#,
            "max-overkill-increase=0.1",
            2,
            "the pipeline sets max-overkill-increase=0.1",
        ),
        (r#""not_worse_by_more_than":{"escape_rate":2}"#, "", 2, "must be 0 to 0.99"),
        (r#""at_least":{"map_0.33":0.1}"#, "", 2, "add one, as in"),
    ] {
        demand(what);
        let path = line(more);
        let output = andon(&["ab", arg(&path), "--gate", arg(&gate), "--report", arg(&report)]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{what}: {}", err(&output));
        assert!(err(&output).contains(said), "{}", err(&output));
    }
}
