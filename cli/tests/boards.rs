// SPDX-License-Identifier: MPL-2.0
//! `andon boards`, as a shell sees it.

mod common;

use std::{fs, path::Path, process::Output};

fn boards(folder: &Path, more: &[&str]) -> Output {
    common::andon(&[&["boards", common::arg(folder)], more].concat()).output().unwrap()
}

#[test]
fn boards_are_written_with_their_twins_and_labels_and_the_seed_decides() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&one, &two] {
        let out = boards(folder.path(), &["--count=3", "--skus=2", "--seed=7", "--kinds=open,spur"]);
        assert!(out.status.success(), "{}", common::err(&out));
    }
    let mut names: Vec<_> = fs::read_dir(one.path().join("images"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 6);
    assert!(names[0].ends_with("_temp.png") && names[1].ends_with("_test.png"), "{names:?}");
    let mut kinds = std::collections::BTreeSet::new();
    for entry in fs::read_dir(one.path().join("labels")).unwrap() {
        let name = entry.unwrap().file_name();
        let text = fs::read_to_string(one.path().join("labels").join(&name)).unwrap();
        assert_eq!(text, fs::read_to_string(two.path().join("labels").join(&name)).unwrap());
        kinds.extend(text.lines().map(|l| l.split(' ').nth(4).unwrap().to_string()));
    }
    assert!(!kinds.is_empty() && kinds.iter().all(|k| k == "1" || k == "4"), "{kinds:?}");
}

#[test]
fn what_cannot_be_made_is_refused_with_the_rule() {
    let folder = tempfile::tempdir().unwrap();
    let out = boards(folder.path(), &["--count=1", "--skus=2"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(common::err(&out).contains("at least as many boards"));
    let out = boards(folder.path(), &["--kinds=dent"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(common::err(&out).contains("pin-hole"));
}
