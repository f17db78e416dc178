// SPDX-License-Identifier: MPL-2.0
//! A folder for each class: `CLASS/*.png`, or `SUBSET/CLASS/*.png`. Such a set has no boxes. Which classes are good, the caller
//! says, or the model, or their names.

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

/// Words in the name of a class that people use for good pictures, and some for a defect: `free`, `MT_Free`, `no defect`.
const MAY_BE_OK: [&str; 16] = [
    "good",
    "ok",
    "normal",
    "free",
    "pass",
    "passed",
    "perfect",
    "clean",
    "healthy",
    "none",
    "undamaged",
    "flawless",
    "intact",
    "nodefect",
    "fine",
    "accepted",
];

/// Folders that only say that pictures are in them: where all are called so, the class is the folder above.
const PICTURES: [&str; 6] = ["imgs", "img", "images", "image", "pictures", "photos"];

/// Which classes are good and which are bad, as far as it was said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said<'a> {
    /// Good; all others are bad then.
    pub(super) ok: &'a [String],
    /// Bad.
    pub(super) ng: &'a [String],
    /// Good as the model has it.
    pub(super) model_ok: &'a [String],
    /// Bad as the model has it.
    pub(super) model_ng: &'a [String],
}

impl Said<'_> {
    /// Returns the verdict on a class, or None if it can be read in two ways.
    fn verdict(&self, class: &str) -> Option<Verdict> {
        let is = |all: &[String]| all.iter().any(|name| name == class);
        let is_like = |all: &[String]| all.iter().any(|name| name.eq_ignore_ascii_case(class));
        let by_name = OK.contains(&class);
        match () {
            () if is(self.ok) => Some(Verdict::Ok),
            () if is(self.ng) || !self.ok.is_empty() => Some(Verdict::Ng),
            () if is_like(self.model_ok) && is_like(self.model_ng) => None,
            () if is_like(self.model_ok) => Some(Verdict::Ok),
            () if is_like(self.model_ng) => (!by_name).then_some(Verdict::Ng),
            () if by_name => Some(Verdict::Ok),
            () if may_be_ok(class) => None,
            () => Some(Verdict::Ng),
        }
    }

    /// Returns whether somebody said that the class is bad.
    fn is_known_bad(&self, class: &str) -> bool {
        self.ng.iter().chain(self.model_ng).any(|name| name.eq_ignore_ascii_case(class))
    }
}

/// Returns whether the name of a class reads as that of good pictures.
fn may_be_ok(class: &str) -> bool {
    let class = class.to_lowercase();
    let words: Vec<_> = class.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let joined = words.concat();
    let no_defect = ["nodefect", "nodefects", "defectfree"].iter().any(|end| joined.ends_with(end));
    let is_not = words.first().is_some_and(|word| matches!(*word, "not" | "un" | "ab" | "no")) && !no_defect;
    !is_not && (no_defect || words.iter().any(|word| MAY_BE_OK.contains(word)))
}

/// Returns whether there are folders of pictures.
pub(super) fn fits(folder: &Path) -> Result<bool> {
    Ok(!classes(folder, 2)?.is_empty())
}

/// Reads the classes by the alphabet, and the pictures of `subset` or of all subsets.
pub(super) fn read(folder: &Path, subset: Option<&str>, said: Said<'_>) -> Result<(Vec<String>, Vec<Sample>)> {
    let classes = match subset {
        None => above_pictures(folder, classes(folder, 2)?)?,
        Some(name) => {
            let below = folder.join(name);
            ensure!(below.is_dir(), Selection, "{} has no subset {name}", folder.display());
            classes(&below, 1)?
        }
    };
    let (mut labels, mut samples) = (BTreeSet::new(), Vec::new());
    let mut unsure = BTreeSet::new();
    for (class, pictures) in classes {
        let verdict = said.verdict(&class);
        if verdict.is_none() {
            unsure.insert(class.clone());
        }
        for image in pictures {
            let sample = Sample::alone(files::id(image.strip_prefix(folder).unwrap_or(&image))?, image);
            samples.push(Sample { group: class.clone(), class: Some(class.clone()), verdict, ..sample });
        }
        labels.insert(class);
    }
    let list = |all: &BTreeSet<String>| all.iter().map(|l| &**l).collect::<Vec<_>>().join(", ");
    for (said, word) in [(said.ok, "ok"), (said.ng, "ng")] {
        if let Some(unknown) = said.iter().find(|class| !labels.contains(*class)) {
            let folder = folder.display();
            return Err(Error::Selection(format!(
                "{folder} has no class {unknown} to call {word}, but {}",
                list(&labels)
            )));
        }
    }
    if let Some(first) = unsure.first() {
        return Err(Error::Selection(format!(
            "{}: pictures in the class folder {} could be good, or have a defect that is called so, and the model does not say: \
             if they are good, say --ok-class {first} (all other classes are bad then); if they are bad, say --ng-class {first}",
            folder.display(),
            list(&unsure)
        )));
    }
    let none_is_good = samples.iter().all(|s| s.verdict != Some(Verdict::Ok));
    if let Some(class) = labels.iter().find(|class| none_is_good && !said.is_known_bad(class)) {
        return Err(Error::Selection(format!(
            "{}: none of the class folders {} is known to hold good pictures (by default good and ok do, and what the model calls \
             good): say --ok-class NAME for each that does; if {class} and all others hold bad ones, say --ng-class NAME for each",
            folder.display(),
            list(&labels)
        )));
    }
    Ok((labels.into_iter().collect(), samples))
}

/// Takes the folder above for the class where the pictures of every class are in a folder such as `Imgs`.
fn above_pictures(set: &Path, mut classes: Vec<Class>) -> Result<Vec<Class>> {
    let is_above = |(class, pictures): &Class| {
        let above = pictures.first().and_then(|p| p.parent()?.parent());
        PICTURES.contains(&&*class.to_lowercase()) && above.is_some_and(|above| above != set)
    };
    if classes.iter().all(is_above) {
        for (class, pictures) in &mut classes {
            let above = pictures.first().and_then(|p| p.parent()?.parent()).unwrap_or(set);
            *class = files::name(above)?.into();
        }
    }
    Ok(classes)
}

/// A class, and its pictures.
type Class = (String, Vec<PathBuf>);

/// Folders with pictures, up to `depth` below, each with its name; fails if one is a class and a subset.
fn classes(folder: &Path, depth: u32) -> Result<Vec<Class>> {
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
        let deep = self::tests::set(&["dent/Imgs/1.jpg", "good/Imgs/0.jpg"]);
        let folders = Selection { layout: Some(Layout::Folders), ..Selection::default() };
        let deep = crate::data::read(deep.path(), &folders).unwrap();
        assert_eq!(deep.labels, ["dent", "good"], "all pictures lie in a folder that only says so");
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
    fn the_caller_the_model_or_the_name_says_which_classes_are_ok_and_what_has_two_readings_is_refused() {
        let strings = |all: &[&str]| all.iter().map(|s| s.to_string()).collect::<Vec<_>>();
        for (classes, ok, ng, model_ok, model_ng, wanted) in [
            (&["good", "scratch"][..], &[][..], &[][..], &[][..], &[][..], "ok ng"),
            (&["good", "scratch"], &["scratch"], &[], &[], &[], "ng ok"),
            (&["good", "scratch"], &["fine"], &[], &[], &[], "no class fine to call ok, but good, scratch"),
            (&["normal", "scratch"], &[], &[], &["normal"], &["scratch"], "ok ng"),
            (&["normal", "scratch"], &[], &[], &["normal"], &[], "ok ng"),
            (&["Free", "dent"], &[], &[], &["free"], &["dent"], "ok ng"),
            // The model has never heard of these classes.
            (&["normal", "scratch"], &[], &[], &[], &[], "say --ok-class normal (all other"),
            (&["normal", "scratch"], &[], &["normal"], &[], &["scratch"], "ng ng"),
            (&["MT_Free", "MT_Crack"], &[], &[], &["ok"], &["crack"], "if they are bad, say --ng-class MT_Free"),
            (&["no defect", "dent"], &[], &[], &[], &[], "no defect could be good"),
            (&["abnormal", "good", "not ok"], &[], &[], &[], &[], "ng ok ng"),
            // A label that the rule calls bad, and that reads as good.
            (&["good", "ok"], &[], &[], &["ok"], &["good"], "the class folder good could be good"),
            (&["dent", "scratch"], &[], &[], &["free"], &["dent", "scratch"], "ng ng"),
            (&["0", "1"], &[], &[], &[], &[], "none of the class folders 0, 1 is known to hold good"),
            (&["0", "1"], &[], &["1"], &["0"], &[], "ok ng"),
        ] {
            let set = Set::new();
            classes.iter().for_each(|class| set.file(&format!("{class}/0.png"), ""));
            let [ok_classes, ng_classes, model_ok, model_ng] = [ok, ng, model_ok, model_ng].map(strings);
            let said =
                read(set.path(), &Selection { ok_classes, ng_classes, model_ok, model_ng, ..Selection::default() });
            let said = said.map(|mut set| {
                set.samples.sort_by_key(|s| classes.iter().position(|c| Some(*c) == s.class.as_deref()));
                set.samples.iter().map(|s| s.verdict.unwrap().to_string()).collect::<Vec<_>>().join(" ")
            });
            let said = said.unwrap_or_else(|e| e.to_string());
            assert!(said == wanted || (wanted.len() > 12 && said.contains(wanted)), "{classes:?}: {said}");
        }
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
