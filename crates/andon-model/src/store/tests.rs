// SPDX-License-Identifier: MPL-2.0
//! A store keeps, moves and refuses versions, each change completely or not at all.

use std::{collections::BTreeMap, fs, thread};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate as model;
use change::tests::killed_after;

/// A folder with bundles of `pcb`, and a store for them.
struct Fixture {
    dir: TempDir,
    store: Store,
}

/// A graph of which nothing but its producer's name is there.
fn producer(name: &str) -> Vec<u8> {
    [&[0x12, name.len() as u8], name.as_bytes()].concat()
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = make(&dir.path().join("store"), "pcb").unwrap();
        Self { dir, store }
    }

    /// Makes a store with versions 1, 2 and 3; 2 is champion, 1 previous, 3 challenger.
    fn running() -> Self {
        let fixture = Self::new();
        for version in ["1", "2", "3"] {
            fixture.add(version).unwrap();
        }
        fixture.store.promote(Some("1"), &note("first")).unwrap();
        fixture.store.promote(Some("2"), &note("better")).unwrap();
        fixture.store.set_alias(CHALLENGER, "3", &note("to be tried")).unwrap();
        fixture
    }

    /// Copies the store to another folder.
    fn copy(&self) -> Self {
        let fixture = Self::new();
        for name in model::files::files(self.store.folder()).unwrap() {
            let to = fixture.store.folder().join(&name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(self.store.folder().join(&name), to).unwrap();
        }
        fixture
    }

    fn bundle(&self, version: &str, graph: &str) -> PathBuf {
        let folder = self.dir.path().join(format!("bundle-{version}"));
        fs::create_dir_all(folder.join("golden")).unwrap();
        let graph = producer(graph);
        fs::write(folder.join("model.onnx"), &graph).unwrap();
        fs::write(folder.join("golden/a.png"), "a picture").unwrap();
        let manifest = json!({
            "schema": "andon.model/1", "name": "pcb", "version": version, "task": "detection",
            "inputs": [{"name": "images", "source": "image", "size": [64, 64]}],
            "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["open"]}],
            "verdict": {"rule": "any-detection"},
            "golden": [{"image": "golden/a.png", "verdict": "ok"}],
            "digests": {"model.onnx": model::digest(&graph), "golden/a.png": model::digest(b"a picture")}
        });
        fs::write(folder.join("model.json"), manifest.to_string()).unwrap();
        folder
    }

    fn add(&self, version: &str) -> Result<String, Error> {
        self.store.add(&self.bundle(version, &format!("graph {version}")), &note("trained"))
    }

    fn aliases(&self) -> BTreeMap<String, String> {
        self.store.aliases().unwrap()
    }

    #[track_caller]
    fn assert_consistent(&self) {
        assert_eq!(self.store.audit().unwrap(), []);
        let leftovers: Vec<_> = fs::read_dir(self.store.folder()).unwrap().map(|e| e.unwrap().file_name()).collect();
        let odd = |n: &&std::ffi::OsString| n.to_string_lossy().starts_with('.') && *n != ".lock";
        assert_eq!(leftovers.iter().find(odd), None, "nothing is left over");
    }

    fn audit(&self) -> Vec<String> {
        self.store.audit().unwrap().iter().map(ToString::to_string).collect()
    }
}

fn note(why: &str) -> Note {
    Note::new("a test", why)
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(a, v)| (a.to_string(), v.to_string())).collect()
}

#[test]
fn a_move_is_made_only_from_where_it_was_meant_to_start() {
    let fixture = Fixture::running();
    let (store, before) = (&fixture.store, fixture.aliases());
    let from = |version| Expected { from: Some(version), to: None };
    let both = |from, to| Expected { from: Some(from), to: Some(to) };
    let refused = [
        (store.promote_expecting(Some("3"), from("1"), &note("")), CHAMPION, Some("2")),
        (store.promote_expecting(Some("2"), from("1"), &note("twice")), CHAMPION, Some("2")),
        (store.set_alias_expecting(CHAMPION, "3", from("1"), &note("")), CHAMPION, Some("2")),
        (store.set_alias_expecting("canary", "3", from("2"), &note("")), "canary", None),
        (store.rollback_expecting(from("1"), &note("")), CHAMPION, Some("2")),
        (store.rollback_expecting(both("2", "3"), &note("")), PREVIOUS, Some("1")),
    ];
    for (done, at, is) in refused {
        let error = done.unwrap_err();
        assert!(
            matches!(&error, Error::Moved { alias, found, .. } if alias == at && found.as_deref() == is),
            "{at}: {error}"
        );
    }
    assert!(store.promote_expecting(Some("3"), from(NOT_SET), &note("")).is_err(), "there is a champion already");
    assert_eq!(fixture.aliases(), before, "what is refused moves nothing");
    store.set_alias_expecting("canary", "3", from(NOT_SET), &note("the first")).unwrap();
    assert!(store.set_alias_expecting("canary", "2", from(NOT_SET), &note("")).is_err(), "somebody was faster");
    store.promote_expecting(None, from("2"), &note("as meant")).unwrap();
    store.rollback_expecting(both("3", "2"), &note("as meant")).unwrap();
    let moved = store.set_alias_expecting("previous", "1", from("3"), &note("as meant")).unwrap();
    assert_eq!((moved.from.as_deref(), &*moved.to), (Some("3"), "1"));
    let history = store.history().unwrap();
    assert!(history.entries.iter().rev().take(3).all(|e| e.why == "as meant"), "{:?}", history.entries);
}

#[test]
fn champion_and_previous_move_together_and_the_challenger_is_used_up() {
    let fixture = Fixture::running();
    let moved = fixture.store.promote(None, &note("it won")).unwrap();
    assert_eq!((moved.from.as_deref(), moved.to.as_str()), (Some("2"), "3"));
    assert_eq!(fixture.aliases(), map(&[("champion", "3"), ("previous", "2")]));
    fixture.store.rollback(&note("it did not")).unwrap();
    assert_eq!(fixture.aliases(), map(&[("champion", "2"), ("previous", "3")]));
    fixture.assert_consistent();
}

#[test]
fn the_history_says_who_what_when_why_and_which_content() {
    let fixture = Fixture::running();
    let history = fixture.store.history().unwrap();
    assert_eq!(history.entries.len(), 6);
    let promoted = &history.entries[4];
    assert_eq!((promoted.who.as_str(), promoted.why.as_str(), promoted.action), ("a test", "better", Action::Promote));
    assert_eq!((promoted.from.as_deref(), promoted.to.as_deref()), (Some("1"), Some("2")));
    assert_eq!(
        promoted.digest.as_deref(),
        Some(&*model::digest(&producer("graph 2"))),
        "the digest that results carry"
    );
    assert!(promoted.utc.starts_with("20") && promoted.utc.ends_with('Z'), "{}", promoted.utc);
}

#[test]
fn what_changes_nothing_is_not_written_down() {
    let fixture = Fixture::running();
    assert_eq!(fixture.store.promote(Some("2"), &note("again")).unwrap().serial, None);
    assert_eq!(fixture.store.set_alias(CHALLENGER, "3", &note("again")).unwrap().serial, None);
    fixture.add("3").unwrap();
    assert_eq!(fixture.store.history().unwrap().serial(), 6);
}

#[test]
fn a_store_opens_what_its_aliases_mean() {
    let fixture = Fixture::running();
    let name = format!("{}@champion", fixture.store.folder().display());
    assert_eq!(model::open(&name).unwrap().id.version, "2");
    let (store, reference) = Store::of(&name).unwrap();
    assert_eq!((&store, reference.as_str(), store.name().as_str()), (&fixture.store, "champion", "pcb"));
    assert_eq!(Store::of(&fixture.store.folder().join("2").display().to_string()), None, "a path is no reference");
    assert_eq!(Store::of("nowhere/pcb@champion"), None);
}

#[test]
fn a_version_never_changes() {
    let fixture = Fixture::running();
    let other = fixture.bundle("2", "another graph");
    let e = fixture.store.add(&other, &note("")).unwrap_err();
    assert!(matches!(&e, Error::Exists { .. }) && e.to_string().contains("another version"), "{e}");
    fixture.assert_consistent();
}

#[test]
fn only_whole_bundles_of_this_model_with_a_plain_version_come_in() {
    let fixture = Fixture::new();
    let change = |version: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let folder = fixture.bundle("x", "graph");
        let mut manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("model.json")).unwrap()).unwrap();
        manifest["version"] = version.into();
        change(&mut manifest);
        fs::write(folder.join("model.json"), manifest.to_string()).unwrap();
        fixture.store.add(&folder, &note("")).unwrap_err()
    };
    for version in ["", ".", "..", ".add-1", "../2", "a/b", "a\\b", "1@2", " 1", "a\nb", "champion", &"x".repeat(101)] {
        let e = change(version, &|_| {});
        // What no name may hold, the manifest already refuses.
        let by_manifest = version.contains('\n') && matches!(e, Error::Model(model::Error::Manifest { .. }));
        assert!(by_manifest || matches!(e, Error::Name { what: "version", .. }), "{version:?}: {e}");
    }
    assert!(matches!(change("1", &|v| v["name"] = "glass".into()), Error::OtherModel { .. }));
    let e = change("1", &|v| v["digests"]["model.onnx"] = model::digest(b"other").into());
    assert!(matches!(e, Error::Model(model::Error::Digest { .. })), "{e}");
    let e = change("1", &|v| v["golden"][0]["image"] = "../a.png".into());
    assert!(matches!(e, Error::Model(model::Error::Manifest { .. } | model::Error::Escape { .. })), "{e}");
    assert_eq!(fixture.store.versions().unwrap(), [""; 0]);
    fixture.assert_consistent();
}

#[test]
fn a_model_whose_name_would_leave_the_store_is_refused() {
    let fixture = Fixture::new();
    let folder = fixture.bundle("1", "graph");
    let text = fs::read_to_string(folder.join("model.json")).unwrap().replace("\"pcb\"", "\"../pcb\"");
    fs::write(folder.join("model.json"), text).unwrap();
    let e = Store::for_bundle(&fixture.dir.path().join("other"), &folder).unwrap_err();
    assert!(matches!(e, Error::Name { what: "model", .. }), "{e}");
    assert!(!fixture.dir.path().join("other").exists());
}

#[test]
fn a_refused_version_cannot_become_champion_until_it_is_added_again() {
    let fixture = Fixture::running();
    fixture.store.refuse("3", &note("calls every frame bad")).unwrap();
    for e in [
        fixture.store.promote(None, &note("")).unwrap_err(),
        fixture.store.set_alias(CHAMPION, "3", &note("")).unwrap_err(),
    ] {
        assert!(matches!(&e, Error::Refused { .. }) && e.to_string().contains("calls every frame bad"), "{e}");
    }
    fixture.add("3").unwrap();
    assert_eq!(fixture.store.refused().unwrap(), map(&[]));
    fixture.store.promote(None, &note("mended")).unwrap();
    fixture.assert_consistent();
}

#[test]
fn withdrawing_the_champion_brings_the_previous_one_back_and_refuses_it_in_one_step() {
    let fixture = Fixture::running();
    let before = fixture.store.history().unwrap().serial();
    let moved = fixture.store.withdraw("2", &note("p99 over the deadline")).unwrap().unwrap();
    assert_eq!((moved.to.as_str(), moved.serial), ("1", Some(before + 1)));
    assert_eq!(fixture.store.refused().unwrap(), map(&[("2", "p99 over the deadline")]));
    assert!(matches!(fixture.store.rollback(&note("")), Err(Error::Refused { .. })), "it cannot come back so");
    // Who comes late takes nothing back from another version.
    assert_eq!(fixture.store.withdraw("3", &note("")).unwrap(), None);
    assert_eq!(fixture.aliases()[CHAMPION], "1");
    fixture.assert_consistent();
}

#[test]
fn an_alias_cannot_be_called_as_a_version_or_lead_out() {
    let fixture = Fixture::running();
    for alias in ["2", "", "a/b", ".x", "a@b"] {
        assert!(
            matches!(fixture.store.set_alias(alias, "1", &note("")), Err(Error::Name { what: "alias", .. })),
            "{alias}"
        );
    }
    for version in ["9", "..", ".lock", "aliases.json"] {
        assert!(
            matches!(fixture.store.set_alias("night", version, &note("")), Err(Error::NoVersion { .. })),
            "{version}"
        );
    }
    fixture.store.set_alias("night", "1", &note("the night shift")).unwrap();
    assert!(matches!(fixture.add("night"), Err(Error::Name { what: "version", .. })));
}

#[test]
fn a_version_that_was_damaged_is_not_promoted() {
    let fixture = Fixture::running();
    fs::write(fixture.store.folder().join("3/model.onnx"), "gra").unwrap();
    let e = fixture.store.promote(None, &note("")).unwrap_err();
    assert!(matches!(e, Error::Model(model::Error::Digest { .. })), "{e}");
    assert_eq!(fixture.aliases()[CHAMPION], "2");
}

#[test]
fn gc_keeps_what_an_alias_means_and_the_newest() {
    let fixture = Fixture::running();
    for version in ["10", "9", "8"] {
        fixture.add(version).unwrap();
    }
    fixture.store.promote(Some("3"), &note("")).unwrap();
    assert_eq!(fixture.store.gc(2, true, &note("")).unwrap(), ["1", "10"], "by when they came, not by name");
    assert_eq!(fixture.store.versions().unwrap().len(), 6, "a dry run removes nothing");
    assert_eq!(fixture.store.gc(2, false, &note("room")).unwrap(), ["1", "10"]);
    assert_eq!(fixture.store.versions().unwrap(), ["2", "3", "8", "9"]);
    fixture.assert_consistent();
    fixture.add("10").unwrap();
    fixture.assert_consistent();
}

#[test]
fn moves_by_another_hand_are_found() {
    let fixture = Fixture::running();
    let file = fixture.store.folder().join("aliases.json");
    let honest = fs::read_to_string(&file).unwrap();
    fs::write(&file, honest.replace("\"champion\": \"2\"", "\"champion\": \"1\"")).unwrap();
    let found = fixture.audit();
    assert!(found[0].starts_with("champion is 1 in aliases.json, and 2 in the history"), "{found:?}");
    let finding = &fixture.store.audit().unwrap()[0];
    assert!(matches!(finding, Finding::NotInHistory { alias, .. } if alias == "champion"), "{finding:?}");
    // The next change does not wash it away.
    fixture.store.promote(Some("3"), &note("")).unwrap();
    let found = fixture.audit();
    assert!(found[0].contains("entry 7: champion was 1 then, and 2 after the entry before"), "{found:?}");
    // Nor one to an alias that it does not move.
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace('{', "{\"night\": \"1\",")).unwrap();
    fixture.store.set_alias(CHALLENGER, "2", &note("")).unwrap();
    assert!(fixture.audit()[1].contains("entry 8: night was 1 then, and not set"), "{:?}", fixture.audit());
}

#[test]
fn an_old_version_in_a_new_ones_folder_is_found() {
    let fixture = Fixture::running();
    let at = |file: &str| fixture.store.folder().join(file);
    fs::remove_dir_all(at("2")).unwrap();
    fs::rename(at("1"), at("2")).unwrap();
    let found = fixture.audit().join("\n");
    assert!(found.contains("version 2: its model.json names version 1"), "{found}");
    assert!(found.contains("previous is 1, which does not exist"), "{found}");
}

#[test]
fn files_that_were_replaced_and_folders_put_there_by_hand_are_found() {
    let fixture = Fixture::running();
    let other = fixture.bundle("2", "another graph");
    let copy = |to: &str| {
        for file in ["model.json", "model.onnx", "golden/a.png"] {
            fs::create_dir_all(fixture.store.folder().join(to).join("golden")).unwrap();
            fs::copy(other.join(file), fixture.store.folder().join(to).join(file)).unwrap();
        }
    };
    copy("2");
    assert!(fixture.audit()[0].contains("version 2 is not what was added"), "{:?}", fixture.audit());
    fixture.bundle("7", "graph 7");
    fs::rename(fixture.dir.path().join("bundle-7"), fixture.store.folder().join("7")).unwrap();
    assert!(fixture.audit()[1].contains("version 7 was never added"), "{:?}", fixture.audit());
}

#[test]
fn a_refusal_that_was_lifted_and_a_line_that_was_taken_out_are_found() {
    let fixture = Fixture::running();
    fixture.store.refuse("3", &note("bad")).unwrap();
    fs::write(fixture.store.folder().join("refused.json"), "{}").unwrap();
    assert!(fixture.audit()[0].contains("do not agree on version 3"), "{:?}", fixture.audit());
    let path = fixture.store.folder().join("history.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let without: String = text.lines().filter(|l| !l.contains("\"better\"")).map(|l| format!("{l}\n")).collect();
    fs::write(&path, without).unwrap();
    assert!(fixture.audit()[0].contains("entry 6 does not follow"), "{:?}", fixture.audit());
}

#[test]
fn a_history_whose_end_was_cut_changed_or_added_to_is_found_and_stays_found() {
    type Hand = fn(&Path);
    let cut = |folder: &Path, keep: usize| {
        let path = folder.join("history.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.lines().take(keep).map(|l| format!("{l}\n")).collect::<String>()).unwrap();
    };
    let rows: [(Hand, &str); 6] = [
        (|f| fs::write(f.join("cut"), "").unwrap(), "aliases.json knows 6 changes, and the history has 4"),
        (|f| fs::remove_file(f.join("history.jsonl")).unwrap(), "knows 6 changes, and the history has 0"),
        (
            |f| {
                let text = fs::read_to_string(f.join("history.jsonl")).unwrap();
                fs::write(f.join("history.jsonl"), text.replace("to be tried", "to be trusted")).unwrap();
            },
            "change 6, the last one, is not the one",
        ),
        (
            |f| {
                let text = fs::read_to_string(f.join("aliases.json"))
                    .unwrap()
                    .replace("\".history\": \"6 ", "\".history\": \"5 ");
                fs::write(f.join("aliases.json"), text).unwrap();
            },
            "that of change 5, and the history has 6",
        ),
        (
            |f| {
                let mut map = model::locate::texts(&f.join("aliases.json")).unwrap();
                map.remove(".history");
                fs::write(f.join("aliases.json"), json!(map).to_string()).unwrap();
            },
            "does not say how the history ends, as it did before",
        ),
        (|f| fs::remove_file(f.join("aliases.json")).unwrap(), "does not say how the history ends"),
    ];
    for (hand, said) in rows {
        let fixture = Fixture::running();
        hand(fixture.store.folder());
        if fixture.store.folder().join("cut").exists() {
            cut(fixture.store.folder(), 4);
        }
        let found = fixture.store.audit().unwrap();
        let text = fixture.audit().join("\n");
        assert!(text.contains(said) && found.iter().any(|f| !f.is_note()), "{said}: {text}");
        println!("{text}");
        // The next change does not wash it away, and the one after that neither.
        for alias in ["night", "day"] {
            fixture.store.set_alias(alias, "1", &note("")).unwrap();
            let found = fixture.store.audit().unwrap();
            assert!(found.iter().any(|f| matches!(f, Finding::Lost { .. })), "{said}: {found:?}");
        }
    }
}

#[test]
fn a_store_from_before_the_chain_is_unchained_until_its_next_change() {
    let fixture = Fixture::running();
    let at = |file: &str| fixture.store.folder().join(file);
    let mut after = String::new();
    let text = fs::read_to_string(at("history.jsonl")).unwrap();
    let lines = text.lines().map(|line| {
        let mut entry: Entry = serde_json::from_str(line).unwrap();
        (entry.chained, entry.after) = (false, std::mem::take(&mut after));
        after = entry.digest_of_line();
        String::from_utf8(entry.line()).unwrap() + "\n"
    });
    fs::write(at("history.jsonl"), lines.collect::<String>()).unwrap();
    fs::write(at("aliases.json"), r#"{"champion": "2", "challenger": "3", "previous": "1"}"#).unwrap();
    assert_eq!(fixture.store.audit().unwrap(), [Finding::Unchained]);
    assert!(Finding::Unchained.is_note());
    fixture.store.promote(None, &note("")).unwrap();
    fixture.assert_consistent();
    assert!(fs::read_to_string(at("aliases.json")).unwrap().contains("\".history\": \"7 sha256:"));
}

#[cfg(unix)]
#[test]
fn what_a_stores_files_are_instead_is_refused_and_never_written_through() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    let theirs = outside.path().join("theirs");
    let theirs_says = r#"{"champion": "1"}"#;
    fs::write(&theirs, theirs_says).unwrap();
    for (file, said) in [
        ("aliases.json", "leaves the folder of the model"),
        ("refused.json", "leaves the folder of the model"),
        ("history.jsonl", "leaves the folder of the model"),
        ("pending.json", "leaves the folder of the model"),
        (".lock", "is no plain file"),
    ] {
        let fixture = Fixture::running();
        let at = fixture.store.folder().join(file);
        let _ = fs::remove_file(&at);
        symlink(&theirs, &at).unwrap();
        let e = fixture.store.promote(None, &note("")).unwrap_err().to_string();
        assert!(e.contains(file) && e.contains(said), "{file}: {e}");
        println!("{e}");
        // A link to nothing is no file that is not there.
        fs::remove_file(&at).unwrap();
        symlink(outside.path().join("nowhere"), &at).unwrap();
        assert!(fixture.store.promote(None, &note("")).is_err(), "{file}");
    }
    let fixture = Fixture::running();
    for file in [".aliases.json.new", ".refused.json.new", ".pending.json.new"] {
        symlink(&theirs, fixture.store.folder().join(file)).unwrap();
    }
    fixture.store.promote(None, &note("")).unwrap();
    fixture.assert_consistent();
    assert_eq!(fs::read_to_string(&theirs).unwrap(), theirs_says);
    // Who runs an element that follows a store must not be shown a second reading of it.
    fs::write(fixture.store.folder().join("aliases.json"), r#"{"champion": "1", "champion": "2"}"#).unwrap();
    let e = fixture.store.aliases().unwrap_err().to_string();
    assert!(e.contains("the key 'champion' stands twice"), "{e}");
}

/// The changes of a store.
const CHANGES: &[fn(&Fixture)] = &[
    |l| drop(l.store.promote(None, &note("killed"))),
    |l| drop(l.store.rollback(&note("killed"))),
    |l| drop(l.add("4")),
    |l| drop(l.store.withdraw("2", &note("killed"))),
    |l| drop(l.store.set_alias("night", "1", &note("killed"))),
    |l| drop(l.store.gc(0, false, &note("killed"))),
];

#[test]
fn killed_after_any_step_the_store_is_consistent_and_the_next_change_finishes_it() {
    let running = Fixture::running();
    running.add("5").unwrap();
    for (which, change) in CHANGES.iter().enumerate() {
        let (mut steps, mut done) = (0, false);
        while !done {
            let fixture = running.copy();
            let (before, entries) = (fixture.aliases(), fixture.store.history().unwrap().serial());
            done = killed_after(steps, || change(&fixture));
            // A reader sees the state before or after, and the history explains it.
            let (now, history) = (fixture.aliases(), fixture.store.history().unwrap());
            let last = &history.entries.last().unwrap().aliases;
            assert!(now == before || now == *last, "change {which}, step {steps}: {now:?}");
            let found = fixture.store.audit().unwrap();
            assert!(found.iter().all(|f| *f == Finding::Unfinished), "change {which}, step {steps}: {found:?}");
            for alias in [CHAMPION, PREVIOUS] {
                let name = format!("{}@{alias}", fixture.store.folder().display());
                model::open(&name).unwrap_or_else(|e| panic!("change {which}, step {steps}: {e}"));
            }
            // The next one finishes it, and its own comes after.
            fixture.store.set_alias("next", "2", &note("")).unwrap();
            let after = fixture.store.history().unwrap();
            assert_eq!(after.entries[..history.entries.len()], history.entries, "change {which}, step {steps}");
            assert!(after.serial() <= entries + 3, "change {which}, step {steps}: nothing is written twice");
            fixture.assert_consistent();
            steps += 1;
        }
        assert!(steps > 5, "change {which} has steps to be killed after");
    }
}

#[test]
fn a_torn_line_is_told_cut_off_by_the_next_writer_and_never_counted() {
    let fixture = Fixture::running();
    let path = fixture.store.folder().join("history.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{{\"serial\":7,\"utc\":\"2026")).unwrap();
    let history = fixture.store.history().unwrap();
    assert_eq!((history.serial(), history.torn.is_some()), (6, true));
    fixture.store.promote(None, &note("")).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(&whole) && text.lines().count() == 7, "{text}");
    fixture.assert_consistent();
}

#[test]
fn writers_at_once_lose_nothing() {
    let fixture = Fixture::running();
    let (writers, each) = (4, 10);
    thread::scope(|scope| {
        for writer in 0..writers {
            let store = &fixture.store;
            scope.spawn(move || {
                for i in 0..each {
                    let version = ["1", "2", "3"][(writer + i) % 3];
                    store.set_alias(&format!("alias-{writer}-{i}"), version, &note("")).unwrap();
                }
            });
        }
        // A reader in between never finds anything amiss.
        for _ in 0..20 {
            let found = fixture.store.audit().unwrap();
            assert!(found.iter().all(|f| *f == Finding::Unfinished), "{found:?}");
        }
    });
    assert_eq!(fixture.aliases().len(), 3 + writers * each);
    assert_eq!(fixture.store.history().unwrap().serial() as usize, 6 + writers * each);
    fixture.assert_consistent();
}

#[test]
fn a_bundle_that_cannot_be_copied_leaves_nothing() {
    let fixture = Fixture::running();
    let bundle = fixture.bundle("4", "graph 4");
    fs::create_dir(fixture.store.folder().join("history.jsonl.bak")).unwrap();
    // Where the change is to be written stands a folder.
    fs::create_dir(fixture.store.folder().join(".pending.json.new")).unwrap();
    let e = fixture.store.add(&bundle, &note("")).unwrap_err();
    assert!(matches!(&e, Error::Unchanged { .. }) && e.to_string().contains("as it was before"), "{e}");
    assert!(!fixture.store.folder().join("4").exists());
    fs::remove_dir(fixture.store.folder().join(".pending.json.new")).unwrap();
    fs::remove_dir(fixture.store.folder().join("history.jsonl.bak")).unwrap();
    fixture.assert_consistent();
}
