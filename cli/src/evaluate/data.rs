// SPDX-License-Identifier: MPL-2.0
//! Labelled boards on disk, laid out like DeepPCB: `images/ID_test.jpg` or `.png`, `labels/ID.txt`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use gstandon::{board::Kind, result::BoxPx};
use serde::Deserialize;

/// The leading characters of an ID that name its board group.
const GROUP: usize = 5;

/// One board: its picture and what is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Board {
    /// `ID` of its file names; the first five characters name the group.
    pub id: String,
    /// The picture.
    pub image: PathBuf,
    /// Kind, and left, top, width, height in pixels.
    pub defects: Vec<(Kind, BoxPx)>,
}

/// Which groups training has not seen.
#[derive(Debug, Deserialize)]
pub struct Split {
    /// The leading characters of their IDs.
    pub held_out_groups: Vec<String>,
}

impl Split {
    /// Reads the file that training wrote.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is no split: it needs \"held_out_groups\": [\"…\"]", path.display()))
    }
}

/// The boards under `folder`, in order of their IDs; of `split`, only its held-out groups.
pub fn boards(folder: &Path, split: Option<&Split>) -> Result<Vec<Board>> {
    let images = folder.join("images");
    let entries = fs::read_dir(&images)
        .with_context(|| format!("{} cannot be read; name a folder laid out like DeepPCB", images.display()))?;
    let mut boards = Vec::new();
    for entry in entries {
        let image = entry?.path();
        let Some(id) = id(&image) else { continue };
        let group = id.get(..GROUP).unwrap_or(id);
        if split.is_some_and(|s| !s.held_out_groups.iter().any(|g| g == group)) {
            continue;
        }
        let path = folder.join("labels").join(format!("{id}.txt"));
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let defects = labels(&text).with_context(|| path.display().to_string())?;
        boards.push(Board { id: id.into(), image, defects });
    }
    if boards.is_empty() {
        bail!("{} holds no board to judge: files are called ID_test.jpg or ID_test.png", images.display());
    }
    boards.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(boards)
}

/// The ID of a picture with defects; none for templates and other files.
fn id(path: &Path) -> Option<&str> {
    matches!(path.extension()?.to_str()?, "jpg" | "png").then_some(())?;
    path.file_stem()?.to_str()?.strip_suffix("_test")
}

fn labels(text: &str) -> Result<Vec<(Kind, BoxPx)>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(i, line)| label(line).with_context(|| format!("line {}: '{line}'", i + 1))).collect()
}

fn label(line: &str) -> Result<(Kind, BoxPx)> {
    let numbers: Vec<f32> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [x1, y1, x2, y2, class] = numbers[..] else { bail!("needs x1 y1 x2 y2 class") };
    let kind = Kind::ALL.into_iter().find(|k| f32::from(k.number()) == class);
    let kind = kind.with_context(|| format!("class {class} is none of 1 to {}", Kind::ALL.len()))?;
    Ok((kind, [x1, y1, x2 - x1, y2 - y1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_two_corners_and_a_class_from_one() {
        assert_eq!(labels("10 20 30 50 6\n\n").unwrap(), [(Kind::PinHole, [10.0, 20.0, 20.0, 30.0])]);
    }

    #[test]
    fn a_bad_label_is_told_with_its_line() {
        let error = format!("{:#}", labels("1 2 3 4 1\n1 2 3 4 7").unwrap_err());
        assert!(error.contains("line 2") && error.contains("class 7"), "{error}");
        assert!(format!("{:#}", labels("1 2 3").unwrap_err()).contains("x1 y1 x2 y2 class"));
    }

    #[test]
    fn templates_are_no_boards_to_judge() {
        assert_eq!(id(Path::new("images/00041000_test.jpg")), Some("00041000"));
        assert_eq!(id(Path::new("images/00041000_temp.jpg")), None);
        assert_eq!(id(Path::new("images/notes.txt")), None);
    }

    #[test]
    fn only_held_out_groups_are_judged_where_a_split_says_so() {
        let folder = tempfile::tempdir().unwrap();
        for sub in ["images", "labels"] {
            fs::create_dir(folder.path().join(sub)).unwrap();
        }
        for id in ["00041000", "50600001", "50600000"] {
            fs::write(folder.path().join(format!("images/{id}_test.jpg")), "").unwrap();
            fs::write(folder.path().join(format!("labels/{id}.txt")), "1 2 3 4 1").unwrap();
        }
        let split = Split { held_out_groups: vec!["50600".into()] };
        let ids: Vec<_> = boards(folder.path(), Some(&split)).unwrap().into_iter().map(|b| b.id).collect();
        assert_eq!(ids, ["50600000", "50600001"]);
        assert_eq!(boards(folder.path(), None).unwrap().len(), 3);
        let none = Split { held_out_groups: vec!["7".into()] };
        assert!(boards(folder.path(), Some(&none)).is_err());
    }
}
