// SPDX-License-Identifier: MPL-2.0
//! `andon drift`, on what real elements said: a lamp that dims is on the page, a steady one leaves it clean.

mod common;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use andon_statistics::meter::Snapshot;
use common::{andon, arg, fails, ok};

/// Snow under a lamp, and then, for so many frames, under a dimmer one; recorded as JSON lines.
fn record(folder: &Path, dim: u32) -> PathBuf {
    let source = |frames: u32| {
        format!(
            "videotestsrc pattern=snow num-buffers={frames} ! video/x-raw,format=I420,width=64,height=48,framerate=30/1"
        )
    };
    let text = format!(
        "concat name=c ! driftmeter name=meter learn-frames=100 report-interval=100000000 ! fakesink\n\
         {} ! c.\n{} ! videobalance contrast=0.6 ! c.\n",
        source(300),
        source(dim)
    );
    let launch = folder.join("line.launch");
    std::fs::write(&launch, text).unwrap();
    let report = folder.join("report.jsonl");
    std::fs::write(&report, ok(&["run", arg(&launch), "--json"])).unwrap();
    report
}

/// The page and the Markdown of a record.
fn page(report: &Path) -> (String, String) {
    let out = report.with_extension("html");
    let markdown = ok(&["drift", arg(report), "--out", arg(&out), "--markdown"]);
    (std::fs::read_to_string(out).unwrap(), markdown)
}

#[test]
fn a_lamp_that_dims_is_on_the_page_with_its_frame_and_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let (page, markdown) = page(&record(folder.path(), 120));
    assert!(page.contains("<h1>Drift: lighting</h1>"), "{markdown}");
    assert!(page.contains("class=\"state learning\"") && page.contains("class=\"state drift\""));
    assert!(
        page.contains("class=\"expected\"") && page.contains("class=\"in-alarm\"") && page.contains(">lighting</text>")
    );
    for feature in ["Luma", "Contrast", "Sharpness", "Row 4, column 4"] {
        assert!(page.contains(&format!("<figcaption><b>{feature}</b>")), "{feature} has no plot");
    }
    for elsewhere in ["http://", "https://", "<script", "<link", "@import"] {
        assert!(!page.contains(elsewhere), "the page needs {elsewhere}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf\""), "a plot has lost its numbers");

    let alarm = markdown.lines().find(|l| l.starts_with("| 1 | lighting |")).unwrap_or_else(|| panic!("{markdown}"));
    let cells: Vec<_> = alarm.split('|').map(str::trim).collect();
    let [since, found] = [3, 4].map(|i| cells[i].parse::<u64>().unwrap());
    assert!((295..=305).contains(&since) && (300..=330).contains(&found), "{alarm}");
    assert_eq!(cells[6], "the end");
    let luma = markdown.lines().find(|l| l.starts_with("| luma |")).unwrap();
    assert!(luma.ends_with("extrapolated |"), "{luma}");
}

#[test]
fn a_steady_lamp_leaves_no_alarm_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let (page, markdown) = page(&record(folder.path(), 0));
    assert!(markdown.contains("\nNothing drifted in the 198 frames watched, 99 to 297.\n"), "{markdown}");
    assert!(page.contains("<h1>No drift</h1>") && !page.contains("class=\"in-alarm\" x"), "{markdown}");
}

#[test]
fn what_is_no_record_is_wrong_usage_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let out = folder.path().join("page.html");
    let refused = |path: &Path| fails(2, &["drift", arg(path), "--out", arg(&out)]);
    assert!(refused(Path::new("/nowhere/report.jsonl")).contains("/nowhere/report.jsonl: No such file"));
    let none = file("none.jsonl", "{\"message\":\"andon/part-verdict\",\"data\":{}}\n");
    assert!(refused(&none).contains("there is no drift report in it"));
    let people = file("people.txt", "meter: drift state=ok\n");
    let says = refused(&people);
    assert!(says.contains("line 1 is no JSON") && says.contains("andon run FILE --json"), "{says}");
    assert!(refused(&file("cut.jsonl", "{\"message\":\"andon/dri")).contains("line 1 ends in the middle of a message"));
    assert!(!out.exists(), "nothing was written");
    let says = fails(2, &["drift", arg(folder.path()), "--out", arg(&out)]);
    assert!(says.contains("is a folder, and only plain files are read"), "{says}");
}

#[test]
fn a_page_that_cannot_be_written_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("one.json");
    let one = "{\"schema\":\"andon.drift/1\",\"state\":\"ok\",\"since_frame\":3,\"frame_id\":9,\"features\":[]}";
    std::fs::write(&report, one).unwrap();
    let says = fails(1, &["drift", arg(&report), "--out=/nowhere/page.html"]);
    assert!(says.contains("/nowhere/page.html") && says.contains("--out=FILE"), "{says}");
    let (page, _) = page(&report);
    assert!(page.contains("<h1>No drift</h1>") && page.contains("set report-interval"), "{page}");
}

#[test]
fn a_line_killed_forty_times_keeps_its_state_of_drift_whole() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("drift-state.json");
    let launch = folder.path().join("line.launch");
    // The light comes and goes, so that the state changes and is written again and again.
    let source = |contrast: &str| {
        format!(
            "videotestsrc pattern=snow num-buffers=200 ! video/x-raw,format=I420,width=48,height=48,framerate=30/1 \
             ! videobalance contrast={contrast} ! c.\n"
        )
    };
    let text = format!(
        "concat name=c ! driftmeter learn-frames=20 persist={} ! fakesink\n{}",
        state.display(),
        ["1", "0.5"].map(source).concat().repeat(20)
    );
    std::fs::write(&launch, text).unwrap();
    let (mut seen, mut since) = (0, None);
    for kill in 0..40u64 {
        let mut line = andon(&["run", arg(&launch)]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Killed a little later each time after something was written, so that it is in the midst of it now and then.
        let written = || std::fs::metadata(&state).and_then(|m| m.modified()).ok();
        while written() == since && line.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(200 * kill));
        let _ = line.kill();
        line.wait().unwrap();
        since = written();
        if let Ok(text) = std::fs::read_to_string(&state) {
            seen += 1;
            let kept = Snapshot::from_json(&text).unwrap_or_else(|e| panic!("kill {kill}: {e}"));
            assert_eq!(kept.len(), 1);
        }
    }
    assert_eq!(seen, 40);
    assert!(!folder.path().join("drift-state.json.bad").exists(), "none was put aside");
}
