// SPDX-License-Identifier: MPL-2.0
//! Reports that are read back and shown: JSON of an evaluation, a gate and a record of drift become Markdown, JUnit and pages.

use andon_evaluate::{Checks, EvaluationReport, Gate};
use andon_report::{Origin, markdown, masked};

use super::drift;

#[path = "../../cli/src/evaluate/junit.rs"]
#[allow(dead_code, reason = "the program uses more of it")]
mod junit;

/// The first byte says what the rest is.
pub fn report(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 4 {
        0 => {
            let Ok(checks) = serde_json::from_slice::<Checks>(rest) else { return };
            let document = junit::document(&checks).expect("every text can be written");
            well_formed(&document);
        }
        1 => {
            let Ok(text) = std::str::from_utf8(rest) else { return };
            let Ok(gate) = Gate::parse(text) else { return };
            let _ = gate.compares();
        }
        2 => {
            let Ok(record) = drift::read::read(rest, None) else { return };
            let page = drift::page::page(&record, "a <source>", &Origin::default()).into_string();
            assert!(!page.contains("<source>"), "what is not ours is escaped");
            assert_eq!(page.matches("<script").count(), 0, "a page has no script");
            let _ = drift::page::text(&record);
        }
        _ => {
            if let Ok(report) = serde_json::from_slice::<EvaluationReport>(rest) {
                let _ = serde_json::to_string(&report).expect("plain data");
            }
            let text = String::from_utf8_lossy(rest);
            let told = masked(&format!("rtsp://me:secret@{text} user-pw=secret {text}"));
            assert!(!told.starts_with("rtsp://me:secret@"), "a password is told: {told:?}");
            let escaped = markdown::escape(&text);
            let raw = escaped.replace("\\|", "").replace("\\<", "");
            assert!(!raw.contains(['|', '\n', '\r']), "a cell of a table stays one: {escaped:?}");
        }
    }
}

/// Checks that a reader of XML takes a document.
fn well_formed(document: &str) {
    let mut reader = quick_xml::Reader::from_str(document);
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Eof) => return,
            Ok(_) => {}
            Err(error) => panic!("{error}: {document}"),
        }
    }
}
