// SPDX-License-Identifier: MPL-2.0
//! COCO: `annotations/instances_SUBSET.json` with pictures in `images/SUBSET/`, Roboflow's `SUBSET/_annotations.coco.json` with
//! pictures beside it, or any file of COCO with its pictures near.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use andon_core::files as core_files;

use super::{
    error::{Error, Result, ensure},
    files,
    picture::check_size,
    sample::{LabelledBox, Sample, SamplePart},
};
use crate::coco::{Coco, Image};

/// A file of annotations, and the places of its pictures.
struct Listing {
    path: PathBuf,
    /// The ids of its samples begin with this.
    prefix: String,
    /// Folders of pictures, in the order of the search.
    places: Vec<PathBuf>,
}

/// The file that Roboflow puts beside the pictures of a subset.
const BESIDE: &str = "_annotations.coco.json";

/// Returns the files of a set: the subsets below `folder/annotations`, and those with their own file beside the pictures; each
/// with its name.
pub(super) fn listed(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let annotations = folder.join("annotations");
    let mut all = Vec::new();
    if annotations.is_dir() {
        let subset = |path: PathBuf| Some((subset(&path)?.to_string(), path));
        all.extend(files::entries(&annotations)?.into_iter().filter_map(subset));
    }
    if folder.join(BESIDE).is_file() {
        all.push((String::new(), folder.join(BESIDE)));
    }
    for below in files::folders(folder)? {
        if below.join(BESIDE).is_file() {
            all.push((files::name(&below)?.into(), below.join(BESIDE)));
        }
    }
    Ok(all)
}

fn subset(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.strip_prefix("instances_")?.strip_suffix(".json")
}

/// Reads all labels, by their first appearance, and the pictures of `subset` or of all subsets. Adds to `unseen` the files
/// that are a model's own detections.
pub(super) fn read(path: &Path, subset: Option<&str>, unseen: &mut Vec<PathBuf>) -> Result<(Vec<String>, Vec<Sample>)> {
    let (mut labels, mut samples) = (Vec::new(), Vec::new());
    for listing in listings(path, subset)? {
        let name = listing.path.display();
        let text = core_files::read_text(&listing.path, core_files::DATA).map_err(Error::io(&listing.path))?;
        let wrong = |e| Error::Label(format!("{name}: {e}; export it again, or correct it"));
        let coco = Coco::parse(text.as_bytes()).map_err(wrong)?;
        drop(text);
        if coco.is_unseen() {
            unseen.push(listing.path.clone());
        }
        listing.samples(coco, &mut labels, &mut samples).map_err(|e| e.at(name))?;
    }
    Ok((labels, samples))
}

fn listings(path: &Path, wanted: Option<&str>) -> Result<Vec<Listing>> {
    if !path.is_file() {
        let all = listed(path)?;
        ensure!(
            !all.is_empty(),
            Layout,
            "{} has neither annotations/instances_SUBSET.json nor SUBSET/{BESIDE}; name the .json file itself",
            path.display()
        );
        let beside = |(_, file): &&(String, PathBuf)| file.ends_with(BESIDE);
        if let (Some(one), Some(other)) = (all.iter().find(beside), all.iter().find(|listed| !beside(listed))) {
            let (one, other) = (one.1.display(), other.1.display());
            let both = format!("{one} and {other}: are both meant? Take one out, or name the one that is meant");
            return Err(Error::Inconsistent(both));
        }
        let names: Vec<_> = all.iter().map(|(name, _)| name.clone()).collect();
        let kept: Vec<_> = all.into_iter().filter(|(name, _)| wanted.is_none_or(|w| w == name)).collect();
        ensure!(!kept.is_empty(), Selection, "{} has the subsets {} only", path.display(), names.join(", "));
        return Ok(kept.into_iter().map(|(name, file)| Listing::of(path, &name, file)).collect());
    }
    ensure!(wanted.is_none(), Selection, "{} is one subset already; leave the subset out", path.display());
    let folder = path.parent().unwrap_or(Path::new(""));
    if let (Some(name), true) = (subset(path), folder.ends_with("annotations")) {
        return Ok(vec![Listing::of_tree(folder.parent().unwrap_or(Path::new("")), name, path.into())]);
    }
    let mut places = vec![folder.join("images"), folder.join("data"), folder.into()];
    if folder.ends_with("annotations") {
        let above = folder.parent().unwrap_or(Path::new(""));
        let stem = files::stem(path)?;
        places = vec![above.join("images").join(stem), above.join("images"), above.join(stem), above.into()];
    }
    Ok(vec![Listing { path: path.into(), prefix: String::new(), places }])
}

impl Listing {
    /// The file of a subset of a set, and where its pictures are.
    fn of(folder: &Path, subset: &str, path: PathBuf) -> Self {
        if !path.ends_with(BESIDE) {
            return Self::of_tree(folder, subset, path);
        }
        let prefix = if subset.is_empty() { String::new() } else { format!("{subset}/") };
        Self { prefix, places: vec![folder.join(subset)], path }
    }

    /// The layout of CVAT and of `andon dataset export`, and of the COCO data set itself, whose pictures are in `SUBSET/`.
    fn of_tree(folder: &Path, subset: &str, path: PathBuf) -> Self {
        let images = folder.join("images");
        let places = vec![images.join(subset), images, folder.join(subset), folder.into()];
        Self { path, prefix: format!("{subset}/"), places }
    }

    fn samples(&self, coco: Coco, labels: &mut Vec<String>, samples: &mut Vec<Sample>) -> Result<()> {
        for category in coco.labels() {
            if !labels.contains(&category.name) {
                labels.push(category.name.clone());
            }
        }
        let names: HashMap<_, _> = coco.categories.iter().map(|c| (c.id, &c.name)).collect();
        let mut boxes: HashMap<_, Vec<_>> = HashMap::new();
        for a in &coco.annotations {
            let label = names[&a.category_id].clone();
            let of = boxes.entry(a.image_id).or_default();
            of.push(LabelledBox { label, bbox: a.bbox, crowd: a.iscrowd != 0 });
        }
        for image in coco.images {
            let id = image.id;
            let sample = self.sample(image).map_err(|e| e.at(format_args!("image {id}")))?;
            samples.push(sample.with_boxes(boxes.remove(&id).unwrap_or_default()));
        }
        Ok(())
    }

    fn sample(&self, image: Image) -> Result<Sample> {
        let name = files::below(&image.file_name)?;
        let found = self.places.iter().map(|place| place.join(name)).find(|path| path.is_file());
        let nowhere = || {
            let places: Vec<_> = self.places.iter().map(|p| p.display().to_string()).collect();
            let (name, places) = (name.display(), places.join(" nor in "));
            Error::Picture(format!("{name} is not there, neither in {places}; add it, or take it out of the file"))
        };
        let found = found.ok_or_else(nowhere)?;
        check_size(&found, [image.width, image.height], "the file")?;
        let alone = Sample::alone(format!("{}{}", self.prefix, files::id(name)?), found);
        let Some(shown) = image.andon else { return Ok(alone) };
        let group = if shown.sku.is_empty() { &shown.part } else { &shown.sku }.clone();
        let part = SamplePart { id: shown.part, sku: shown.sku, view: shown.view, views: shown.views };
        Ok(Sample { group, part, ..alone })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Layout, Selection, read, testing::Set},
        *,
    };
    use andon_core::result::Verdict;
    use serde_json::{Value, json};

    /// As CVAT exports it: numbers of categories with gaps, and more than is asked for.
    fn truth(names: &[&str]) -> Value {
        let images = (1..).zip(names).map(
            |(id, name)| json!({"id": id, "file_name": name, "width": 100, "height": 50, "license": 0, "coco_url": ""}),
        );
        json!({
            "info": {"description": ""}, "licenses": [{"id": 0}],
            "images": images.collect::<Vec<_>>(),
            "categories": [{"id": 7, "name": "short", "supercategory": ""}, {"id": 3, "name": "open"}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1.5, 2, 9, 9], "segmentation": [], "iscrowd": 0},
                {"id": 2, "image_id": 1, "category_id": 7, "bbox": [-0.5, 2, 9, 9], "iscrowd": 1,
                 "segmentation": {"counts": [1], "size": [50, 100]}, "attributes": {"occluded": false}}
            ]
        })
    }

    fn tree() -> Set {
        let set = Set::new();
        set.file("annotations/instances_default.json", truth(&["b.png", "sub/a.jpg"]).to_string());
        set.picture("images/default/b.png", [100, 50]);
        set.jpeg("images/default/sub/a.jpg", [100, 50]);
        set
    }

    #[test]
    fn a_corrected_tree_is_read_with_labels_in_its_order() {
        let set = tree();
        let read = set.whole();
        assert_eq!((read.layout, read.labels), (Layout::Coco, vec!["short".into(), "open".into()]));
        let [b, a] = &read.samples[..] else { panic!("{:?}", read.samples) };
        assert_eq!((&*b.id, &*b.group, &*b.part.id), ("default/b", "default/b", "default/b"));
        assert_eq!(b.image, set.path().join("images/default/b.png"));
        let open = LabelledBox { label: "open".into(), bbox: [1.5, 2.0, 9.0, 9.0], crowd: false };
        let short = LabelledBox { label: "short".into(), bbox: [-0.5, 2.0, 9.0, 9.0], crowd: true };
        assert_eq!((b.verdict, &b.boxes), (Some(Verdict::Ng), &Some(vec![open, short])));
        assert_eq!((&*a.id, a.verdict, &a.boxes), ("default/sub/a", Some(Verdict::Ok), &Some(vec![])));
    }

    #[test]
    fn one_subset_is_read_or_all_and_pictures_of_one_name_are_told_apart() {
        let set = tree();
        let mut other = truth(&["b.png"]);
        other["categories"] = json!([{"id": 1, "name": "open"}, {"id": 3, "name": "spur"}]);
        other["annotations"][1]["category_id"] = json!(1);
        set.file("annotations/instances_val2017.json", other.to_string());
        set.picture("val2017/b.png", [100, 50]);
        let all = set.whole();
        assert_eq!(all.labels, ["short", "open", "spur"]);
        let labels: Vec<_> = all.samples[2].boxes.iter().flatten().map(|b| &*b.label).collect();
        assert_eq!((&*all.samples[2].id, labels), ("val2017/b", vec!["spur", "open"]));
        let subset = |name: &str| read(set.path(), &Selection { subset: Some(name.into()), ..Selection::default() });
        assert_eq!(subset("val2017").unwrap().samples, all.samples[2..]);
        let error = subset("test").unwrap_err().to_string();
        assert!(error.contains("has the subsets default, val2017 only"), "{error}");
    }

    #[test]
    fn a_file_alone_is_read_with_pictures_beside_it_or_under_images() {
        let set = tree();
        set.file("truth.json", truth(&["b.png", "sub/a.jpg"]).to_string());
        set.picture("images/b.png", [100, 50]);
        set.jpeg("sub/a.jpg", [100, 50]);
        let file = |name: &str| read(&set.path().join(name), &Selection::default()).unwrap().samples;
        let images: Vec<_> = file("truth.json").into_iter().map(|s| (s.id, s.image)).collect();
        let wanted = [("b", "images/b.png"), ("sub/a", "sub/a.jpg")];
        assert_eq!(images, wanted.map(|(id, image)| (id.to_string(), set.path().join(image))));
        assert_eq!(file("annotations/instances_default.json"), set.whole().samples);
        set.file("annotations/default.json", truth(&["b.png"]).to_string());
        assert_eq!(file("annotations/default.json")[0].image, set.path().join("images/default/b.png"));
        set.file("fiftyone/labels.json", truth(&["b.png"]).to_string());
        set.picture("fiftyone/data/b.png", [100, 50]);
        assert_eq!(file("fiftyone/labels.json")[0].image, set.path().join("fiftyone/data/b.png"));
        let selection = Selection { subset: Some("default".into()), ..Selection::default() };
        assert!(
            read(&set.path().join("truth.json"), &selection).unwrap_err().to_string().contains("one subset already")
        );
    }

    #[test]
    fn roboflow_puts_a_file_beside_the_pictures_and_its_first_category_is_no_label() {
        let set = Set::new();
        let mut coco = truth(&["a.png"]);
        coco["categories"] = json!([
            {"id": 0, "name": "defects", "supercategory": "none"},
            {"id": 1, "name": "short", "supercategory": "defects"},
            {"id": 2, "name": "open", "supercategory": "defects"}
        ]);
        coco["annotations"] = json!([{"id": 0, "image_id": 1, "category_id": 1, "bbox": [1, 2, 9, 9]}]);
        for subset in ["train", "valid"] {
            set.picture(&format!("{subset}/a.png"), [100, 50]);
            set.file(&format!("{subset}/_annotations.coco.json"), coco.to_string());
        }
        let all = set.whole();
        assert_eq!((all.layout, &all.labels[..]), (Layout::Coco, &["short", "open"].map(String::from)[..]));
        assert_eq!(all.samples.iter().map(|s| &*s.id).collect::<Vec<_>>(), ["train/a", "valid/a"]);
        let valid = read(set.path(), &Selection { subset: Some("valid".into()), ..Selection::default() }).unwrap();
        assert_eq!(valid.samples, all.samples[1..]);
        let one = read(&set.path().join("train"), &Selection::default()).unwrap();
        assert_eq!((&*one.samples[0].id, &one.samples[0].boxes), ("a", &all.samples[0].boxes));
        coco["annotations"][0]["category_id"] = json!(0);
        set.file("train/_annotations.coco.json", coco.to_string());
        assert_eq!(set.whole().labels, ["defects", "short", "open"], "a category with a box is a label");
        set.file("annotations/instances_train.json", coco.to_string());
        set.is_refused(&["train/_annotations.coco.json and", "annotations/instances_train.json: are both meant?"]);
    }

    #[test]
    fn what_an_export_says_of_the_part_is_read() {
        let set = tree();
        let mut coco = truth(&["b.png", "sub/a.jpg"]);
        coco["images"][0]["andon"] = json!({"run": "r", "part": "P1", "sku": "S", "view": 1, "views": 2});
        coco["images"][1]["andon"] = json!({"run": "r", "part": "r/7", "sku": ""});
        set.file("annotations/instances_default.json", coco.to_string());
        let [b, a] = &set.whole().samples[..] else { panic!() };
        assert_eq!(b.part, SamplePart { id: "P1".into(), sku: "S".into(), view: 1, views: 2 });
        assert_eq!(a.part, SamplePart { id: "r/7".into(), sku: String::new(), view: 0, views: 1 });
        assert_eq!((&*b.group, &*a.group), ("S", "r/7"));
    }

    #[test]
    fn what_does_not_hold_together_is_refused_with_the_file_and_the_id() {
        let refused = |change: fn(&mut Value), words: &[&str]| {
            let set = tree();
            let mut coco = truth(&["b.png", "sub/a.jpg"]);
            change(&mut coco);
            set.file("annotations/instances_default.json", coco.to_string());
            set.is_refused(&[&["annotations/instances_default.json"], words].concat());
        };
        refused(|c| c["annotations"][1]["category_id"] = json!(1), &["annotation 2: there is no category 1"]);
        refused(|c| c["annotations"][0]["bbox"] = json!([1, 1, 0, 5]), &["annotation 1: its box"]);
        refused(|c| c["categories"][1]["id"] = json!(7), &["two categories have the id 7"]);
        refused(|c| c["images"][1]["id"] = json!(1), &["two images have the id 1"]);
        refused(
            |c| c["images"][1]["file_name"] = json!("c.png"),
            &["image 2", "c.png is not there, neither in", "images/default"],
        );
        refused(|c| c["images"][1]["file_name"] = json!("../c.png"), &["image 2", "leads out of the set"]);
        refused(
            |c| c["images"][1]["width"] = json!(200),
            &["image 2", "sub/a.jpg has 100 × 50 pixels, and not 200 × 50"],
        );
        refused(|c| c["images"][1]["file_name"] = json!("a.bmp"), &["image 2", "neither PNG nor JPEG"]);

        let set = tree();
        set.file("annotations/instances_default.json", r#"{"images": [{"id": 1,"#);
        set.is_refused(&["instances_default.json", "EOF while parsing", "line 1", "export it again"]);
        set.file("annotations/instances_default.json", r#"{"images": [], "annotations": [], "categories": []}"#);
        set.is_refused(&["holds no picture to judge"]);
        set.file("annotations/instances_default.json", truth(&["b.png", "b.png"]).to_string());
        set.is_refused(&["two pictures are called default/b"]);
    }
}
