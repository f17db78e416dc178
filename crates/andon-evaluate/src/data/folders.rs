// SPDX-License-Identifier: MPL-2.0
//! A folder for each class: `CLASS/*.png`, or `SUBSET/CLASS/*.png`. Such a set has no boxes.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use andon_core::result::Verdict;

use super::{
    error::{Error, Result, ensure},
    files,
    sample::Sample,
};

/// Classes that are ok by default.
const OK: [&str; 2] = ["good", "ok"];

/// Returns whether there are folders of pictures.
pub(super) fn fits(folder: &Path) -> Result<bool> {
    Ok(!classes(folder, 2)?.is_empty())
}

/// Reads the classes by the alphabet, and the pictures of `subset` or of all subsets.
pub(super) fn read(folder: &Path, subset: Option<&str>, ok: &[String]) -> Result<(Vec<String>, Vec<Sample>)> {
    let classes = match subset {
        None => classes(folder, 2)?,
        Some(name) => {
            let below = folder.join(name);
            ensure!(below.is_dir(), Selection, "{} has no subset {name}", folder.display());
            classes(&below, 1)?
        }
    };
    let (mut labels, mut samples) = (BTreeSet::new(), Vec::new());
    for (class, pictures) in classes {
        let is_ok = if ok.is_empty() { OK.contains(&&*class) } else { ok.contains(&class) };
        for image in pictures {
            let sample = Sample::alone(files::id(image.strip_prefix(folder).unwrap_or(&image))?, image);
            let verdict = Some(if is_ok { Verdict::Ok } else { Verdict::Ng });
            samples.push(Sample { group: class.clone(), class: Some(class.clone()), verdict, ..sample });
        }
        labels.insert(class);
    }
    if let Some(unknown) = ok.iter().find(|class| !labels.contains(*class)) {
        let all: Vec<_> = labels.iter().map(|l| &**l).collect();
        let (folder, all) = (folder.display(), all.join(", "));
        return Err(Error::Selection(format!("{folder} has no class {unknown} to call ok, but {all}")));
    }
    Ok((labels.into_iter().collect(), samples))
}

/// Folders with pictures, up to `depth` below, each with its name; fails if one is a class and a subset.
fn classes(folder: &Path, depth: u32) -> Result<Vec<(String, Vec<PathBuf>)>> {
    let mut all = Vec::new();
    for class in files::folders(folder)? {
        let pictures = files::pictures(&class)?;
        let deeper = if depth > 1 { classes(&class, depth - 1)? } else { Vec::new() };
        match (pictures.is_empty(), deeper.is_empty()) {
            (false, false) => {
                let class = class.display();
                let both = format!("{class} holds pictures and folders of pictures: is it a class or a subset?");
                return Err(Error::Inconsistent(both));
            }
            (false, true) => all.push((files::name(&class)?.into(), pictures)),
            (true, _) => all.extend(deeper),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{LabelledSet, Layout, Selection, read, testing::Set},
        *,
    };

    fn set(files: &[&str]) -> Set {
        let set = Set::new();
        files.iter().for_each(|f| set.file(f, ""));
        set
    }

    fn verdicts(set: &LabelledSet) -> Vec<(&str, &str, Verdict)> {
        let verdicts = |s: &'_ Sample| (s.class.is_some() && s.boxes.is_none()).then_some(s.verdict).flatten().unwrap();
        set.samples.iter().map(|s| (&*s.id, s.class.as_deref().unwrap(), verdicts(s))).collect()
    }

    #[test]
    fn a_picture_is_of_the_class_that_its_folder_is_called() {
        let set = set(&["scratch/1.jpg", "good/0.png", "ok/0.png", "good/notes.txt"]);
        let read = set.whole();
        assert_eq!(
            (read.layout, &read.labels[..]),
            (Layout::Folders, &["good", "ok", "scratch"].map(String::from)[..])
        );
        let wanted =
            [("good/0", "good", Verdict::Ok), ("ok/0", "ok", Verdict::Ok), ("scratch/1", "scratch", Verdict::Ng)];
        assert_eq!(verdicts(&read), wanted);
        assert_eq!((&*read.samples[0].group, &*read.samples[0].part.id), ("good", "good/0"));
    }

    #[test]
    fn the_caller_says_which_classes_are_ok() {
        let set = set(&["scratch/1.jpg", "good/0.png"]);
        let with = |ok: &str| read(set.path(), &Selection { ok_classes: vec![ok.into()], ..Selection::default() });
        let verdicts: Vec<_> = with("scratch").unwrap().samples.iter().map(|s| s.verdict.unwrap()).collect();
        assert_eq!(verdicts, [Verdict::Ng, Verdict::Ok]);
        let error = with("fine").unwrap_err().to_string();
        assert!(error.contains("no class fine to call ok, but good, scratch"), "{error}");
    }

    #[test]
    fn a_subset_is_a_folder_above_the_classes() {
        let set = set(&["test/good/0.png", "train/good/0.png", "train/dent/1.png"]);
        let all = set.whole();
        let ids: Vec<_> = all.samples.iter().map(|s| &*s.id).collect();
        assert_eq!(ids, ["test/good/0", "train/dent/1", "train/good/0"]);
        let subset = |name: &str| read(set.path(), &Selection { subset: Some(name.into()), ..Selection::default() });
        assert_eq!(subset("test").unwrap().samples, all.samples[..1]);
        assert!(subset("val").unwrap_err().to_string().contains("has no subset val"));
    }

    #[test]
    fn a_folder_that_is_class_and_subset_or_holds_other_pictures_is_refused() {
        set(&["good/0.png", "good/new/1.png"]).is_refused(&["good holds pictures and folders of pictures"]);
        set(&["good/0.png", "good/1.bmp"]).is_refused(&["good/1.bmp is neither PNG nor JPEG"]);
        let empty = set(&["good/notes.txt"]);
        let selection = Selection { layout: Some(Layout::Folders), ..Selection::default() };
        let error = read(empty.path(), &selection).unwrap_err().to_string();
        assert!(error.contains("holds no picture to judge; looked for CLASS/*.png"), "{error}");
        set(&["images/0.png"]).is_refused(&["could be class folders", "the folder images/"]);
    }
}
