// SPDX-License-Identifier: MPL-2.0
//! Tests the meter on images with known changes.

use andon_core::result::{Arm, Detection, Frame, ModelId, Part, Verdict};

use super::*;
use crate::testing::{Canvas, Random};

const CONFIG: Config =
    Config { learn_frames: 60, scene_frames: 0, expected_run_length: 100_000, expected_run_time_ns: 0, subsample: 4 };

/// A camera over boards that differ a little: noise, a lamp that is not quite steady, a defect here and there.
struct Line {
    meter: Meter,
    random: Random,
    frame: u64,
}

impl Line {
    fn new() -> Self {
        let mut line = Self { meter: Meter::new(CONFIG), random: Random::new(11), frame: 0 };
        for _ in 0..60 {
            line.show(|board| board);
        }
        assert_eq!(line.meter.status().state, State::Ok);
        line
    }

    fn show(&mut self, change: impl Fn(Canvas) -> Canvas) -> Option<DriftStatus> {
        self.show_with(Canvas::board(160, 120), change, None)
    }

    fn show_with(
        &mut self,
        mut board: Canvas,
        change: impl Fn(Canvas) -> Canvas,
        result: Option<&Inference>,
    ) -> Option<DriftStatus> {
        let spot = (self.random.uniform() * 19_000.0) as usize;
        board.pixels[spot..spot + 8].fill(60.0);
        let lamp = 1.0 + 0.003 * self.random.normal();
        let frame = change(board.scaled(lamp)).noisy(1.5, &mut self.random);
        self.frame += 1;
        self.meter.observe(&frame.image(), result, Stamp { frame_id: self.frame, ..Stamp::default() })
    }

    /// Shows changed boards until drift; returns the status, and after how many frames.
    fn until_drift(&mut self, change: impl Fn(Canvas) -> Canvas) -> (DriftStatus, u32) {
        for n in 1..=200 {
            if let Some(status) = self.show(&change).filter(|s| s.state == State::Drift) {
                return (status, n);
            }
        }
        panic!("no drift in 200 frames: {:?}", self.meter.report(Stamp::default()));
    }
}

/// Every change that has a name, small and large.
#[expect(clippy::type_complexity, reason = "a table of changes")]
fn changes() -> Vec<(Cause, &'static str, Box<dyn Fn(Canvas) -> Canvas>)> {
    vec![
        (Cause::Lighting, "5 % darker", Box::new(|c| c.scaled(0.95))),
        (Cause::Lighting, "20 % darker", Box::new(|c| c.scaled(0.8))),
        (Cause::Lighting, "60 % darker", Box::new(|c| c.scaled(0.4))),
        (Cause::Lighting, "the lamp is out", Box::new(|c| c.scaled(0.0))),
        (Cause::Lighting, "10 % brighter", Box::new(|c| c.scaled(1.1))),
        (Cause::Lighting, "one lamp of two is weak", Box::new(|c| c.ramp(0.7, 1.0))),
        (Cause::Focus, "blurred by 3×3", Box::new(|c| c.blurred(1))),
        (Cause::Focus, "blurred by 5×5", Box::new(|c| c.blurred(2))),
        (Cause::Noise, "noise σ 4", Box::new(|c| c.noisy(4.0, &mut Random::new(c.pixels[5] as u64)))),
        (Cause::Noise, "noise σ 8", Box::new(|c| c.noisy(8.0, &mut Random::new(c.pixels[5] as u64)))),
        (Cause::Position, "3 px right", Box::new(|_| Canvas::moved_board(160, 120, 3, 0))),
        (Cause::Position, "16 px right, 6 px down", Box::new(|_| Canvas::moved_board(160, 120, 16, 6))),
        (Cause::Lighting, "black is lower", Box::new(|c| c.mapped(|v| v - 15.0))),
        (Cause::Occlusion, "a corner is covered", Box::new(|c| c.covered(56, 42))),
        (Cause::Position, "2 px up", Box::new(|_| Canvas::moved_board(160, 120, 0, -2))),
        (Cause::Exposure, "burnt out", Box::new(|c| c.scaled(1.7))),
        (Cause::Exposure, "haze", Box::new(|c| c.mapped(|v| 0.7 * v + 30.0))),
        (Cause::Scene, "no board", Box::new(|_| Canvas::flat(160, 120, 95).ramp(0.9, 1.1))),
    ]
}

#[test]
fn every_change_is_found_and_named() {
    let mut wrong = Vec::new();
    for (cause, what, change) in changes() {
        let mut line = Line::new();
        let (status, frames) = line.until_drift(change);
        let named = status.cause.unwrap();
        println!("{what}: {} after {frames} frames, since frame {}", named.as_str(), status.since_frame);
        if named != cause {
            let effects =
                line.meter.report(stamp(0)).features.into_iter().map(|f| (f.name, f.reference, f.value, f.effect));
            wrong.push(format!("{what} was named {}: {:?}", named.as_str(), effects.collect::<Vec<_>>()));
        }
        assert!((55..=75).contains(&status.since_frame), "{what}: since {}", status.since_frame);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn colour_that_shifts_is_colour() {
    let mut meter = Meter::new(CONFIG);
    let mut random = Random::new(3);
    let mut named = None;
    for frame in 0..160u64 {
        let board = Canvas::board(64, 64).noisy(1.5, &mut random);
        let warm = if frame < 60 { 1.0 } else { 0.9 };
        let grey = board.image().planes[0].data;
        let rgb: Vec<u8> = grey.iter().flat_map(|v| [*v, *v, (f64::from(*v) * warm) as u8]).collect();
        let planes = [andon_core::image::Plane { data: &rgb, stride: 64 * 3 }];
        let image =
            Image::new(andon_core::image::Format::Rgb, 64, 64, &planes, andon_core::image::Colorimetry::default())
                .unwrap();
        let status = meter.observe(&image, None, Stamp { frame_id: frame, ..Stamp::default() });
        if let Some(DriftStatus { state: State::Drift, cause, .. }) = status {
            named = cause;
            break;
        }
    }
    assert_eq!(named, Some(Cause::Colour));
}

#[test]
fn a_model_that_falls_silent_is_named_predictions() {
    let config = Config { learn_frames: 200, ..CONFIG };
    let mut line = Line { meter: Meter::new(config), random: Random::new(1), frame: 0 };
    let mut drift = None;
    for frame in 0..600 {
        let found = if frame < 300 && line.random.uniform() < 0.5 { 1.0 } else { 0.0 };
        let result = result("sha256:1", if found > 0.0 { 2 } else { 0 });
        drift = line.show_with(Canvas::board(160, 120), |c| c, Some(&result)).filter(|s| s.state == State::Drift);
        if drift.is_some() {
            assert!(frame >= 300, "an alarm while the model spoke as ever");
            println!("found {} frames after it fell silent", frame - 300);
            break;
        }
    }
    assert_eq!(drift.and_then(|s| s.cause), Some(Cause::Predictions));
}

#[test]
fn drift_ends_when_the_cause_does() {
    let mut line = Line::new();
    line.until_drift(|c| c.scaled(0.8));
    let back = (0..60).find_map(|n| line.show(|c| c).map(|status| (n, status)));
    let (frames, status) = back.expect("the light came back and the meter did not notice");
    println!("ok again after {frames} frames");
    assert_eq!((status.state, status.cause), (State::Ok, None));
    assert!((0..200).all(|_| line.show(|c| c).is_none()), "an alarm after recovery");
}

#[test]
fn a_second_cause_is_named_too() {
    let mut line = Line::new();
    line.until_drift(|c| c.scaled(0.9));
    let status = (0..100).find_map(|_| line.show(|_| Canvas::flat(160, 120, 95)));
    assert_eq!(status.map(|s| (s.state, s.cause)), Some((State::Drift, Some(Cause::Scene))));
}

#[test]
fn nothing_changed_and_nothing_said_over_thousands_of_frames() {
    let mut line = Line::new();
    for n in 0..3000 {
        assert_eq!(line.show(|c| c), None, "frame {n}");
    }
    assert_eq!(line.meter.counts().alarms, 0);
}

#[test]
fn a_frozen_camera_is_a_state_of_its_own_and_thaws() {
    let mut line = Line::new();
    let frame = Canvas::board(160, 120).noisy(1.5, &mut Random::new(99));
    let mut show = |canvas: &Canvas| {
        line.frame += 1;
        let stamp = Stamp { frame_id: line.frame, ..Stamp::default() };
        line.meter.observe(&canvas.image(), None, stamp).map(|s| (s, stamp.frame_id))
    };
    let (status, at) = (0..100).find_map(|_| show(&frame)).expect("a frozen camera passes for a calm one");
    assert_eq!((status.state, status.cause), (State::Drift, Some(Cause::Frozen)));
    assert_eq!((status.since_frame, at), (61, 61 + crate::learner::LEAST_FROZEN));
    let mut random = Random::new(5);
    let thawed = (0..10).find_map(|_| show(&Canvas::board(160, 120).noisy(1.5, &mut random)));
    assert_eq!(thawed.map(|(s, _)| s.state), Some(State::Ok));
}

#[test]
fn a_test_card_that_never_moved_is_not_called_frozen() {
    let mut meter = Meter::new(CONFIG);
    let card = Canvas::board(64, 64);
    let changes: Vec<_> = (0..500).filter_map(|i| meter.observe(&card.image(), None, stamp(i))).collect();
    assert_eq!(changes.iter().map(|s| s.state).collect::<Vec<_>>(), [State::Ok]);
}

#[test]
fn black_frames_are_not_learned() {
    let mut meter = Meter::new(CONFIG);
    for i in 0..100 {
        assert_eq!(meter.observe(&Canvas::flat(64, 64, 0).image(), None, stamp(i)), None);
    }
    let progress = meter.progress().unwrap();
    assert_eq!((progress.frames, progress.least, meter.counts().black_not_learned), (0, 60, 100));
    assert_eq!(progress.waits_for, [Waiting::Frames]);
}

#[test]
fn another_size_is_learned_anew_and_said() {
    let mut line = Line::new();
    let status = line.meter.observe(&Canvas::board(64, 64).image(), None, stamp(500)).unwrap();
    assert_eq!((status.state, status.since_frame), (State::Learning, 500));
    assert!(line.meter.take_misfit().unwrap().contains("160x120 gray8"));
    assert_eq!(line.meter.take_misfit(), None);
}

#[test]
fn a_loaded_reference_judges_from_the_first_frame_on() {
    let line = Line::new();
    let text = line.meter.reference().unwrap().to_json();
    // An older version knew no scene, and had profiles instead.
    let mut older: serde_json::Value = serde_json::from_str(&text).unwrap();
    older.as_object_mut().unwrap().remove("scene");
    older["profiles"] = serde_json::json!([[1, 2], [3, 4]]);
    for text in [text, older.to_string()] {
        let mut fresh = Line { meter: Meter::new(CONFIG), random: Random::new(23), frame: 1000 };
        fresh.meter.load(Reference::from_json(&text).unwrap());
        assert_eq!(fresh.show(|c| c).map(|s| s.state), Some(State::Ok));
        assert!((0..100).all(|_| fresh.show(|c| c).is_none()));
        assert_eq!(fresh.until_drift(|c| c.scaled(0.8)).0.cause, Some(Cause::Lighting));
    }
}

#[test]
fn the_frames_of_a_part_are_one_observation() {
    let mut grouper = Grouper::default();
    let part = |id: &str| Arc::new(Part { id: id.into(), views: 2, ..Part::default() });
    let row = |luma| {
        let mut row = UNKNOWN;
        row[LUMA] = luma;
        row
    };
    let lumas = |rows: [Option<Row>; 2]| rows.into_iter().flatten().map(|r| r[LUMA]).collect::<Vec<_>>();
    assert_eq!(lumas(grouper.add(&row(1.0), Some(&part("a")))), [0.0; 0]);
    assert_eq!(lumas(grouper.add(&row(3.0), Some(&part("a")))), [0.0; 0]);
    assert_eq!(lumas(grouper.add(&row(7.0), Some(&part("b")))), [2.0]);
    assert_eq!(lumas(grouper.add(&row(9.0), None)), [7.0, 9.0], "a frame without a part is one of its own");
}

#[test]
fn a_part_that_never_ends_still_gives_observations() {
    let mut grouper = Grouper::default();
    let part = Arc::new(Part::default());
    let given: usize = (0..320).map(|_| grouper.add(&[0.0; COUNT], Some(&part)).iter().flatten().count()).sum();
    assert_eq!(given, 10);
}

#[test]
fn a_report_has_every_feature_and_null_for_what_is_not_known() {
    let line = Line::new();
    let json: serde_json::Value = serde_json::from_str(&line.meter.report(stamp(60)).to_json()).unwrap();
    assert_eq!((json["schema"].as_str(), json["state"].as_str()), (Some(SCHEMA), Some("ok")));
    let features = json["features"].as_array().unwrap();
    assert_eq!(features.len(), COUNT - CLASSES - FIELDS, "of classes and fields there are none");
    let feature = |name: &str| features.iter().find(|f| f["name"] == name).unwrap();
    assert!(feature("luma")["reference"].is_f64() && feature("luma")["threshold"].is_f64());
    assert!(feature("red")["value"].is_null() && feature("ng-share")["sigma"].is_null());
}

fn stamp(frame_id: u64) -> Stamp<'static> {
    Stamp { frame_id, ..Stamp::default() }
}

#[test]
fn windows_begin_when_their_bootstrap_is_done_and_show_in_the_report() {
    let mut meter = Meter::new(Config { learn_frames: 600, ..CONFIG });
    let mut random = Random::new(4);
    let mut show = |meter: &mut Meter, frame| {
        let lamp = 1.0 + 0.003 * random.normal();
        let canvas = Canvas::board(64, 64).scaled(lamp).noisy(1.5, &mut random);
        meter.observe(&canvas.image(), None, stamp(frame))
    };
    (1..600).for_each(|frame| assert_eq!(show(&mut meter, frame), None));
    assert!(show(&mut meter, 600).is_some_and(|s| s.state == State::Ok));
    let slow = meter.take_bootstrap().expect("600 ticks are enough").run(|| false).unwrap();
    let of = Fingerprint::of(meter.reference().unwrap());
    meter.calibrated(
        slow.clone(),
        Fingerprint::of(&Reference { ticks: 1, ..Reference::clone(meter.reference().unwrap()) }),
    );
    assert!(meter.reference().unwrap().slow.is_none(), "of another reference");
    meter.calibrated(slow, of);
    let luma = |meter: &Meter| meter.report(stamp(0)).features[LUMA].clone();
    assert_eq!((luma(&meter).ks, luma(&meter).window_threshold), (None, None));
    let reference = meter.reference().unwrap();
    let window = (reference.slow.as_ref().unwrap().window * reference.tick) as u64;
    (1..=window).for_each(|n| assert_eq!(show(&mut meter, 600 + n), None));
    let report = luma(&meter);
    let known = [report.ks, report.wasserstein, report.jensen_shannon, report.psi];
    assert!(known.iter().all(|v| v.is_some_and(f64::is_finite)), "{report:?}");
    assert!(report.window_score.unwrap() < report.window_threshold.unwrap());
}

/// The result of the model with this digest, which finds this many of one class.
fn result(digest: &str, found: usize) -> Inference {
    let model = ModelId { digest: digest.into(), ..ModelId::default() };
    let short = Detection::new(1, "short".into(), 0.9, [1.0, 1.0, 16.0, 16.0]);
    Inference {
        model: Arc::new(model),
        verdict: if found > 0 { Verdict::Ng } else { Verdict::Ok },
        detections: vec![short; found],
        ..Inference::new("model".into(), Arm::A, &Frame::new(None), [160, 120])
    }
}

fn mean_luma(meter: &Meter) -> f64 {
    meter.reference().unwrap().features["luma"].mean
}

/// A line whose model finds something on every second frame.
fn judged_line() -> Line {
    let mut line = Line { meter: Meter::new(Config { learn_frames: 200, ..CONFIG }), random: Random::new(1), frame: 0 };
    for _ in 0..200 {
        line.judge("sha256:1", 0.5);
    }
    assert_eq!(line.meter.reference().unwrap().model, "sha256:1");
    line
}

impl Line {
    fn judge(&mut self, digest: &str, rate: f64) -> Option<DriftStatus> {
        let found = usize::from(self.random.uniform() < rate) * 2;
        let result = Inference { frame_id: self.frame + 1, ..result(digest, found) };
        self.show_with(Canvas::board(160, 120), |c| c, Some(&result))
    }
}

#[test]
fn another_model_is_learned_anew_and_the_image_goes_on() {
    let mut line = judged_line();
    // It finds something everywhere, which for the first one would be drift.
    for _ in 0..400 {
        assert_eq!(line.judge("sha256:2", 1.0), None);
    }
    let reference = line.meter.reference().unwrap();
    assert_eq!((reference.model.as_str(), reference.features["ng-share"].mean), ("sha256:2", 1.0));
    assert_eq!(reference.names["class-1"], "short");
    let before = mean_luma(&judged_line().meter);
    assert_eq!(mean_luma(&line.meter), before, "the image's normal is the old one");
    assert_eq!(line.meter.relearning(), None);
    let drift = (0..200).find_map(|_| line.judge("sha256:2", 0.2).filter(|s| s.state == State::Drift));
    assert_eq!(drift.and_then(|s| s.cause), Some(Cause::Predictions));
}

#[test]
fn a_lamp_that_dims_while_a_new_model_is_learned_is_found() {
    let mut line = judged_line();
    line.judge("sha256:2", 1.0);
    assert!(line.meter.relearning().is_some());
    let (status, _) = line.until_drift(|c| c.scaled(0.8));
    assert_eq!(status.cause, Some(Cause::Lighting));
}

#[test]
fn a_model_that_brings_its_reference_along_is_held_to_it_at_once() {
    let learned = {
        let mut line =
            Line { meter: Meter::new(Config { learn_frames: 200, ..CONFIG }), random: Random::new(3), frame: 0 };
        (1..200).for_each(|_| assert_eq!(line.judge("sha256:2", 0.9), None));
        line.judge("sha256:2", 0.9);
        line.meter.reference().unwrap().clone()
    };
    let mut line = judged_line();
    line.meter.offer(Some(learned));
    for _ in 0..300 {
        assert_eq!(line.judge("sha256:2", 0.9), None);
        assert_eq!(line.meter.relearning(), None);
    }
    let drift = (0..200).find_map(|_| line.judge("sha256:2", 0.3).filter(|s| s.state == State::Drift));
    assert_eq!(drift.and_then(|s| s.cause), Some(Cause::Predictions));
}

#[test]
fn a_model_that_says_the_same_of_all_is_dead_however_seldom_it_found_something() {
    let mut line = Line { meter: Meter::new(Config { learn_frames: 400, ..CONFIG }), random: Random::new(5), frame: 0 };
    let quiet = (0..3000)
        .filter_map(|_| line.judge("sha256:1", 0.05).filter(|s| matches!(s.state, State::Warning | State::Drift)))
        .count();
    assert_eq!(quiet, 0);
    let dead = (1..=1500).find_map(|n| Some((n, line.judge("sha256:1", 0.0).filter(|s| s.state == State::Drift)?)));
    let (after, status) = dead.expect("the meter never reported it");
    println!("dead for {after} frames");
    assert_eq!(status.cause, Some(Cause::Predictions));
    assert!(status.since_frame.abs_diff(3000) < 100, "{status:?}");
    assert!((0..200).all(|_| line.judge("sha256:1", 0.0).is_none()), "it stays so");
    let over = (0..300).find_map(|_| line.judge("sha256:1", 0.05));
    assert_eq!(over.map(|s| s.state), Some(State::Ok));
}

#[test]
fn a_field_that_leaves_its_normal_is_model_input() {
    let mut line = Line::new();
    line.meter.learn(100);
    let mut random = Random::new(8);
    let mut drift = None;
    for n in 0..300 {
        let speed = 1.2 + 0.02 * random.normal() + if n < 200 { 0.0 } else { 0.4 };
        let fields = Arc::new([("speed".to_string(), serde_json::json!(speed))].into());
        let result = Inference { fields, ..result("sha256:1", 0) };
        drift =
            line.show_with(Canvas::board(160, 120), |c| c, Some(&result)).filter(|s| s.state == State::Drift).or(drift);
        assert!(n >= 200 || drift.is_none(), "{drift:?}");
    }
    assert_eq!(drift.and_then(|s| s.cause), Some(Cause::ModelInput));
    let report = line.meter.report(stamp(0));
    let field = report.features.iter().find(|f| f.name == "field-0").unwrap();
    assert_eq!(field.of.as_deref(), Some("speed"));
    assert!(report.features.iter().all(|f| f.name != "field-1"), "there is none");
    assert_eq!(report.off[0].to_string().split(' ').next(), Some("field-0"));
}

#[test]
fn a_run_length_may_be_a_time() {
    let mut meter = Meter::new(Config { expected_run_time_ns: 3_600_000_000_000, ..CONFIG });
    let mut random = Random::new(4);
    for frame in 0..60 {
        let canvas = Canvas::board(64, 64).noisy(1.5, &mut random);
        meter.observe(&canvas.image(), None, Stamp { pts_ns: Some(frame * 40_000_000), ..stamp(frame) });
    }
    let reference = meter.reference().unwrap();
    let length = meter.config.run_length(reference);
    assert!((88_000..=93_000).contains(&length), "25 frames a second are 90,000 an hour: {length}");
}

#[test]
fn what_is_kept_goes_on_where_it_was() {
    let mut line = judged_line();
    let (status, _) = line.until_drift(|c| c.scaled(0.8));
    assert_eq!(status.state, State::Drift);
    let mut bank = Bank::new(CONFIG, "");
    *bank.meter("").unwrap() = line.meter;
    let kept = Snapshot::from_json(&bank.state().snapshot().to_json()).unwrap();

    let mut again = Bank::new(CONFIG, "");
    again.restore(kept.clone()).unwrap();
    assert_eq!((again.status().state, again.status().cause), (State::Drift, Some(Cause::Lighting)));
    assert_eq!(again.counts().alarms, 1);
    let meter = again.meter("").unwrap();
    let sums = kept.meters[""].sums["luma"].sums;
    let [before, now] = [sums[0].max(sums[1]), meter.report(stamp(0)).features[LUMA].score.unwrap()];
    assert!((before - now).abs() < 1e-9);

    assert!(Bank::new(CONFIG, "sku").restore(kept).unwrap_err().to_string().contains("reference-key"));
    assert!(Snapshot::from_json("{\"schema\":\"x\"}").is_err());
}

#[test]
fn every_key_has_a_reference_of_its_own() {
    let mut bank = Bank::new(CONFIG, "sku");
    let mut random = Random::new(12);
    let mut show = |bank: &mut Bank, sku: &str, light: f64, frame: u64| {
        let canvas = Canvas::board(96, 96).scaled(light * (1.0 + 0.003 * random.normal())).noisy(1.5, &mut random);
        bank.meter(sku)?.observe(&canvas.image(), None, stamp(frame))
    };
    for frame in 0..400 {
        let (sku, light) = if frame % 2 == 0 { ("A", 1.0) } else { ("B", 0.6) };
        let drift = show(&mut bank, sku, light, frame);
        assert!(drift.is_none_or(|s| s.state == State::Ok), "{drift:?}");
    }
    let References::By(set) = bank.references().copied().unwrap() else { panic!("of two SKUs") };
    let luma = |sku: &str| set.references[sku].features["luma"].mean;
    assert!((luma("B") / luma("A") - 0.6).abs() < 0.02);
    let text = References::By(set).to_json();

    let mut again = Bank::new(CONFIG, "sku");
    again.load(References::from_json(&text).unwrap()).unwrap();
    let drift = (0..100).find_map(|n| show(&mut again, "A", 0.6, n).filter(|s| s.state == State::Drift));
    assert_eq!(drift.and_then(|s| s.cause), Some(Cause::Lighting), "A in the light of B");
    assert_eq!(again.status().state, State::Drift);
    assert!((0..100).all(|n| show(&mut again, "B", 0.6, n).is_none_or(|s| s.state == State::Ok)));
    assert_eq!(again.status().state, State::Drift, "the worst of all");

    assert!(
        Bank::new(CONFIG, "")
            .load(References::from_json(&text).unwrap())
            .unwrap_err()
            .to_string()
            .contains("one for each sku")
    );
    let room = (0..MOST_KEYS).filter(|n| again.meter(&format!("C{n}")).is_some()).count();
    assert_eq!(room, MOST_KEYS - 2);
    assert!(again.meter("D").is_none() && again.left_out() == 3);
}

#[test]
fn a_report_comes_back_from_its_json() {
    let mut line = Line::new();
    let (status, _) = line.until_drift(|c| c.scaled(0.8));
    let report = line.meter.report(stamp(1));
    let read: DriftReport = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!((read.state, read.cause, read.calibration), (State::Drift, status.cause, report.calibration));
    let names = |report: &DriftReport| report.off.iter().map(|off| off.name.to_string()).collect::<Vec<_>>();
    assert!(!names(&read).is_empty() && names(&read) == names(&report) && read.features.len() == report.features.len());
}

/// A scene before which something large passes now and then, at the given frames, for 40 frames each.
fn passing(meter: &mut Meter, frames: std::ops::Range<u64>, objects: &[u64], random: &mut Random) -> Vec<(u64, State)> {
    let mut told = Vec::new();
    for frame in frames {
        let mut canvas = Canvas::board(96, 96);
        if let Some(at) = objects.iter().find(|at| (**at..**at + 40).contains(&frame)) {
            let left = 2 * (frame - at) as usize;
            (0..96).for_each(|y| canvas.pixels[96 * y + left..96 * y + (left + 40).min(96)].fill(230.0));
        }
        let status = meter.observe(&canvas.noisy(1.5, random).image(), None, stamp(frame));
        told.extend(status.map(|s| (frame, s.state)));
    }
    told
}

#[test]
fn a_scene_is_learned_until_it_is_represented_and_never_amid_an_event() {
    let every = |n: u64| (0..30).map(|i| 20 + n * i).collect::<Vec<_>>();
    // Objects that pass are part of the scene, and what comes later is no drift.
    for (objects, config) in
        [(every(75), CONFIG), (every(75), Config { learn_frames: 120, scene_frames: 400, ..CONFIG })]
    {
        let (mut meter, mut random) = (Meter::new(config), Random::new(7));
        let told = passing(&mut meter, 0..2_000, &objects, &mut random);
        println!("{told:?} {:?}", meter.progress());
        let ok = told.iter().find(|(_, s)| *s == State::Ok).expect("it never ends learning").0;
        assert!((59.max(u64::from(config.scene_frames).max(1) - 1)..1_000).contains(&ok), "learned until {ok}");
        assert!(!objects.iter().any(|at| (at + 5..at + 35).contains(&ok)), "amid an event: {ok}");
        assert!(!told.iter().any(|(_, s)| *s == State::Drift), "{told:?}");
    }
}

#[test]
fn a_trend_is_not_taken_for_a_scene_until_patience_ends_and_it_is_said() {
    let (mut meter, mut random) = (Meter::new(CONFIG), Random::new(7));
    let mut ok = None;
    for frame in 0..700u64 {
        let canvas = Canvas::board(64, 64).scaled(1.0 - 0.0008 * frame as f64).noisy(1.5, &mut random);
        let status = meter.observe(&canvas.image(), None, stamp(frame));
        ok = ok.or(status.filter(|s| s.state == State::Ok).map(|_| frame));
        if frame == 300 {
            let waits_for = meter.progress().expect("it still learns").waits_for;
            let words: Vec<_> = waits_for.iter().map(ToString::to_string).collect();
            assert!(words.iter().any(|w| w.contains("differ in luma")), "{words:?}");
        }
    }
    assert!(ok.is_some_and(|ok| ok >= 499), "{ok:?}");
    let weak = &meter.reference().unwrap().weak;
    assert!(weak.iter().any(|w| w.contains("halves differ in luma")), "{weak:?}");
}

#[test]
fn a_provisional_reference_warns_and_never_alarms_and_a_restart_goes_on_learning() {
    let mut bank = Bank::new(CONFIG, "");
    *bank.meter("").unwrap() = Line::new().meter;
    let mut kept: serde_json::Value = serde_json::from_str(&bank.state().snapshot().to_json()).unwrap();
    kept["meters"][""]["provisional"] = true.into();
    let mut again = Bank::new(CONFIG, "");
    again.restore(Snapshot::from_json(&kept.to_string()).unwrap()).unwrap();
    let mut line = Line { meter: again.meters.remove("").unwrap(), random: Random::new(5), frame: 0 };
    assert_eq!(line.show(|c| c).map(|s| s.state), Some(State::Provisional));
    assert!(line.meter.progress().is_some_and(|p| p.frames == 1));
    let told: Vec<_> = (0..40).filter_map(|_| line.show(|c| c.scaled(0.7))).map(|s| s.state).collect();
    assert!(told.contains(&State::Warning) && !told.contains(&State::Drift), "{told:?}");
    assert_eq!(line.meter.counts().alarms, 0);
}

#[test]
fn frames_of_a_camera_that_stands_still_are_not_learned() {
    let (mut meter, mut random) = (Meter::new(CONFIG), Random::new(7));
    let mut show = |meter: &mut Meter, frames: std::ops::Range<u64>, still: bool| {
        let frozen = Canvas::board(64, 64).noisy(1.5, &mut Random::new(1));
        frames.for_each(|frame| {
            let live = Canvas::board(64, 64).noisy(1.5, &mut random);
            meter.observe(&if still { frozen.clone() } else { live }.image(), None, stamp(frame));
        });
    };
    show(&mut meter, 0..20, false);
    show(&mut meter, 20..200, true);
    assert_eq!((meter.counts().frozen_not_learned, meter.progress().unwrap().frames), (150, 50));
    show(&mut meter, 200..220, false);
    assert!(meter.reference().is_some_and(|r| r.frames < 80), "{:?}", meter.progress());
}

#[test]
fn a_reference_of_an_older_version_says_so_and_is_held_to_wide_limits() {
    let line = Line::new();
    let mut old: serde_json::Value = serde_json::from_str(&line.meter.reference().unwrap().to_json()).unwrap();
    let top = old.as_object_mut().unwrap();
    ["effective", "weak", "base"].iter().for_each(|name| drop(top.remove(*name)));
    for feature in top["features"].as_object_mut().unwrap().values_mut() {
        ["effective", "steps", "range"].iter().for_each(|name| drop(feature.as_object_mut().unwrap().remove(*name)));
    }
    let mut fresh = Line { meter: Meter::new(CONFIG), random: Random::new(23), frame: 1000 };
    fresh.meter.load(Reference::from_json(&old.to_string()).unwrap());
    let (now, before) = (fresh.meter.reference().unwrap(), line.meter.reference().unwrap());
    assert!(now.weak[0].contains("older version") && now.effective >= 10.0, "{} {:?}", now.effective, now.weak);
    assert!(now.features["luma"].sigma > before.features["luma"].sigma);
    assert_eq!(fresh.until_drift(|c| c.scaled(0.7)).0.cause, Some(Cause::Lighting));
}
