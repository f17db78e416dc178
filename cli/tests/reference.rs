// SPDX-License-Identifier: MPL-2.0
//! `andon reference`: made of videos and folders, used by driftmeter from the first frame, and refused where it cannot be.

mod common;

use std::path::{Path, PathBuf};

use andon_statistics::{meter::References, reference::Reference};
use common::{arg, fails, ok};

/// A video of snow, so many frames of it.
fn video(folder: &Path, frames: u32) -> PathBuf {
    let path = folder.join(format!("{frames}.avi"));
    let launch = folder.join("record.launch");
    let text = format!(
        "videotestsrc pattern=snow num-buffers={frames} ! video/x-raw,format=I420,width=64,height=48,framerate=30/1 \
         ! jpegenc ! avimux ! filesink location={}",
        path.display()
    );
    std::fs::write(&launch, text).unwrap();
    ok(&["run", arg(&launch)]);
    path
}

fn read(path: &Path) -> Reference {
    Reference::from_json(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_video_makes_a_reference_that_judges_from_the_first_frame() {
    let folder = tempfile::tempdir().unwrap();
    let (video, into) = (video(folder.path(), 90), folder.path().join("reference.json"));
    let said = ok(&["reference", arg(&video), "--into", arg(&into), "--caps=video/x-raw,format=NV12"]);
    let reference = read(&into);
    assert_eq!((reference.frames, reference.frame, reference.format.as_str()), (90, [64, 48], "nv12"));
    for word in ["luma", "sharpness", "grid-33", "90 frames of 64x48 nv12", "extrapolated", "reference.json"] {
        assert!(said.contains(word), "{word} is not in\n{said}");
    }
    assert!(!reference.features.contains_key("top-score") && !said.contains("top-score"), "{said}");

    let launch = folder.path().join("line.launch");
    let text = format!(
        "filesrc location={} ! decodebin ! videoconvert ! video/x-raw,format=NV12 ! driftmeter reference={} ! fakesink",
        video.display(),
        into.display()
    );
    std::fs::write(&launch, text).unwrap();
    let heard = ok(&["run", arg(&launch), "--json"]);
    let first: serde_json::Value = serde_json::from_str(heard.lines().next().expect("the meter has spoken")).unwrap();
    assert_eq!((&first["data"]["state"], &first["data"]["frame_id"]), (&"ok".into(), &0.into()), "{heard}");
    assert_eq!(heard.lines().count(), 1, "what it was learned from is no drift: {heard}");
}

#[test]
fn a_folder_with_a_model_teaches_predictions_too() {
    let folder = tempfile::tempdir().unwrap();
    ok(&["boards", arg(folder.path()), "--count=24", "--skus=2", "--seed=7"]);
    let into = folder.path().join("reference.json");
    let images = folder.path().join("images");
    let said = ok(&["reference", arg(&images), "--into", arg(&into), "--model=models/pcb/2"]);
    let reference = read(&into);
    let images = std::fs::read_dir(&images).unwrap().count() as u64;
    assert_eq!(reference.frames, images);
    for feature in ["top-score", "detections", "ng-share"] {
        assert!(reference.features.contains_key(feature) && said.contains(feature), "{feature}: {said}");
    }
}

#[test]
fn a_model_with_a_golden_template_gets_it_while_its_reference_is_made() {
    let folder = tempfile::tempdir().unwrap();
    ok(&["boards", arg(folder.path()), "--count=20", "--skus=1", "--seed=7"]);
    let (into, images, root) =
        (folder.path().join("r.json"), folder.path().join("images"), folder.path().join("golden"));
    std::fs::create_dir_all(root.join("A")).unwrap();
    std::fs::copy(images.join("s0000000_temp.png"), root.join("A/0.png")).unwrap();
    let with = ["reference", arg(&images), "--into", arg(&into), "--model=models/pcb/3"];
    ok(&[&with[..], &["--image-root", arg(&root), "--fields=fields,sku=A,view=0"]].concat());
    let ng = |path: &Path| read(path).features.get("ng-share").map(|f| f.mean);
    assert_eq!(ng(&into), Some(0.5), "every second picture is a good board");
    ok(&with);
    assert_eq!(ng(&into), None, "what is not judged says nothing");
    let says = fails(1, &[&with[..], &["--image-root=/nowhere", "--fields=fields,sku=A,,"]].concat());
    assert!(says.contains("is no structure"), "{says}");
}

#[test]
fn too_few_frames_teach_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (video, into) = (video(folder.path(), 12), folder.path().join("reference.json"));
    let says = fails(1, &["reference", arg(&video), "--into", arg(&into)]);
    assert!(says.contains("12 frames to learn from") && says.contains("at least 20"), "{says}");
    assert!(!into.exists());
}

#[test]
fn frames_of_two_kinds_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let first = video(folder.path(), 30);
    let boards = folder.path().join("boards");
    ok(&["boards", arg(&boards), "--count=2", "--skus=1"]);
    let (images, into) = (boards.join("images"), folder.path().join("reference.json"));
    let two = [arg(&first), arg(&images)];
    let says = fails(1, &["reference", two[0], two[1], "--into", arg(&into)]);
    assert!(says.contains("those before it are of 64x48 I420") && says.contains("--caps="), "{says}");
    let caps = "--caps=video/x-raw,format=GRAY8,width=64,height=48";
    ok(&["reference", two[0], two[1], "--into", arg(&into), caps]);
    assert!(read(&into).frames > 30);
}

#[test]
fn what_cannot_be_learned_from_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("reference.json");
    let into = arg(&into);
    assert!(fails(2, &["reference", "/nowhere.mp4", "--into", into]).contains("/nowhere.mp4: No such file"));
    let says = fails(2, &["reference", arg(folder.path()), "--into", into]);
    assert!(says.contains("there are no images in this folder"), "{says}");
    let broken = folder.path().join("broken.mp4");
    std::fs::write(&broken, "this is no video, whatever its name says").unwrap();
    let says = fails(1, &["reference", arg(&broken), "--into", into]);
    assert!(says.contains("broken.mp4 cannot be played"), "{says}");
    let says = fails(2, &["reference", arg(&broken), "--into=/nowhere/reference.json"]);
    assert!(says.contains("there is no folder /nowhere"), "{says}");
    assert!(fails(2, &["reference", arg(&broken), "--into", into, "--caps=!"]).contains("'!' is no caps"));
}

#[test]
fn references_of_several_products_go_into_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let (video, into) = (video(folder.path(), 60), folder.path().join("references.json"));
    for sku in ["A", "B"] {
        ok(&["reference", arg(&video), "--into", arg(&into), &format!("--key=sku={sku}")]);
    }
    let text = std::fs::read_to_string(&into).unwrap();
    let References::By(set) = References::from_json(&text).unwrap() else { panic!("a set: {text}") };
    assert_eq!(
        (set.key.as_str(), set.references.keys().collect::<Vec<_>>()),
        ("sku", vec![&"A".to_string(), &"B".to_string()])
    );

    let says = fails(2, &["reference", arg(&video), "--into", arg(&into), "--key=lot=7"]);
    assert!(says.contains("no references by lot"), "{says}");
    assert_eq!(std::fs::read_to_string(&into).unwrap(), text, "nothing was lost");
    let says = fails(2, &["reference", arg(&video), "--into", arg(&into), "--key=sku"]);
    assert!(says.contains("NAME=VALUE"), "{says}");
}
