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
use serde_json::json;

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
    common::page::check(&page, "drift");
    assert!(page.contains("<dt>Meter</dt><dd>meter</dd>") && page.contains("href=\"#alarm-1\""));
    assert!(
        page.contains("aria-label=\"The meter&#39;s state: learning from ")
            || page.contains("aria-label=\"The meter's state: learning from ")
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
    let [since, found] = [5, 6].map(|i| cells[i].parse::<u64>().unwrap());
    assert!((295..=305).contains(&since) && (300..=330).contains(&found), "{alarm}");
    assert!(cells[10].ends_with(" times") && cells[9] == "the end", "{alarm}");
    assert!(markdown.contains(&format!("frame {since}")) && markdown.contains(" its threshold."), "{markdown}");
    assert!(page.contains("that never moved</summary>"), "what never moved is folded");
    let luma = markdown.lines().find(|l| l.starts_with("| luma |")).unwrap();
    assert!(luma.ends_with("extrapolated |"), "{luma}");
}

#[test]
fn a_steady_lamp_leaves_no_alarm_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let (page, markdown) = page(&record(folder.path(), 0));
    assert!(markdown.contains("\nNothing drifted in the ") && markdown.contains(" frames watched, "), "{markdown}");
    assert!(page.contains("<h1>No drift</h1>") && !page.contains("class=\"in-alarm\" x"), "{markdown}");
}

#[test]
fn a_record_is_told_in_its_own_times_and_one_of_an_earlier_version_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    // 2026-03-02 13:03:12 UTC, at a camera an hour ahead.
    const UTC_S: u64 = 1_772_456_592;
    let moment = |n: u64| {
        json!({"frame_id": n, "pts_ns": n * 1_000_000_000, "utc_ns": (UTC_S + n) * 1_000_000_000, "time_of": "capture",
            "local": "2026-03-02T14:03:12.000+01:00", "part": format!("B-{n}")})
    };
    let noise = |n: u64| if n < 300 { 0.001 } else { 0.02 };
    let line = |n: u64, new: bool| {
        let drifts = n >= 310;
        let mut data = json!({"schema": "andon.drift/1", "state": if drifts { "drift" } else { "ok" },
            "cause": if drifts { "noise" } else { "" }, "since_frame": if drifts { 300 } else { 0 }, "frame_id": n,
            "pts_ns": n * 1_000_000_000, "tick": 4, "features": [
                {"name": "noise", "value": noise(n), "reference": 0.001, "sigma": 0.001, "effect": (noise(n) - 0.001) / 0.001,
                    "score": 1000.0 * noise(n), "threshold": 10.0}]});
        if new {
            data["now"] = moment(n);
            data["since"] = moment(if drifts { 300 } else { 0 });
            data["sure"] = json!(drifts.then_some(8.0));
            data["causes"] = json!(if drifts {
                json!([{"cause": "noise", "share": 0.7}, {"cause": "exposure", "share": 0.3}])
            } else {
                json!([])
            });
        }
        json!({"message": "andon/drift-report", "element": "m", "data": data}).to_string()
    };
    let record = |name: &str, new: bool| {
        let path = folder.path().join(name);
        let lines: Vec<_> = (0..=90).map(|n| line(10 * n, new)).collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        page(&path)
    };
    let (new, told) = record("new.jsonl", true);
    assert!(
        told.contains(
            "Drift by noise since 14:08:12 (UTC 13:08:12), part B-300, frame 300, was found 10 s later, at frame 310, with \
             noise 0.0200 instead of 0.0010 (+19.0 σ), and lasted for 10 min to the end, 14:18:12 (UTC 13:18:12). Its score \
             came to 8.0 times its threshold. Causes: 70 % noise, 30 % exposure."
        ),
        "{told}"
    );
    assert!(
        new.contains(">14:10</text>") && new.contains("at which the camera took the frames"),
        "the axis is in time"
    );
    // The band of what cannot be below 0 ends there: from 0 to 0.004. From −0.002 on it would be half as high again.
    let band = new.split("class=\"expected\" x=").nth(1).unwrap();
    let number = |name: &str| -> f64 {
        band.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    let height = number("height");
    assert!((15.0..20.0).contains(&height), "{height}");

    let (_, told) = record("old.jsonl", false);
    assert!(
        told.contains("Drift by noise since 5:00 of the stream, frame 300, was found 10 s later, at frame 310"),
        "{told}"
    );
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
