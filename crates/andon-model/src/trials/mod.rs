// SPDX-License-Identifier: MPL-2.0
//! The evidence of trials on disk: lines of JSON, a file a run, so that it outlives the process.
//!
//! ```text
//! STORE/NAME/trials/A-B/RUN.jsonl   what the process RUN saw of version B beside version A
//! ```
//!
//! A process writes only its own file, locks it, and appends whole lines. It reads all others, also while their processes
//! write. A last line without its end is not read until the end is there; one that a killed process has left stays torn, and
//! is ended by whoever writes to the file next. What the lines mean is not known here.

mod own_file;
mod read_file;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use andon_core::result::ModelId;

use self::{own_file::OwnFile, read_file::ReadFile};

/// The folder of trials in a model's folder. It is no version.
pub const TRIALS: &str = "trials";

/// The end of the name of a run's file.
const ENDING: &str = "jsonl";

/// Returns the folder `A-B` of two models. A model without a version goes by the beginning of its digest.
pub fn folder_of(trials: &Path, a: &ModelId, b: &ModelId) -> PathBuf {
    let name = |model: &ModelId| {
        let version = match &*model.version {
            "" => model.digest.trim_start_matches("sha256:").chars().take(12).collect(),
            version => version.to_string(),
        };
        let plain = |c: char| if c.is_control() || "/\\:@".contains(c) { '_' } else { c };
        version.chars().map(plain).collect::<String>()
    };
    trials.join(format!("{}-{}", name(a), name(b)))
}

/// New lines of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewLines {
    /// The run, by the name of its file.
    pub run: String,
    /// Whole lines, without their ends, the first one first.
    pub lines: Vec<String>,
}

/// What was read of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Lines that were not there before, the runs in the order in which they began.
    Lines(Vec<NewLines>),
    /// A file was replaced by another: all has to be read again, by another [`Ledger`].
    Replaced,
}

/// The files of a trial: one to append to, and all others to read.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    own: Option<OwnFile>,
    files: BTreeMap<String, ReadFile>,
    has_read: bool,
}

impl Ledger {
    /// Opens the folder of a trial to read it alone.
    pub fn read_only(folder: &Path) -> Self {
        Self { folder: folder.into(), own: None, files: BTreeMap::new(), has_read: false }
    }

    /// Opens the folder of a trial for a run. Folder and file are made when the first line is written, so that a disk which
    /// cannot be written costs nothing but what would have been kept.
    pub fn new(folder: &Path, run: &str) -> Self {
        Self { own: Some(OwnFile::new(folder, run)), ..Self::read_only(folder) }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the lines that have been added since the last call: at first those of all files, from then on those of all
    /// others. A folder that is not there has none.
    ///
    /// # Errors
    /// A folder or a file that cannot be read.
    pub fn read(&mut self) -> io::Result<News> {
        let is_first = !std::mem::replace(&mut self.has_read, true);
        let own = self.own.as_ref().map(|own| own.name().to_string());
        let names = match fs::read_dir(&self.folder) {
            Ok(entries) => entries.flatten().filter_map(|e| e.file_name().into_string().ok()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(News::Lines(Vec::new())),
            Err(e) => return Err(e),
        };
        let ending = format!(".{ENDING}");
        let mut names: Vec<_> = names.filter(|n| n.ends_with(&ending) && !n.starts_with('.')).collect();
        names.sort();
        let mut news = Vec::new();
        for name in names {
            let is_own = own.as_ref() == Some(&name);
            let run = name[..name.len() - ending.len()].to_string();
            let file = self.files.entry(name.clone()).or_insert_with(|| ReadFile::new(self.folder.join(&name)));
            // Its own lines are known, except for those of an earlier life of this process' element.
            if is_own && !is_first {
                continue;
            }
            let Some(lines) = file.read()? else { return Ok(News::Replaced) };
            if !lines.is_empty() {
                news.push((file.began(), NewLines { run, lines }));
            }
        }
        news.sort_by_key(|(began, _)| *began);
        Ok(News::Lines(news.into_iter().map(|(_, lines)| lines).collect()))
    }

    /// Appends lines to the run's own file, after those that an earlier call could not write. `sync` forces them to the disk.
    ///
    /// # Errors
    /// A disk that is full or cannot be written. The lines are written with the next ones, as long as no more than a megabyte
    /// wait; [`Ledger::lost`] counts the others.
    pub fn append(&mut self, lines: &[String], sync: bool) -> io::Result<()> {
        self.own.as_mut().map_or(Ok(()), |own| own.append(lines, sync))
    }

    /// The name of the run by its own file, which differs from the process' run if another element of the process keeps the
    /// same trial.
    pub fn run(&self) -> Option<&str> {
        self.own.as_ref().map(|own| own.run())
    }

    /// Lines that found no room on the disk and none in memory.
    pub fn lost(&self) -> u64 {
        self.own.as_ref().map_or(0, |own| own.lost)
    }

    /// Bytes of the run's own file.
    pub fn bytes(&self) -> u64 {
        self.own.as_ref().map_or(0, |own| own.bytes())
    }

    /// Replaces the content of the run's own file in one step. Others then read all of it again.
    ///
    /// # Errors
    /// As [`Ledger::append`]; the file stays as it was.
    pub fn rewrite(&mut self, lines: &[String]) -> io::Result<()> {
        self.own.as_mut().map_or(Ok(()), |own| own.rewrite(lines))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn lines(ledger: &mut Ledger) -> Vec<String> {
        match ledger.read().unwrap() {
            News::Lines(all) => all.into_iter().flat_map(|n| n.lines).collect(),
            News::Replaced => vec!["replaced".into()],
        }
    }

    fn line(text: &str) -> Vec<String> {
        vec![text.into()]
    }

    #[test]
    fn runs_read_each_others_lines_as_they_come_and_a_torn_end_is_no_line() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("pcb/trials/1-2");
        let (mut one, mut other) = (Ledger::new(&folder, "b-run"), Ledger::new(&folder, "a-run"));
        assert!(lines(&mut one).is_empty(), "there is no folder yet");
        let mut late = Ledger::new(&folder, "late");
        assert!(lines(&mut late).is_empty());
        late.append(&line("x"), false).unwrap();
        assert!(lines(&mut late).is_empty(), "its own lines are no news");
        fs::remove_file(folder.join("late.jsonl")).unwrap();
        one.append(&line(r#"{"run":{"utc_ns":1}}"#), true).unwrap();
        other.append(&line(r#"{"run":{"utc_ns":2}}"#), false).unwrap();
        // The run that began first comes first, whatever it is called.
        assert_eq!(lines(&mut Ledger::read_only(&folder)), [r#"{"run":{"utc_ns":1}}"#, r#"{"run":{"utc_ns":2}}"#]);
        assert_eq!(lines(&mut other).len(), 2, "at first also its own");
        one.append(&["1".into(), "2".into()], false).unwrap();
        other.append(&line("mine"), false).unwrap();
        assert_eq!(lines(&mut other), ["1", "2"]);
        // Killed in the middle of a line: the next writer ends it, and it is one line that nobody can read.
        drop(one);
        let path = folder.join("b-run.jsonl");
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"part\"").unwrap();
        assert!(lines(&mut other).is_empty());
        let mut again = Ledger::new(&folder, "b-run");
        again.append(&line("3"), false).unwrap();
        assert_eq!(lines(&mut other), ["{\"part\"", "3"]);
        // A file that is put in its place is read by another ledger.
        again.rewrite(&line("4")).unwrap();
        again.append(&line("5"), true).unwrap();
        assert_eq!(lines(&mut other), ["replaced"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "4\n5\n");
        assert_eq!(again.bytes(), 4);
    }

    #[test]
    fn two_elements_of_a_process_keep_their_lines_apart() {
        let dir = tempfile::tempdir().unwrap();
        let mut both = [Ledger::new(dir.path(), "run"), Ledger::new(dir.path(), "run")];
        for ledger in &mut both {
            ledger.append(&line("x"), false).unwrap();
        }
        assert_eq!(both.each_ref().map(|l| l.run().unwrap().to_string()), ["run", "run-2"]);
    }

    #[test]
    fn a_disk_that_cannot_be_written_is_an_error_and_the_lines_come_when_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("trials");
        fs::write(&folder, "no folder").unwrap();
        let mut ledger = Ledger::new(&folder, "run");
        assert!(ledger.append(&line("1"), true).is_err());
        assert!(ledger.append(&["2".repeat(600_000), "3".repeat(600_000)], true).is_err());
        assert_eq!(ledger.lost(), 1, "no more than a megabyte waits");
        fs::remove_file(&folder).unwrap();
        ledger.append(&line("4"), true).unwrap();
        let text = fs::read_to_string(folder.join("run.jsonl")).unwrap();
        assert_eq!(text.lines().map(|l| &l[..1]).collect::<String>(), "124");
    }

    #[test]
    fn models_without_versions_go_by_their_digests() {
        let model = |version: &str| ModelId {
            version: version.into(),
            digest: "sha256:0123456789abcdef".into(),
            ..ModelId::default()
        };
        let of = |a: &str, b: &str| folder_of("t".as_ref(), &model(a), &model(b));
        assert_eq!(of("1", "2"), PathBuf::from("t/1-2"));
        assert_eq!(of("", "../3"), PathBuf::from("t/0123456789ab-.._3"));
    }
}
