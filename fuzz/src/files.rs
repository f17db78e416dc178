// SPDX-License-Identifier: MPL-2.0
//! What is read from files in folders: stores, keys, captures, labelled sets.

use std::{cell::LazyCell, fs};

use andon_capture::{PrivacyMask, Sidecar};
use andon_core::result::Arm;
use andon_evaluate::{
    data::{self, Layout, Selection},
    dataset::{Capture, Folder},
};
use andon_model::{Store, Trust, store::Note};

use super::{bytes::Bytes, scratch::Scratch};

thread_local! {
    /// A model of three versions in a store.
    static STORE: LazyCell<Scratch> = LazyCell::new(|| {
        let scratch = Scratch::new();
        for version in ["1", "2", "3"] {
            scratch.write(&format!("m/{version}/model.json"), b"{}");
        }
        scratch
    });
    static KEYS: LazyCell<Scratch> = LazyCell::new(Scratch::new);
    static CAPTURES: LazyCell<Scratch> = LazyCell::new(Scratch::new);
    static SETS: LazyCell<Scratch> = LazyCell::new(|| {
        let scratch = Scratch::new();
        for picture in [
            "coco/images/a.png", "coco/a.png", "yolo/images/train/a.png", "yolo/images/a.png", "bare/a.png",
            "voc/JPEGImages/a.png", "labelme/a.png", "deeppcb/images/a_test.png", "deeppcb/images/a_temp.png",
        ] {
            scratch.write(picture, &picture_of(8));
        }
        scratch
    });
}

/// A black PNG of that side.
fn picture_of(side: u32) -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    let mut encoder = png::Encoder::new(&mut png, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().expect("a header is written to memory");
    writer.write_image_data(&vec![0; (side * side) as usize]).expect("pixels are written to memory");
    drop(writer);
    png.into_inner()
}

/// `aliases.json`, and `refused.json` behind a line of `===`.
pub fn aliases(data: &[u8]) {
    let (aliases, refused) = halves(data);
    STORE.with(|scratch| {
        scratch.write("m/aliases.json", aliases);
        scratch.write("m/refused.json", refused.unwrap_or(b"{}"));
        let _ = fs::remove_file(scratch.path("m/history.jsonl"));
        let _ = fs::remove_file(scratch.path("m/pending.json"));
        look(scratch);
    });
}

/// `history.jsonl`, and `aliases.json` behind a line of `===`.
pub fn history(data: &[u8]) {
    let (history, aliases) = halves(data);
    STORE.with(|scratch| {
        scratch.write("m/history.jsonl", history);
        scratch.write("m/aliases.json", aliases.unwrap_or(br#"{"champion": "1"}"#));
        let _ = fs::remove_file(scratch.path("m/refused.json"));
        let _ = fs::remove_file(scratch.path("m/pending.json"));
        look(scratch);
        // What was read is written on: the new entry is there afterwards, and comes last.
        let store = Store::open(&scratch.folder().join("m")).expect("it is there");
        if store.set_alias("tried", "2", &Note::new("fuzz", "")).is_ok() {
            let after = store.history().expect("it was just written");
            let last = after.entries.last().expect("it has the entry");
            assert_eq!(store.aliases().expect("it was just written")["tried"], "2", "{last:?}");
        }
    });
}

/// Everything that reads a store.
fn look(scratch: &Scratch) {
    for store in Store::all(scratch.folder()).into_iter().flatten() {
        let _ = (store.aliases(), store.refused(), store.history().map(|h| h.serial()));
        for finding in store.audit_aliases().into_iter().flat_map(|(_, findings)| findings) {
            let _ = finding.to_string();
        }
        for alias in ["champion", "challenger", "previous", "1", "4"] {
            let _ = andon_model::locate(&format!("{}@{alias}", store.folder().display()));
        }
    }
}

/// Splits at the first line `===`.
fn halves(data: &[u8]) -> (&[u8], Option<&[u8]>) {
    let at = data.windows(5).position(|five| five == b"\n===\n");
    at.map_or((data, None), |at| (&data[..=at], Some(&data[at + 5..])))
}

/// A file of public keys, and a policy.
pub fn trust(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    KEYS.with(|scratch| {
        if kind % 2 == 0 {
            let _ = Trust::read(&scratch.write("keys.pub", rest));
        } else {
            scratch.write("m/1/model.json", b"{}");
            scratch.write("policy.json", rest);
            // No manifest stands behind it, so that it never opens.
            andon_model::open(&scratch.folder().join("m/1").display().to_string()).expect_err("an empty manifest");
        }
    });
}

/// A sidecar of a capture, alone and in its folder, and the polygons of a privacy mask.
pub fn sidecar(data: &[u8]) {
    if let Ok(sidecar) = serde_json::from_slice::<Sidecar>(data) {
        let again: Sidecar = serde_json::from_str(&sidecar.to_json()).expect("what was read is read again");
        let _ = again.to_json();
    }
    let _ = String::from_utf8_lossy(data).parse::<PrivacyMask>().map_err(|e| e.to_string());
    CAPTURES.with(|scratch| {
        let stem = "00000000000000000000000000000000-00000001-000001-ng";
        scratch.write(&format!("{stem}.json"), data);
        scratch.write(&format!("{stem}.png"), b"");
        let Ok(folder) = Folder::open(scratch.folder()) else { return };
        let look = |capture: &Capture| {
            let _ = (capture.stem().len(), capture.part_key(), capture.image_bytes);
            for arm in [Arm::A, Arm::B, Arm::Truth] {
                let _ = (capture.judged(arm).map(|i| i.score), capture.models_of(arm).len());
            }
            Ok(())
        };
        let _ = folder.each(|| {}, look);
    });
}

/// A labelled set of one picture: the first byte says the layout, the rest is its file of labels.
pub fn dataset(data: &[u8]) {
    let mut bytes = Bytes(data);
    let kind = bytes.below(7);
    let (first, second) = halves(bytes.0);
    SETS.with(|scratch| {
        let (layout, folder) = match kind {
            0 => (Layout::Coco, scratch.write("coco/labels.json", first)),
            1 => {
                scratch.write("yolo/labels/train/a.txt", second.unwrap_or(b"0 0.5 0.5 0.2 0.2"));
                (Layout::Yolo, scratch.write("yolo/data.yaml", first))
            }
            2 => {
                scratch.write("bare/classes.txt", second.unwrap_or(b"scratch\ndent\n"));
                scratch.write("bare/a.txt", first);
                (Layout::Yolo, scratch.folder().join("bare"))
            }
            3 => {
                scratch.write("voc/Annotations/a.xml", first);
                (Layout::Voc, scratch.folder().join("voc"))
            }
            4 => {
                scratch.write("labelme/a.json", first);
                (Layout::Labelme, scratch.folder().join("labelme"))
            }
            5 => {
                scratch.write("deeppcb/labels/a.txt", first);
                (Layout::Deeppcb, scratch.folder().join("deeppcb"))
            }
            _ => {
                // A picture: its head, its note of orientation, its pixels.
                let picture = scratch.write("folders/good/a.png", first);
                scratch.write("folders/bad/b.png", &picture_of(4));
                let _ = fs::remove_file(picture.with_extension("jpg"));
                (Layout::Folders, scratch.folder().join("folders"))
            }
        };
        let Ok(set) = data::read(&folder, &Selection { layout: Some(layout), ..Selection::default() }) else { return };
        for sample in &set.samples {
            for label in sample.boxes.iter().flatten() {
                assert!(label.bbox.iter().all(|v| v.is_finite()), "{label:?}");
            }
        }
    });
}
