// SPDX-License-Identifier: MPL-2.0
//! `andon demo`: the whole story, a short cut of it, on one playing pipeline with the shipped models.

mod common;

use std::fs;

use common::{andon, arg, err, out};

#[test]
fn the_story_is_told_to_its_end_and_the_report_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let output = andon(&["demo", "--fast", "--out", arg(folder.path())]).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    let said = out(&output);

    // Every frame came out, chapter by chapter.
    let rows: Vec<Vec<_>> =
        said.lines().filter(|l| l.starts_with('│')).map(|l| l.split(['│', '┆']).map(str::trim).collect()).collect();
    let chapters: Vec<_> = rows.iter().filter(|r| r[1].starts_with(|c: char| c.is_ascii_digit())).collect();
    assert_eq!(chapters.len(), 7, "{said}");
    for row in &chapters {
        let (entered, left) = row[2].split_once(" / ").unwrap();
        assert_eq!(entered, left, "frames were lost: {row:?}");
        assert!(row[3].ends_with("/ 0"), "parts were not judged: {row:?}");
    }
    assert_eq!(chapters[0][4], "–", "the challenger is not asked in the first chapter");

    // What the story promises did happen.
    assert!(said.contains("raised the alarm “lighting”"), "{said}");
    assert!(said.contains("The model asked to take over") && said.contains("The model asked to come back"), "{said}");
    assert!(!said.contains("did not judge before the end"), "{said}");
    assert!(chapters[5][7].starts_with(|c: char| c.is_ascii_digit()), "{said}");

    // Captures lie there in pairs, as many as were counted.
    let names: Vec<_> = fs::read_dir(folder.path().join("captures"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    let count = |ending: &str| names.iter().filter(|n| n.ends_with(ending)).count();
    let counted: usize = chapters.iter().filter_map(|r| r[9].parse::<usize>().ok()).sum();
    assert!(counted > 0);
    assert_eq!((count(".png"), count(".json")), (counted, counted));

    let report = fs::read_to_string(folder.path().join("report.html")).unwrap();
    for elsewhere in ["http://", "https://", "<script", "<link", "@import"] {
        assert!(!report.contains(elsewhere), "the report needs {elsewhere}");
    }
    common::page::check(&report, "demo");
    common::page::names_models(&report, 2);
    assert!(report.contains("href=\"#frame-3\"") && report.contains("id=\"frame-3\""), "the new kinds have a frame");
    assert!(report.matches("data:image/png;base64,").count() >= 5);
    assert!(report.matches("<svg").count() >= 5);
    let without_pictures: String = report
        .split("data:image/png;base64,")
        .map(|piece| piece.split_once("\" alt").map_or(piece, |(_, rest)| rest))
        .collect();
    assert!(!without_pictures.contains("NaN") && !without_pictures.contains("inf "), "a plot has lost its numbers");
    for row in &chapters {
        assert!(report.contains(&format!(">{}</td>", row[2])), "{row:?} is not in the report");
    }
}

#[test]
fn without_models_it_says_where_to_run_it() {
    let output = andon(&["demo", "--champion=nowhere/1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("nowhere/1") && err(&output).contains("repository's root"), "{}", err(&output));
}
