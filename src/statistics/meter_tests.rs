// SPDX-License-Identifier: MPL-2.0
//! The meter on pictures whose change is known.

use super::*;
use crate::statistics::testing::{Canvas, Random};

const CONFIG: Config = Config { learn_frames: 60, expected_run_length: 100_000, subsample: 4 };

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

    fn show(&mut self, change: impl Fn(Canvas) -> Canvas) -> Option<Status> {
        self.show_with(Canvas::board(160, 120), change, None)
    }

    fn show_with(
        &mut self,
        mut board: Canvas,
        change: impl Fn(Canvas) -> Canvas,
        predictions: Option<Predictions>,
    ) -> Option<Status> {
        let spot = (self.random.uniform() * 19_000.0) as usize;
        board.pixels[spot..spot + 8].fill(60.0);
        let lamp = 1.0 + 0.003 * self.random.normal();
        let frame = change(board.scaled(lamp)).noisy(1.5, &mut self.random);
        self.frame += 1;
        self.meter.observe(&frame.image(), predictions, Stamp { frame_id: self.frame, ..Stamp::default() })
    }

    /// Shows changed boards until drift; answers the status, and after how many frames.
    fn until_drift(&mut self, change: impl Fn(Canvas) -> Canvas) -> (Status, u32) {
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
        let planes = [crate::image::Plane { data: &rgb, stride: 64 * 3 }];
        let image =
            Image::new(crate::image::Format::Rgb, 64, 64, &planes, crate::image::Colorimetry::default()).unwrap();
        let status = meter.observe(&image, None, Stamp { frame_id: frame, ..Stamp::default() });
        if let Some(Status { state: State::Drift, cause, .. }) = status {
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
        let predictions = Predictions { top_score: 0.9 * found, detections: 2.0 * found, ng: found };
        drift = line.show_with(Canvas::board(160, 120), |c| c, Some(predictions)).filter(|s| s.state == State::Drift);
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
    let (frames, status) = back.expect("the light came back and nobody noticed");
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
    assert_eq!((status.since_frame, at), (61, 61 + LEAST_FROZEN));
    let mut random = Random::new(5);
    let thawed = (0..10).find_map(|_| show(&Canvas::board(160, 120).noisy(1.5, &mut random)));
    assert_eq!(thawed.map(|(s, _)| s.state), Some(State::Ok));
}

#[test]
fn a_test_card_that_never_moved_is_not_called_frozen() {
    let mut meter = Meter::new(CONFIG);
    let card = Canvas::board(64, 64);
    let said: Vec<_> = (0..500).filter_map(|i| meter.observe(&card.image(), None, stamp(i))).collect();
    assert_eq!(said.iter().map(|s| s.state).collect::<Vec<_>>(), [State::Ok]);
}

#[test]
fn black_frames_are_not_learned() {
    let mut meter = Meter::new(CONFIG);
    for i in 0..100 {
        assert_eq!(meter.observe(&Canvas::flat(64, 64, 0).image(), None, stamp(i)), None);
    }
    assert_eq!((meter.progress(), meter.counts().black_not_learned), (Some((0, 60)), 100));
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
    let reference = Reference::from_json(&line.meter.reference().unwrap().to_json()).unwrap();
    let mut fresh = Line { meter: Meter::new(CONFIG), random: Random::new(23), frame: 1000 };
    fresh.meter.load(reference);
    assert_eq!(fresh.show(|c| c).map(|s| s.state), Some(State::Ok));
    assert!((0..100).all(|_| fresh.show(|c| c).is_none()));
    assert_eq!(fresh.until_drift(|c| c.scaled(0.8)).0.cause, Some(Cause::Lighting));
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
    assert_eq!(features.len(), COUNT);
    let feature = |name: &str| features.iter().find(|f| f["name"] == name).unwrap();
    assert!(feature("luma")["reference"].is_f64() && feature("luma")["threshold"].is_f64());
    assert!(feature("red")["value"].is_null() && feature("ng-share")["sigma"].is_null());
}

fn stamp(frame_id: u64) -> Stamp<'static> {
    Stamp { frame_id, ..Stamp::default() }
}

#[test]
fn windows_begin_when_their_bootstrap_is_done_and_show_in_the_report() {
    let mut meter = Meter::new(Config { learn_frames: 120, ..CONFIG });
    let mut random = Random::new(4);
    let mut show = |meter: &mut Meter, frame| {
        let lamp = 1.0 + 0.003 * random.normal();
        let canvas = Canvas::board(64, 64).scaled(lamp).noisy(1.5, &mut random);
        meter.observe(&canvas.image(), None, stamp(frame))
    };
    let mut frame = 0;
    while meter.reference().is_none_or(|r| r.slow.is_none()) {
        frame += 1;
        show(&mut meter, frame);
        assert!(frame <= 20_000, "the bootstrap never ends");
    }
    let luma = |meter: &Meter| meter.report(stamp(0)).features[LUMA];
    assert_eq!((luma(&meter).ks, luma(&meter).window_threshold), (None, None));
    let window = meter.reference().unwrap().slow.as_ref().unwrap().window as u64;
    (1..=window).for_each(|n| assert_eq!(show(&mut meter, frame + n), None));
    let report = luma(&meter);
    let known = [report.ks, report.wasserstein, report.jensen_shannon, report.psi];
    assert!(known.iter().all(|v| v.is_some_and(f64::is_finite)), "{report:?}");
    assert!(report.window_score.unwrap() < report.window_threshold.unwrap());
}
