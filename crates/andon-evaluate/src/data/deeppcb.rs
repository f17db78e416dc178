// SPDX-License-Identifier: MPL-2.0
//! DeepPCB: `images/ID_test.*`, golden templates `images/ID_temp.*`, `labels/ID.txt`.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use andon_boards::Kind;
use andon_core::{files as core_files, result::Verdict};

use super::{
    error::{Error, Result, ensure},
    files,
    sample::{LabelledBox, Sample, SamplePart, checked},
    training_split::{TrainingSplit, group},
};

/// Returns whether there is any board.
pub(super) fn fits(folder: &Path) -> Result<bool> {
    let images = folder.join("images");
    if !images.is_dir() || !folder.join("labels").is_dir() {
        return Ok(false);
    }
    let tests = |p: &PathBuf| files::stem(p).is_ok_and(|s| s.ends_with("_test"));
    Ok(files::entries(&images)?.iter().any(tests))
}

/// Reads all labels and the boards, all or those of `split`; with `good` also their golden templates.
pub(super) fn read(folder: &Path, split: Option<&TrainingSplit>, good: bool) -> Result<(Vec<String>, Vec<Sample>)> {
    let images = folder.join("images");
    let (mut tests, mut templates) = (BTreeMap::new(), HashMap::new());
    for image in files::pictures(&images)? {
        let stem = files::stem(&image)?;
        let (before, id) = if let Some(id) = stem.strip_suffix("_test") {
            (tests.insert(id.to_string(), image.clone()), id)
        } else if let Some(id) = stem.strip_suffix("_temp") {
            (templates.insert(id.to_string(), image.clone()), id)
        } else {
            continue;
        };
        if let Some(before) = before {
            let (before, image) = (before.display(), image.display());
            let twice = format!("board {id} is there twice: {before} and {image}; take one out");
            return Err(Error::Inconsistent(twice));
        }
    }
    let ids: Vec<_> = tests.keys().map(|id| &**id).collect();
    let kept = split.map(|s| s.keep(&ids));
    let mut samples = Vec::new();
    for (id, image) in &tests {
        if kept.as_ref().is_some_and(|k| !k.contains(&**id)) {
            continue;
        }
        let path = folder.join("labels").join(format!("{id}.txt"));
        let advice = "; a board without defects has an empty one";
        let text = core_files::read_text(&path, core_files::DATA).map_err(|source| Error::Io {
            path: path.clone(),
            advice,
            source,
        })?;
        let boxes = labels(&text).map_err(|e| Error::Label(e).at(path.display()))?;
        let template = templates.get(id).cloned();
        samples.push(Sample { template, ..board(id, id, image) }.with_boxes(boxes));
    }
    for label in files::entries(&folder.join("labels"))? {
        let id = files::stem(&label)?;
        let lost = files::kind(&label).is_some_and(|k| k == "txt") && !tests.contains_key(id);
        ensure!(
            !lost,
            Inconsistent,
            "{} labels {id}_test.jpg or .png, which is not in {}; add that, or take the file out",
            label.display(),
            images.display()
        );
    }
    if good {
        let before = samples.len();
        let asked = templates.iter().filter(|(id, _)| kept.as_ref().is_none_or(|k| k.contains(&***id)));
        samples.extend(asked.map(|(id, image)| Sample {
            template: Some(image.clone()),
            verdict: Some(Verdict::Ok),
            ..board(&format!("{id}_temp"), id, image)
        }));
        ensure!(samples.len() > before, Selection, "{} has no golden templates: ID_temp.jpg or .png", images.display());
    }
    Ok((Kind::ALL.map(|k| k.label().to_string()).into(), samples))
}

/// A picture of a board that is made like `sku`.
fn board(id: &str, sku: &str, image: &Path) -> Sample {
    let part = SamplePart { id: id.into(), sku: sku.into(), view: 0, views: 1 };
    Sample { group: group(sku).into(), part, ..Sample::alone(id.into(), image.into()) }
}

fn labels(text: &str) -> std::result::Result<Vec<LabelledBox>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(i, line)| label(line).map_err(|e| format!("line {}: '{line}': {e}", i + 1))).collect()
}

fn label(line: &str) -> std::result::Result<LabelledBox, String> {
    let number = |word: &str| word.parse().map_err(|e: std::num::ParseFloatError| e.to_string());
    let numbers: Vec<f64> = line.split_whitespace().map(number).collect::<std::result::Result<_, _>>()?;
    let [x1, y1, x2, y2, class] = numbers[..] else { return Err("needs x1 y1 x2 y2 class".into()) };
    let kind = Kind::ALL.into_iter().find(|k| f64::from(k.number()) == class);
    let kind = kind.ok_or_else(|| format!("class {class} is none of 1 to {}", Kind::ALL.len()))?;
    Ok(LabelledBox { label: kind.label().into(), bbox: checked([x1, y1, x2 - x1, y2 - y1])?, crowd: false })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Layout, Selection, Side, read, testing::Set},
        *,
    };

    fn boards(ids: &[&str]) -> Set {
        let set = Set::new();
        for id in ids {
            set.file(&format!("images/{id}_test.jpg"), "");
            set.file(&format!("images/{id}_temp.png"), "");
            set.file(&format!("labels/{id}.txt"), "10 20 30 50 6\n\n");
        }
        set
    }

    #[test]
    fn a_label_is_two_corners_and_a_class_from_one() {
        let set = boards(&["00041000"]);
        let read = set.whole();
        assert_eq!(read.layout, Layout::Deeppcb);
        assert_eq!(read.labels, ["open", "short", "mousebite", "spur", "copper", "pin-hole"]);
        let images = set.path().join("images");
        let bbox = LabelledBox { label: "pin-hole".into(), bbox: [10.0, 20.0, 20.0, 30.0], crowd: false };
        let wanted = Sample {
            id: "00041000".into(),
            group: "00041".into(),
            part: SamplePart { id: "00041000".into(), sku: "00041000".into(), view: 0, views: 1 },
            image: images.join("00041000_test.jpg"),
            template: Some(images.join("00041000_temp.png")),
            verdict: Some(Verdict::Ng),
            boxes: Some(vec![bbox]),
            class: None,
            mask: None,
        };
        assert_eq!(read.samples, [wanted]);
        set.file("labels/00041000.txt", "\n");
        let sample = set.whole().samples.remove(0);
        assert_eq!((sample.verdict, sample.boxes), (Some(Verdict::Ok), Some(vec![])));
    }

    #[test]
    fn templates_are_samples_of_their_boards_side_where_they_are_asked_for() {
        let set = boards(&["00041000", "13000000", "20085000"]);
        set.file("split.json", r#"{"held_out_groups": ["13000"], "validation_every": 2}"#);
        let side = |which, good| {
            let split = Some(TrainingSplit::read(&set.path().join("split.json"), which).unwrap());
            read(set.path(), &Selection { split, good, ..Selection::default() }).unwrap().samples
        };
        let ids = |samples: &[Sample]| samples.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&side(Side::HeldOut, false)), ["13000000"]);
        let good = side(Side::Train, true);
        assert_eq!(ids(&good), ["20085000", "20085000_temp"]);
        let template = &good[1];
        assert_eq!((&*template.part.id, &*template.part.sku, &*template.group), ("20085000_temp", "20085000", "20085"));
        assert_eq!((template.verdict, &template.boxes), (Some(Verdict::Ok), &None));
        assert_eq!(template.template.as_ref(), Some(&template.image));
    }

    #[test]
    fn a_side_without_boards_is_an_empty_set() {
        let set = boards(&["00041000"]);
        set.file("split.json", r#"{"held_out_groups": ["13000"]}"#);
        let split = Some(TrainingSplit::read(&set.path().join("split.json"), Side::HeldOut).unwrap());
        let error = read(set.path(), &Selection { split, ..Selection::default() }).unwrap_err().to_string();
        assert!(error.contains("holds no picture to judge"), "{error}");
    }

    #[test]
    fn what_does_not_hold_together_is_refused_with_file_and_line() {
        let refused = |label: &str, words: &[&str]| {
            let set = boards(&["00041000"]);
            set.file("labels/00041000.txt", label);
            set.is_refused(&[&["labels/00041000.txt"], words].concat());
        };
        refused("1 2 3 4 1\n1 2 3 4 7", &["line 2", "class 7 is none of 1 to 6"]);
        refused("1 2 3 4 0", &["class 0"]);
        refused("1 2 3", &["line 1", "x1 y1 x2 y2 class"]);
        refused("5 2 3 4 1", &["line 1", "width -2"]);
        refused("1 2 1 4 1", &["line 1", "width 0"]);
        refused("nan 2 3 4 1", &["line 1", "left NaN"]);
        refused("-1 2 3 4 1", &["line 1", "left -1"]);

        let set = boards(&["00041000", "00041001"]);
        set.remove("images/00041001_test.jpg");
        set.is_refused(&["labels/00041001.txt labels 00041001_test.jpg"]);
        let set = boards(&["00041000"]);
        set.remove("labels/00041000.txt");
        set.is_refused(&["labels/00041000.txt cannot be read"]);
        let set = boards(&["00041000"]);
        set.file("images/00041000_test.png", "");
        set.is_refused(&["board 00041000 is there twice"]);
    }
}
