// SPDX-License-Identifier: MPL-2.0
//! `andon ab`, as a shell and a CI see it: the three files of the report, exit codes, Ctrl-C.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

mod common;

use common::{andon, arg, err, fails, ok};
use serde_json::Value;

/// Two shipped models on boards with defects of every kind; every frame is judged by both.
const SHADOW: [&str; 4] = ["ab", "pipelines/shadow.launch", "LEAKY=false", "WAIT=-1"];

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn report(folder: &Path) -> Value {
    serde_json::from_str(&read(folder, "report.json")).unwrap()
}

/// A pipeline file in a folder of its own.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.launch");
    std::fs::write(&path, text).unwrap();
    let path = arg(&path).to_string();
    (folder, path)
}

#[test]
fn a_run_of_two_models_ends_in_a_report_in_three_forms() {
    let folder = tempfile::tempdir().unwrap();
    let (out, captures) = (folder.path().join("out"), format!("CAPTURES={}", folder.path().join("captures").display()));
    let source =
        "SOURCE=defecttestsrc num-buffers=60 defect-rate=1 defects=copper,open ! identity name=rtsp://me:hunter2@cam/1";
    let more = [&captures, source, "--json", "--check", "--frames=4", "--report", arg(&out)];
    let output = andon(&[&SHADOW[..], &more].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));

    let json = report(&out);
    assert_eq!((&json["schema"], &json["end"]), (&"andon.ab-report/1".into(), &"eos".into()));
    assert_eq!(json["file"], "pipelines/shadow.launch", "as it was named, without the machine's folders");
    let ab = &json["ab"][0];
    assert_eq!((&ab["compared"], &ab["frames"]["paired"]), (&60.into(), &60.into()));
    assert_eq!((&ab["models"]["a"]["version"], &ab["models"]["b"]["version"]), (&"1".into(), &"2".into()));
    assert_eq!((&json["elements"]["t"]["to-b"], &json["elements"]["j"]["compared"]), (&60.into(), &60.into()));
    assert_eq!(json["providers"], serde_json::json!({"a": "cpu", "b": "cpu"}));
    // Version 1 has never learned what stray copper is: boards with nothing else on them are ok to it.
    let different = ab["parts"]["ok_ng"].as_u64().unwrap() + ab["parts"]["ng_ok"].as_u64().unwrap();
    assert!(ab["parts"]["ok_ng"].as_u64().unwrap() >= 4, "{}", ab["parts"]);
    assert_eq!(json["disagreements"]["total"], different);
    let headline = json["headline"].as_str().unwrap();
    assert!(err(&output).contains(headline), "{}", err(&output));

    let shown = json["frames"].as_array().unwrap();
    assert_eq!(shown.len(), 4);
    for pair in shown.windows(2) {
        assert!(pair[0]["difference"].as_f64() >= pair[1]["difference"].as_f64(), "{pair:?}");
    }
    for frame in shown {
        assert_eq!((&frame["why"], &frame["truth"]), (&"verdict".into(), &"ng".into()), "{frame}");
        assert_ne!(frame["verdicts"]["a"], frame["verdicts"]["b"]);
    }

    let html = read(&out, "index.html");
    assert_eq!(html.matches("<svg class=\"frame\"").count(), 4);
    assert_eq!(html.matches("data:image/").count(), 4, "every picture is in the page");
    assert!(html.matches("class=\"bracket of-b\"").count() >= 4, "only b saw the copper");
    common::page::check(&html, "ab");
    common::page::names_models(&html, 2);
    assert!(html.contains("<dt>Pipeline</dt><dd>pipelines/shadow.launch</dd>"));
    let flips = html.split("href=\"#frames-").nth(1).unwrap();
    assert!(
        html.contains(&format!("id=\"frames-{}\"", flips.split('"').next().unwrap())),
        "flips lead to their frames"
    );
    for text in [&html, &read(&out, "report.md"), &read(&out, "report.json")] {
        assert!(!text.contains("hunter2"), "a password is told");
    }
    assert!(html.matches("rtsp://me:***@cam/1").count() == 2, "in the command and in the line");
    for part in ["Side by side", "Verdicts", "Over time", "Boxes by label", "The most different frames"] {
        assert!(html.contains(&format!(">{part}</h2>")), "{part}");
    }
    for from_elsewhere in ["http://", "https://", "<script", "<link", "@import", "src=\"/"] {
        assert!(!html.contains(from_elsewhere), "{from_elsewhere}");
    }
    assert!(html.contains("copper") && html.contains("defecttestsrc num-buffers=60"));

    let md = read(&out, "report.md");
    let ok_ng = ab["parts"]["ok_ng"].as_u64().unwrap();
    assert!(md.contains(&format!("| a: ok | {} | {ok_ng} |", ab["parts"]["ok_ok"])), "{md}");
    assert!(md.contains("a: **pcb/1**, b: **pcb/2**") && md.len() < 10_000, "{md}");
}

/// A store whose champion and challenger are on trial, on boards of which the source tells the truth; the rest is as in
/// the file. Answers the report's folder, and the store.
fn trial(champion: &str, challenger: &str, frames: u32, code: i32) -> (tempfile::TempDir, String, Output) {
    let folder = tempfile::tempdir().unwrap();
    let all = folder.path().join("store");
    let store = arg(&all.join("pcb")).to_string();
    for version in ["1", "2"] {
        ok(&["model", "add", &format!("models/pcb/{version}"), arg(&all)]);
    }
    for (alias, version) in [("champion", champion), ("challenger", challenger)] {
        ok(&["model", "alias", &store, alias, version]);
    }
    let source = format!("SOURCE=defecttestsrc num-buffers={frames} defect-rate=0.5");
    let labels = format!("LABELS={}", folder.path().join("labels.jsonl").display());
    let named = format!("STORE={store}");
    let more = [&named, &source, &labels, "--check", "--frames=4", "--report", arg(folder.path())];
    let output = andon(&[&["ab", "pipelines/trial.launch"][..], &more].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", err(&output));
    (folder, store, output)
}

#[test]
fn a_trial_that_promotes_says_so_though_a_new_pair_of_models_has_begun() {
    let (folder, store, output) = trial("1", "2", 240, 0);
    let json = report(folder.path());
    let moved = format!("champion of {store}: 1 → 2");
    assert_eq!(json["headline"], format!("Challenger is better: 2 promoted over 1 ({moved})"));

    let judgements = json["judgements"].as_array().unwrap();
    let of: Vec<_> = judgements
        .iter()
        .map(|j| {
            [&j["models"]["a"]["version"], &j["models"]["b"]["version"], &j["decision"]].map(|v| v.as_str().unwrap())
        })
        .collect();
    assert_eq!(of, [["1", "2", "promote"], ["2", "2", "hold"]], "a model against itself is never decided");
    assert_eq!((&judgements[0]["acted"], &json["judgement"]), (&Value::from(moved.as_str()), &judgements[0]));
    assert!(judgements[0]["labels"]["discordant"].as_u64().unwrap() > 5, "{}", judgements[0]["labels"]);
    let versions: Vec<_> = json["ab"].as_array().unwrap().iter().map(|ab| &ab["models"]["a"]["version"]).collect();
    assert_eq!(versions, ["1", "2"]);

    let (html, md) = (read(folder.path(), "index.html"), read(folder.path(), "report.md"));
    common::page::check(&html, "ab");
    assert!(html.contains("<h1>Challenger is better</h1>"));
    assert_eq!(html.matches("<h2 id=\"judgement-").count(), 1, "of a model beside itself there is nothing to judge");
    for text in [&html, &md] {
        assert!(text.contains("a ok, b ng") && text.contains("fewer of the defective parts through"));
    }
    assert!(md.contains("### The judgement: promote"), "{md}");

    let printed = common::out(&output);
    let lines = |what: &str| printed.lines().filter(|l| l.contains(what)).count();
    assert_eq!((lines("ab-judgement decision=promote"), lines("ab-judgement decision=hold")), (1, 1), "{printed}");
    assert_eq!((lines("model-changed"), lines("part-verdict"), lines("disagreement")), (1, 0, 0), "{printed}");
    assert!(printed.lines().count() < 10, "{printed}");
}

#[test]
fn a_trial_that_aborts_does_not_pass_a_check() {
    let (folder, _, output) = trial("2", "1", 200, 3);
    let json = report(folder.path());
    let headline = json["headline"].as_str().unwrap();
    assert!(headline.starts_with("Challenger is not fit: 1 taken out, 2 stays: b "), "{headline}");
    assert!(err(&output).contains(&format!("not passed: {headline}")), "{}", err(&output));
    let judgements = json["judgements"].as_array().unwrap();
    assert_eq!((judgements.len(), &judgements[0]["decision"]), (1, &"abort".into()));
    assert_eq!(
        (&judgements[0]["acted"], &json["elements"]["t"]["b-is-out"]),
        (&"the challenger was taken out".into(), &false.into())
    );
    let given = json["elements"]["t"]["to-b"].as_u64().unwrap();
    assert!(given < 200, "b had all {given} frames");
    assert!(read(folder.path(), "index.html").contains("and done: the challenger was taken out"));
    assert_eq!(common::out(&output).matches("ab-judgement").count(), 1, "what was printed is not printed again");
}

#[test]
fn whoever_wants_it_verbose_reads_of_every_part() {
    let folder = tempfile::tempdir().unwrap();
    let captures = format!("CAPTURES={}", folder.path().display());
    let printed = |more: &[&str]| {
        let all = [&SHADOW[..], &["FRAMES=3", &captures, "--frames=0", "--report", arg(folder.path())], more].concat();
        ok(&all).matches("part-verdict").count()
    };
    assert_eq!((printed(&[]), printed(&["--verbose"])), (0, 6));
}

#[test]
fn messages_are_printed_as_json_lines() {
    let folder = tempfile::tempdir().unwrap();
    let captures = format!("CAPTURES={}", folder.path().display());
    let more = ["FRAMES=3", &captures, "--json", "--frames=0", "--report", arg(folder.path())];
    let output = andon(&[&SHADOW[..], &more].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let lines: Vec<Value> = common::out(&output).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.iter().any(|m| m["message"] == "andon/ab" && m["data"]["schema"] == "andon.ab/1"));
    assert_eq!(report(folder.path())["frames"], Value::Array(Vec::new()));
}

#[test]
fn pictures_are_parts_that_labels_name_by_their_files_and_labels_of_others_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let boards = folder.path().join("boards");
    ok(&["boards", arg(&boards), "--count=2", "--skus=1"]);
    let pictures = boards.join("images");
    let mut names: Vec<_> =
        std::fs::read_dir(&pictures).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let (source, labels, out) =
        (format!("SOURCE={}", pictures.display()), folder.path().join("labels"), folder.path().join("out"));
    // Without a store, so that nothing is known from the run before.
    let (_line, line) = file(&format!(
        "${{SOURCE}} ! abtee name=t leaky=${{LEAKY:-true}} t.src_a ! modelinfer model=models/pcb/1 ! j.sink_a \
         t.src_b ! modelinfer model=models/pcb/2 ! j.sink_b abjoin name=j wait=${{WAIT:-0}} labels={} ! fakesink",
        labels.display()
    ));
    let stem = names[0].rsplit_once('.').unwrap().0;
    let count = names.len();
    for (text, code, said) in [
        (
            format!("\u{feff}File;Verdict;Source\r\n{stem};ng;sample\r\nA-7;ok;sample"),
            0,
            "labels name 1 part; no part has come for 1 label, such as 'A-7'".to_string(),
        ),
        (
            "{\"id\": \"A-001\", \"verdict\": \"ok\"}\n".repeat(2),
            1,
            format!("labels name no part that has come: 1 label of 'A-001', parts are called '{}'", names[0]),
        ),
    ] {
        std::fs::write(&labels, text).unwrap();
        let all = ["ab", &line, &source, "--frames=0", "--report", arg(&out)];
        let output = andon(&all).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", err(&output));
        assert!(err(&output).contains(&said), "{said}: {}", err(&output));
        let json = report(&out);
        assert_eq!(json["ab"][0]["compared"], count, "each picture is a part, and each part was judged by both");
        assert_eq!(
            json["headline"].as_str().unwrap().contains("1 label of 'A-001'"),
            code == 1,
            "{}",
            json["headline"]
        );
        let stats = &json["elements"]["j"];
        assert_eq!((&stats["labels-matched"], &stats["labels-unknown"]), (&(1 - code).into(), &1.into()));
    }
    assert!(fails(2, &["run", "pipelines/trial.launch", &source, "--print"]).contains("leave --print out"));
}

/// Arm b hands its frames on without a word.
const SILENT: &str = "defecttestsrc num-buffers=4 ! abtee name=t leaky=false \
    t.src_a ! modelinfer model=models/pcb/1 ! j.sink_a  t.src_b ! identity ! j.sink_b  abjoin name=j wait=-1 ! fakesink";

#[test]
fn a_challenger_that_never_speaks_does_not_pass_a_check() {
    let (folder, path) = file(SILENT);
    let at = arg(folder.path()).to_string();
    let said = fails(3, &["ab", &path, "--check", "--report", &at]);
    assert!(said.contains("not passed: no frame came from arm b with a result"), "{said}");
    let json = report(folder.path());
    assert!(json["headline"].as_str().unwrap().starts_with("Nothing was compared: of 4 frames on arm a"), "{json}");
    ok(&["ab", &path, "--report", &at]);
}

#[test]
fn a_pipeline_without_arms_is_wrong_usage_and_told_where_to_see_some() {
    let (folder, path) = file("videotestsrc num-buffers=1 ! fakesink");
    let out = folder.path().join("out");
    let said = fails(2, &["ab", &path, "--report", arg(&out)]);
    assert!(
        said.contains(&path) && said.contains("no abjoin in it") && said.contains("pipelines/shadow.launch"),
        "{said}"
    );
    assert!(!out.exists(), "nothing was played, and nothing is left behind");
}

#[test]
fn of_several_joins_one_has_to_be_named() {
    let (_folder, path) = file(&format!(
        "{SILENT} {}",
        SILENT.replace("=t ", "=u ").replace("t.", "u.").replace("j.", "k.").replace("=j ", "=k ")
    ));
    assert!(fails(2, &["ab", &path]).contains("2 abjoins in it; name one with --join: j, k"));
    assert!(fails(2, &["ab", &path, "--join=x"]).contains("no abjoin is called x; name one with --join: j, k"));
}

#[test]
fn a_file_that_is_not_there_is_wrong_usage_and_named() {
    assert!(fails(2, &["ab", "/nowhere/line.launch"]).contains("/nowhere/line.launch"));
}

#[test]
fn a_variable_is_checked_as_by_andon_run() {
    assert!(fails(2, &["ab", "pipelines/shadow.launch", "CHAMPOIN=x"]).contains("no variable CHAMPOIN: this file has"));
}

#[test]
fn a_folder_that_cannot_be_written_is_a_failure_before_anything_is_played() {
    let (folder, path) = file(SILENT);
    let below_a_file = folder.path().join("line.launch/out");
    let said = fails(1, &["ab", &path, "--report", arg(&below_a_file)]);
    assert!(said.contains("the report cannot be written to") && said.contains("--report=DIR"), "{said}");
    assert!(!said.contains("end of stream"), "{said}");
}

#[test]
fn a_failing_pipeline_leaves_a_report_that_says_so() {
    let broken = SILENT.replace("wait=-1 !", "wait=-1 ! identity name=brake error-after=2 !");
    let (folder, path) = file(&broken);
    let said = fails(1, &["ab", &path, "--report", arg(folder.path())]);
    assert!(said.contains("brake: "), "{said}");
    assert!(report(folder.path())["end"].as_str().unwrap().starts_with("failed: brake: "));
    assert!(read(folder.path(), "index.html").contains("failed: brake: "));
}

#[test]
fn ctrl_c_ends_the_stream_cleanly_with_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let captures = format!("CAPTURES={}", folder.path().join("captures").display());
    let more = ["SOURCE=defecttestsrc is-live=true", &captures, "--json", "--report", arg(folder.path())];
    // Debian 13's ONNX Runtime complains at length when it is loaded: nobody reads on while the report is waited for.
    let mut command = andon(&[&SHADOW[..2], &more].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|l| l.contains("\"andon/ab\"")).expect("the pipeline ended before its first report");
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let json = report(folder.path());
    assert_eq!(json["end"], "eos");
    assert!(json["ab"][0]["frames"]["a"].as_u64().unwrap() > 0);
}

#[test]
fn an_arm_without_a_model_is_refused_before_anything_is_played_and_the_way_out_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (all, out) = (folder.path().join("store"), folder.path().join("out"));
    let store = arg(&all.join("pcb")).to_string();
    let trial = || fails(1, &["ab", "pipelines/trial.launch", &format!("STORE={store}"), "--report", arg(&out)]);
    // What README's story leaves behind, step by step: no store, a champion alone, a second version, a challenger.
    let said = trial();
    assert!(said.contains("arm a has no model") && said.contains("arm b has no model"), "{said}");
    assert!(said.contains(&format!("andon model add BUNDLE {}", arg(&all))), "{said}");
    ok(&["model", "add", "--no-run", "models/pcb/1", arg(&all)]);
    ok(&["model", "promote", &store, "1", "--from", "none"]);
    let said = trial();
    assert!(!said.contains("arm a has no model") && said.contains("nothing was played: arm b has no model"), "{said}");
    assert!(said.contains("add another version"), "{said}");
    ok(&["model", "add", "--no-run", "models/pcb/2", arg(&all)]);
    let said = trial();
    let help = said.rsplit('`').nth(1).unwrap();
    assert_eq!(help, format!("andon model alias {store} challenger 2"));
    assert!(!out.exists(), "nothing was played, and no report says that something was");
    // Followed to the letter, it plays.
    ok(&help.split(' ').skip(1).collect::<Vec<_>>());
    let labels = format!("LABELS={}", arg(&folder.path().join("labels.jsonl")));
    let named = format!("STORE={store}");
    ok(&["ab", "pipelines/trial.launch", &named, &labels, "FRAMES=4", "--report", arg(&out)]);
    assert!(out.join("index.html").is_file());
}

#[test]
fn a_model_that_does_not_run_is_named_in_the_headline() {
    let folder = tempfile::tempdir().unwrap();
    // It is a bundle, and no engine takes it: that shows when it is loaded.
    let broken = common::bundle(folder.path(), "9", "9");
    let (path, out) = (folder.path().join("line.launch"), folder.path().join("out"));
    let line = SILENT.replace("identity", &format!("modelinfer name=challenger on-error=pass model={}", arg(&broken)));
    std::fs::write(&path, line).unwrap();
    ok(&["ab", arg(&path), "--report", arg(&out)]);
    let json = report(&out);
    let headline = json["headline"].as_str().unwrap();
    assert!(headline.contains("challenger has no model: "), "{headline}");
    assert!(read(&out, "index.html").contains("challenger has no model: "), "the page says it, too");
}
