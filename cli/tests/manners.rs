// SPDX-License-Identifier: MPL-2.0
//! The program among others in a shell: a reader that goes away, a disk that is full, wrong usage, manual pages.

mod common;

use std::{
    fs::{self, OpenOptions},
    io::{Read as _, pipe},
    path::Path,
    process::{Command, Stdio},
};

use common::{andon, arg, bundle, err, ok, out};

/// A store of two versions without a model that runs, a bundle, and what else commands read.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for version in ["1", "2"] {
            let bundle = bundle(place.0.path(), version, version);
            ok(&["model", "add", "--no-run", arg(&bundle), &place.text("store")]);
        }
        ok(&["model", "promote", &place.text("store/pcb"), "1"]);
        place
    }

    fn text(&self, name: &str) -> String {
        arg(&self.0.path().join(name)).to_string()
    }

    /// Words in which `@/` is a file of this place, and `@` the place.
    fn filled(&self, word: &str) -> String {
        if word == "@" { arg(self.0.path()).into() } else { word.replace("@/", &self.text("")) }
    }

    fn words(&self, command: &str) -> Vec<String> {
        command.split(' ').map(|word| self.filled(word)).collect()
    }

    fn command(&self, command: &str) -> Command {
        let words = self.words(command);
        andon(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// A pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer.into()
}

/// Commands that print, each with its exit code, which is the same whether or not somebody reads it.
const PRINT: &[(&str, i32)] = &[
    ("--help", 0),
    ("--version", 0),
    ("model --help", 0),
    ("run pipelines/inspect.launch --print", 0),
    ("run @/line.launch --json", 0),
    ("run @/line.launch --verbose", 0),
    ("check pipelines/inspect.launch", 0),
    ("check pipelines/inspect.launch --json", 0),
    ("check @/bad.launch", 1),
    ("boards @/boards --count=2 --skus=1", 0),
    ("reference @/boards/images --into @/reference.json", 1),
    ("doctor --providers=cpu --frames=1", 0),
    ("doctor --providers=cpu --frames=1 --json", 0),
    ("model check models/pcb/2 --no-run", 0),
    ("model show models/pcb/2", 0),
    ("model show models/pcb/2 --json", 0),
    ("model try models/pcb/2 docs/pictures/shadow.jpg", 0),
    ("model init tests/data/detector.onnx --into @/init", 0),
    ("model digest @/bundle-1", 0),
    ("model list @/store", 0),
    ("model list @/store/pcb --json", 0),
    ("model alias @/store/pcb challenger 2", 0),
    ("model promote @/store/pcb 2", 0),
    ("model rollback @/store/pcb", 0),
    ("model refuse @/store/pcb 2", 0),
    ("model history @/store/pcb", 0),
    ("model history @/store/pcb --json", 0),
    ("model audit @/store", 0),
    ("model gc @/store/pcb --dry-run", 0),
    ("model policy @/store", 0),
    ("model keygen @/key --no-password", 0),
    ("model sign @/bundle-1 --key @/key.key", 0),
    ("model verify @/bundle-1 --keys @/key.pub", 0),
    ("dataset stats @/captures", 0),
    ("dataset stats @/captures --json", 0),
    ("dataset digest @/captures", 0),
    ("dataset export @/captures --format coco --into @/coco", 0),
    ("dataset browse @/captures --out @/contact.html", 0),
    ("completions bash", 0),
    ("completions zsh", 0),
    ("completions fish", 0),
];

#[test]
fn a_reader_that_is_gone_ends_nothing_and_a_full_disk_is_told() {
    let place = Place::new();
    let line = "defecttestsrc num-buffers=3 defect-rate=1 ! modelinfer model=models/pcb/2 post-messages=true ! \
                framesampler every=1 location=@/captures ! fakesink";
    fs::write(place.text("line.launch"), place.filled(line)).unwrap();
    fs::write(place.text("bad.launch"), "videotestsrc ! fakesnk\n").unwrap();
    let mut wrong = Vec::new();
    for (command, code) in PRINT {
        let output = place.command(command).stdout(unread()).output().unwrap();
        let said = err(&output);
        let odd = ["panicked", "Broken pipe", "cannot be written"].iter().any(|word| said.contains(word));
        if output.status.code() != Some(*code) || odd {
            wrong.push(format!("{command}: {}: {said}", output.status));
        }
    }
    // Of what is not written, whoever asked is told.
    for command in ["--version", "model list @/store", "model show models/pcb/2 --json", "completions bash"] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = place.command(command).stdout(full).output().unwrap();
        if output.status.code() != Some(1) || err(&output).matches("the standard output cannot be written").count() != 1
        {
            wrong.push(format!("{command} > /dev/full: {}: {}", output.status, err(&output)));
        }
    }
    // Nor does a closed standard error end anything.
    let output = place.command("run @/line.launch").stderr(unread()).output().unwrap();
    if !output.status.success() {
        wrong.push(format!("run 2>&-: {}", output.status));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_line_plays_on_when_its_reader_leaves() {
    let place = Place::new();
    let line = format!(
        "defecttestsrc num-buffers=40 ! identity ! modelinfer model=models/pcb/2 post-messages=true ! filesink location={}",
        place.text("frames")
    );
    fs::write(place.text("line.launch"), line).unwrap();
    let output = place.command("run @/line.launch --json").stdout(unread()).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    let all = place.command("run @/line.launch --json").output().unwrap();
    assert!(out(&all).lines().count() > 40, "{}", out(&all));
    let written = fs::metadata(place.text("frames")).unwrap().len();
    ok(&["run", &place.text("line.launch")]);
    assert_eq!(fs::metadata(place.text("frames")).unwrap().len(), written, "every frame went on to the end");
}

/// What was typed, and what the answer has to say.
const WRONG: &[(&str, &[&str])] = &[
    ("", &["Usage: andon"]),
    ("chek", &["similar", "check"]),
    ("run", &["<FILE>"]),
    ("run pipelines/inspct.launch", &["did you mean pipelines/inspect.launch?"]),
    ("run shadwo", &["did you mean shadow?"]),
    ("run pipelines/inspect.launch MODLE=x", &["no variable MODLE", "MODEL", "did you mean MODEL?"]),
    ("run pipelines/inspect.launch MODEL", &["write VAR=value"]),
    ("run pipelines/inspect.launch --restart=allways", &["no", "on-failure", "always"]),
    ("run pipelines/inspect.launch --stall=10", &["10s"]),
    ("run pipelines/inspect.launch --quiet --verbose", &["cannot be used with"]),
    ("check pipelines/inspect.launch --jsn", &["--json"]),
    ("check @/nowhere.launch", &["nowhere.launch"]),
    ("ab pipelines/inspect.launch", &["no abjoin in it"]),
    ("ab pipelines/shadow.launch --frames=1000", &["256"]),
    ("judge @", &["holds no trial"]),
    ("drift @/nowhere.jsonl", &["nowhere.jsonl"]),
    ("reference @/nowhere.mp4 --into @/r.json", &["nowhere.mp4"]),
    ("evaluate models/pcb/2 --data @ --layout yol", &["yolo"]),
    ("model", &["Usage"]),
    ("model shw x", &["show"]),
    ("model check models/pcb/22", &["no such model", "did you mean models/pcb/2?"]),
    ("model show @/store/pcb@champoin", &["champion (1)", "did you mean champion?"]),
    ("model show @/store/pcbb@champion", &["pcbb"]),
    ("model list @/stroe", &["did you mean @/store?"]),
    ("model history @/store/pbc", &["did you mean @/store/pcb?"]),
    ("model promote @/store/pcb 3", &["there are 1, 2"]),
    ("model alias @/store/pcb chal/lenger 2", &["chal/lenger"]),
    ("model init tests/data/detector.onnx --into @/new --decoder yolov88", &["yolov8"]),
    ("model add models/pcb/2 @/store/pcb", &["name the store above it"]),
    ("model keygen @/k --no-password --password-file x", &["cannot be used with"]),
    ("model policy @/nowhere", &["no folder"]),
    ("dataset export @/captures --format coc --into @/x", &["coco"]),
    ("dataset stats @/nowhere", &["nowhere"]),
    ("boards @/b --kinds=opne", &["open"]),
    ("boards @/b --count=2 --skus=10", &["ask for"]),
    ("doctor --providers=cdua", &["cuda"]),
    ("ctl subscribe drft", &["drift"]),
    ("ctl set a", &["<PROPERTY>"]),
    ("ctl label - x gut", &["ok", "ng"]),
    ("top", &["needs a terminal"]),
    ("completions tcsh", &["bash", "zsh", "fish"]),
];

#[test]
fn wrong_usage_is_two_and_says_what_there_is() {
    let place = Place::new();
    let mut wrong = Vec::new();
    for (command, says) in WRONG {
        let output = if command.is_empty() { andon(&[]).output() } else { place.command(command).output() }.unwrap();
        let said = err(&output);
        let says: Vec<_> = says.iter().map(|word| place.filled(word)).collect();
        let lacks: Vec<_> = says.iter().filter(|word| !said.contains(*word)).collect();
        if output.status.code() != Some(2) || !lacks.is_empty() || !output.stdout.is_empty() {
            wrong.push(format!("{command}: {}: no {lacks:?} in: {said}{}", output.status, out(&output)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn manual_pages_are_written_for_every_command_and_render() {
    let folder = tempfile::tempdir().unwrap();
    ok(&["man", "--into", arg(folder.path())]);
    let page = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    for name in ["andon.1", "andon-run.1", "andon-model-add.1", "andon-ctl-set.1"] {
        let page = page(name);
        for section in ["NAME", "SYNOPSIS", "EXIT STATUS", "ENVIRONMENT", "EXAMPLES", "SEE ALSO"] {
            assert!(
                page.contains(&format!(".SH \"{section}\"")) || page.contains(&format!(".SH {section}")),
                "{name}: {section}"
            );
        }
        assert!(page.is_ascii(), "{name}");
    }
    assert!(page("andon-ctl.1").contains("ANDON_CONTROL") && !page("andon-model.1").contains("ANDON_CONTROL"));
    assert!(!folder.path().join("andon-man.1").exists(), "what packers use is no command for people");
    let pages: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(pages.len() > 50, "{}", pages.len());
    // Twice the same.
    let again = tempfile::tempdir().unwrap();
    ok(&["man", "--into", arg(again.path())]);
    for path in &pages {
        assert_eq!(fs::read(path).unwrap(), fs::read(again.path().join(path.file_name().unwrap())).unwrap());
    }
    if !Path::new("/usr/bin/groff").exists() {
        println!("skipped: groff is not there");
        return;
    }
    let mut groff = Command::new("groff");
    let output = groff.args(["-man", "-ww", "-z"]).args(&pages).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", err(&output));
}

#[test]
fn completions_may_be_installed_as_files() {
    for shell in ["bash", "zsh", "fish"] {
        let (own, installed) = (ok(&["completions", shell]), ok(&["completions", shell, "--installed"]));
        let program = fs::canonicalize(env!("CARGO_BIN_EXE_andon")).unwrap();
        assert!(own.contains(arg(&program)) && !installed.contains(arg(&program)), "{shell}: {installed}");
        if !Path::new("/usr/bin").join(shell).exists() {
            println!("skipped: {shell} is not there");
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("_andon");
        fs::write(&file, &installed).unwrap();
        let output = Command::new(shell).arg("-n").arg(&file).output().unwrap();
        assert!(output.status.success(), "{shell}: {}", err(&output));
    }
    assert!(ok(&["completions", "zsh", "--installed"]).starts_with("#compdef andon"));
}

#[test]
fn a_threshold_is_set_by_a_command_and_the_digests_hold() {
    let place = Place::new();
    let bundle = place.text("bundle-1");
    let version = |path: &str| {
        let text = fs::read_to_string(Path::new(path).join("model.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        (manifest["version"].as_str().unwrap().to_string(), manifest["thresholds"]["score"].as_f64())
    };
    ok(&["model", "threshold", &bundle, "0.6"]);
    assert_eq!(version(&bundle), ("1".into(), Some(0.6)), "as it was typed");
    assert!(ok(&["model", "check", &bundle, "--no-run"]).contains("all 2 files match"));
    // A version of a store, and what is signed, stays as it is.
    let stored = format!("{}@champion", place.text("store/pcb"));
    let set = |words: &[&str]| andon(&[&["model", "threshold"], words].concat()).output().unwrap();
    let refused = set(&[&stored, "0.7"]);
    assert!(
        refused.status.code() == Some(2) && err(&refused).contains("--into FOLDER --as VERSION"),
        "{}",
        err(&refused)
    );
    let third = place.text("third");
    ok(&["model", "threshold", &stored, "0.7", "--into", &third, "--as", "3"]);
    assert_eq!(version(&third), ("3".into(), Some(0.7)));
    ok(&["model", "add", "--no-run", &third, &place.text("store")]);
    assert!(ok(&["model", "audit", &place.text("store")]).contains("everything matches"));
    ok(&["model", "keygen", &place.text("key"), "--no-password"]);
    ok(&["model", "sign", &bundle, "--key", &place.text("key.key")]);
    assert_eq!(set(&[&bundle, "0.5"]).status.code(), Some(2));
    for (words, why) in [(["x", "0.5"], "no such model"), ([&third, "much"], "no threshold"), ([&third, "-1"], "")] {
        let output = set(&words);
        assert!(output.status.code() == Some(2) && err(&output).contains(why), "{words:?}: {}", err(&output));
    }
}

#[test]
fn whoever_has_no_name_in_the_environment_has_one_in_the_system() {
    let place = Place::new();
    let mut promote = place.command("model promote @/store/pcb 2 --from 1");
    for name in ["SUDO_USER", "USER", "LOGNAME"] {
        promote.env_remove(name);
    }
    assert!(promote.output().unwrap().status.success());
    let system = Command::new("id").arg("-un").output().unwrap();
    let history = ok(&["model", "history", &place.text("store/pcb"), "--json"]);
    let history: serde_json::Value = serde_json::from_str(&history).unwrap();
    let last = history["entries"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["who"], &last["to"]), (&out(&system).trim().into(), &"2".into()));
}

#[test]
fn a_live_view_that_is_told_to_stop_leaves_the_terminal_as_it_was() {
    if !Path::new("/usr/bin/script").exists() {
        println!("skipped: script is not there");
        return;
    }
    let place = Place::new();
    let socket = place.text("line.sock");
    let pipeline = "defecttestsrc is-live=true ! video/x-raw,width=64,height=64 ! fakesink";
    fs::write(place.text("line.launch"), pipeline).unwrap();
    let mut line = place.command("run @/line.launch");
    line.env("ANDON_CONTROL", format!("unix:{socket}")).stdout(Stdio::null()).stderr(Stdio::null());
    let mut line = line.spawn().unwrap();
    while !place.command("ctl --line @/line.sock list").output().unwrap().status.success() {
        assert!(line.try_wait().unwrap().is_none(), "the line has ended");
    }
    let view = format!(
        "stty -g; sh -c 'echo pid $$; exec \"$0\" top --line \"$1\"' {} {socket}; echo \"code $?\"; stty -g",
        env!("CARGO_BIN_EXE_andon")
    );
    let mut shell = Command::new("script");
    shell.args(["-qec", &view, "/dev/null"]).env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    let (mut said, mut stopped, mut byte) = (String::new(), false, [0]);
    let mut screen = shell.stdout.take().unwrap();
    while screen.read(&mut byte).unwrap() > 0 {
        said.push(byte[0].into());
        // The first drawing is whole when its keys are there.
        if !stopped && said.contains("\u{1b}[?1049h") && said.contains("defecttestsrc") {
            let pid = said.split("pid ").nth(1).unwrap().split_whitespace().next().unwrap();
            assert!(Command::new("kill").args(["-TERM", pid]).status().unwrap().success());
            stopped = true;
        }
    }
    shell.wait().unwrap();
    line.kill().unwrap();
    line.wait().unwrap();
    let lines: Vec<_> = said.lines().collect();
    assert!(stopped && said.contains("code 0") && said.contains("\u{1b}[?1049l"), "{said:?}");
    assert_eq!(lines.first(), lines.last(), "the terminal's settings");
}
