// SPDX-License-Identifier: MPL-2.0
//! MVTec AD: `test/good/`, `test/DEFECT/`, `ground_truth/DEFECT/NAME_mask.png`; of one category, or a folder of categories.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use andon_core::result::Verdict;

use super::{
    error::{Error, Result, ensure},
    files,
    picture::size,
    sample::Sample,
};

/// The class folder of pictures without defects.
const GOOD: &str = "good";

/// The folders of the categories: the folder itself, or those in it.
pub(super) fn categories(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_one = |folder: &PathBuf| folder.join("test").is_dir() && folder.join("ground_truth").is_dir();
    let whole = PathBuf::from(folder);
    if is_one(&whole) { Ok(vec![whole]) } else { Ok(files::folders(folder)?.into_iter().filter(is_one).collect()) }
}

/// Reads the classes by the alphabet, and the test pictures of the category `wanted` or of all categories.
pub(super) fn read(folder: &Path, wanted: Option<&str>) -> Result<(Vec<String>, Vec<Sample>)> {
    let mut names = Vec::new();
    let (mut labels, mut samples) = (BTreeSet::new(), Vec::new());
    for category in categories(folder)? {
        // A path such as `.` has no name of its own.
        let whole = fs::canonicalize(&category).map_err(Error::io(&category))?;
        let name = files::name(&whole)?;
        if wanted.is_none_or(|wanted| wanted == name) {
            read_one(folder, &category, name, &mut labels, &mut samples)?;
        }
        names.push(name.to_string());
    }
    let there = wanted.is_none_or(|wanted| names.iter().any(|name| name == wanted));
    ensure!(there, Selection, "{} has the categories {} only", folder.display(), names.join(", "));
    Ok((labels.into_iter().collect(), samples))
}

fn read_one(
    folder: &Path,
    category: &Path,
    sku: &str,
    labels: &mut BTreeSet<String>,
    samples: &mut Vec<Sample>,
) -> Result<()> {
    let mut masks = BTreeSet::new();
    for defect in files::folders(&category.join("ground_truth"))? {
        masks.extend(files::pictures(&defect)?);
    }
    for class_folder in files::folders(&category.join("test"))? {
        let class = files::name(&class_folder)?;
        for image in files::pictures(&class_folder)? {
            let mask = if class == GOOD { None } else { Some(mask(category, class, &image, &mut masks)?) };
            let id = files::id(image.strip_prefix(folder).unwrap_or(&image))?;
            let alone = Sample::alone(id, image);
            let group = if category == folder { class.into() } else { format!("{sku}/{class}") };
            let verdict = Some(if class == GOOD { Verdict::Ok } else { Verdict::Ng });
            let mut part = alone.part.clone();
            part.sku = sku.into();
            samples.push(Sample { group, part, verdict, class: Some(class.into()), mask, ..alone });
        }
        labels.insert(class.into());
    }
    let alone = masks.first().map(|m| m.display().to_string()).unwrap_or_default();
    ensure!(
        masks.is_empty(),
        Inconsistent,
        "{alone} is the mask of no picture below {}; add that, or take the mask out",
        category.join("test").display()
    );
    Ok(())
}

/// Takes the mask of a picture out of `masks`.
fn mask(category: &Path, class: &str, image: &Path, masks: &mut BTreeSet<PathBuf>) -> Result<PathBuf> {
    let path = category.join("ground_truth").join(class).join(format!("{}_mask.png", files::stem(image)?));
    let there = masks.remove(&path);
    let (picture, name) = (image.display(), path.display());
    ensure!(there, Inconsistent, "{picture} has no mask {name}; add it, or take the picture out");
    let [of_mask, of_image] = [size(&path)?, size(image)?];
    ensure!(
        of_mask == of_image,
        Inconsistent,
        "{} has {} × {} pixels and its picture {} × {}; a mask is of the picture's size",
        path.display(),
        of_mask[0],
        of_mask[1],
        of_image[0],
        of_image[1]
    );
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Layout, Selection, read, testing::Set},
        *,
    };

    fn bottle(before: &str) -> Set {
        let set = Set::new();
        for (picture, size) in [
            ("train/good/000.png", [8, 6]),
            ("test/good/000.png", [8, 6]),
            ("test/hole/000.png", [8, 6]),
            ("ground_truth/hole/000_mask.png", [8, 6]),
        ] {
            set.picture(&format!("{before}{picture}"), size);
        }
        set
    }

    #[test]
    fn good_pictures_are_ok_and_others_have_a_mask() {
        let set = bottle("");
        let read = set.whole();
        assert_eq!((read.layout, &read.labels[..]), (Layout::Mvtec, &["good", "hole"].map(String::from)[..]));
        let [good, hole] = &read.samples[..] else { panic!("{:?}", read.samples) };
        assert_eq!((&*good.id, good.verdict, &good.mask), ("test/good/000", Some(Verdict::Ok), &None));
        assert_eq!((&*hole.id, hole.verdict, &*hole.group), ("test/hole/000", Some(Verdict::Ng), "hole"));
        assert_eq!(hole.mask, Some(set.path().join("ground_truth/hole/000_mask.png")));
        assert_eq!((hole.class.as_deref(), &hole.boxes), (Some("hole"), &None));
        assert_eq!(hole.part.sku, set.path().file_name().unwrap().to_str().unwrap());
    }

    #[test]
    fn categories_are_read_one_or_all() {
        let set = bottle("bottle/");
        set.picture("cable/test/good/000.png", [8, 6]);
        set.picture("cable/ground_truth/cut/000_mask.png", [8, 6]);
        set.is_refused(&["cable/ground_truth/cut/000_mask.png is the mask of no picture"]);
        set.picture("cable/test/cut/000.png", [8, 6]);
        let all = set.whole();
        assert_eq!(all.labels, ["cut", "good", "hole"]);
        let whose: Vec<_> = all.samples.iter().map(|s| (&*s.part.sku, &*s.group)).collect();
        let wanted =
            [("bottle", "bottle/good"), ("bottle", "bottle/hole"), ("cable", "cable/cut"), ("cable", "cable/good")];
        assert_eq!(whose, wanted);
        let one = |name: &str| read(set.path(), &Selection { subset: Some(name.into()), ..Selection::default() });
        assert_eq!(one("cable").unwrap().samples, all.samples[2..]);
        let error = one("nut").unwrap_err().to_string();
        assert!(error.contains("has the categories bottle, cable only"), "{error}");
    }

    #[test]
    fn a_mask_that_is_missing_or_of_another_size_is_refused() {
        let set = bottle("");
        set.picture("ground_truth/hole/000_mask.png", [8, 7]);
        set.is_refused(&["ground_truth/hole/000_mask.png has 8 × 7 pixels and its picture 8 × 6"]);
        set.file("ground_truth/hole/000_mask.png", "");
        set.is_refused(&["000_mask.png cannot be read as PNG or JPEG"]);
        set.remove("ground_truth/hole/000_mask.png");
        set.is_refused(&["test/hole/000.png has no mask", "ground_truth/hole/000_mask.png"]);
    }
}
