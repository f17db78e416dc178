// SPDX-License-Identifier: MPL-2.0
//! Execution contexts and batches of one engine: a frame gets the same result with others as alone.

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use andon_core::{
    image::{Image, Plane},
    result::{Fields, Status, Verdict},
};
use andon_inference::{Batcher, Cancel, Decoded, Engine, Error, ExecutionContext, Job, Options};
use andon_model::Thresholds;
use common::{root, runtime};

/// A timeout that only a failing test reaches.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// A timeout within which all frames come, even on a busy machine.
const A_WHILE: Duration = Duration::from_millis(50);

/// A folder with the graph and a manifest.
struct Bundle(tempfile::TempDir);

impl Bundle {
    fn new(graph: &str, manifest: serde_json::Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(graph_path(graph), folder.path().join("model.onnx")).unwrap();
        let mut whole = serde_json::json!({"schema": "andon.model/1", "name": graph, "version": "1"});
        whole.as_object_mut().unwrap().extend(manifest.as_object().unwrap().clone());
        std::fs::write(folder.path().join("model.json"), whole.to_string()).unwrap();
        Self(folder)
    }

    #[track_caller]
    fn load(&self) -> Arc<Engine> {
        let manifest = std::fs::read(self.0.path().join("model.json")).unwrap();
        common::schema::assert_valid(&serde_json::from_slice(&manifest).unwrap());
        load(&self.0.path().display().to_string())
    }
}

#[track_caller]
fn load(model: &str) -> Arc<Engine> {
    runtime();
    Arc::new(Engine::load(model, &Options { threads: 1, ..Options::default() }).unwrap())
}

fn graph_path(name: &str) -> std::path::PathBuf {
    root().join(format!("tests/data/{name}.onnx"))
}

fn graph(name: &str) -> String {
    graph_path(name).display().to_string()
}

/// A grey square of one level.
struct Square(Vec<u8>, usize);

impl Square {
    fn new(level: u8, side: usize) -> Self {
        Self(vec![level; side * side], side)
    }

    fn judge(&self, context: &mut ExecutionContext, fields: &Fields, cancel: &Cancel) -> Result<Decoded, Error> {
        let image = Image::gray8(&self.0, self.1, self.1).unwrap();
        judge(context, &image, fields, cancel)
    }
}

fn judge(
    context: &mut ExecutionContext,
    image: &Image<'_>,
    fields: &Fields,
    cancel: &Cancel,
) -> Result<Decoded, Error> {
    let thresholds = Thresholds::default();
    context.infer(&Job { image, region: None, fields, templates: &[], thresholds: &thresholds }, cancel)
}

fn level(source: usize, frame: usize) -> u8 {
    ((source * 61 + frame * 17) % 256) as u8
}

/// The results of a source's frames, each run alone.
fn alone(engine: &Arc<Engine>, source: usize, frames: usize) -> Vec<Decoded> {
    let (mut context, cancel) = (engine.context().unwrap(), Cancel::new().unwrap());
    let say = |frame| Square::new(level(source, frame), 32).judge(&mut context, &Fields::new(), &cancel).unwrap();
    (0..frames).map(say).collect()
}

/// The results of several sources' frames. Each source has a thread and a context. From the second frame on all sources
/// are there.
fn together(contexts: Vec<ExecutionContext>, frames: impl Fn(usize) -> usize + Sync) -> Vec<Vec<Decoded>> {
    let all_came = Barrier::new(contexts.len());
    thread::scope(|s| {
        let (frames, all_came) = (&frames, &all_came);
        let work = |(source, mut context): (usize, ExecutionContext)| {
            s.spawn(move || {
                let cancel = Cancel::new().unwrap();
                let say = |f| {
                    let decoded =
                        Square::new(level(source, f), 32).judge(&mut context, &Fields::new(), &cancel).unwrap();
                    if f == 0 {
                        all_came.wait();
                    }
                    decoded
                };
                (0..frames(source)).map(say).collect()
            })
        };
        let threads: Vec<_> = contexts.into_iter().enumerate().map(work).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

fn contexts(batcher: &Batcher, n: usize) -> Vec<ExecutionContext> {
    (0..n).map(|_| batcher.context().unwrap()).collect()
}

#[test]
fn contexts_that_run_at_the_same_time_say_what_each_says_alone() {
    for model in ["detector", "batch", "batch-f16"] {
        let engine = load(&graph(model));
        let several = together((0..4).map(|_| engine.context().unwrap()).collect(), |_| 60);
        for (source, results) in several.iter().enumerate() {
            assert_eq!(*results, alone(&engine, source, 60), "{model}, source {source}");
        }
    }
}

#[test]
fn a_batch_says_of_each_frame_what_the_frame_alone_says() {
    for model in ["batch", "batch-f16"] {
        let engine = load(&graph(model));
        let batcher = Batcher::new(&engine, 4, A_WHILE).unwrap();
        let several = together(contexts(&batcher, 4), |_| 100);
        for (source, results) in several.iter().enumerate() {
            assert_eq!(*results, alone(&engine, source, 100), "{model}, source {source}");
        }
        let (frames, runs) = batcher.counts();
        assert!(frames == 400 && runs < 200, "{model}: {frames} frames in {runs} runs");
    }
}

#[test]
fn a_source_that_ends_early_keeps_nobody_waiting() {
    let engine = load(&graph("batch"));
    let batcher = Batcher::new(&engine, 3, A_WHILE).unwrap();
    let mut contexts = contexts(&batcher, 3).into_iter();
    let (mut short, cancel) = (contexts.next().unwrap(), Cancel::new().unwrap());
    Square::new(0, 32).judge(&mut short, &Fields::new(), &cancel).unwrap();
    drop(short);
    batcher.set_timeout(FOR_EVER);
    let mut last = contexts.next().unwrap();
    assert_eq!(Square::new(255, 32).judge(&mut last, &Fields::new(), &cancel).unwrap().verdict, Verdict::Ng);
    // The same holds for a source that ends while the others go on.
    batcher.set_timeout(A_WHILE);
    let several = together(contexts.chain([last]).collect(), |source| if source == 1 { 3 } else { 50 });
    assert_eq!(several[0], alone(&engine, 0, 50));
}

#[test]
fn a_source_that_pauses_keeps_nobody_waiting_once_it_said_so() {
    let engine = load(&graph("batch"));
    let batcher = Batcher::new(&engine, 2, FOR_EVER).unwrap();
    let [mut a, mut b] = <[ExecutionContext; 2]>::try_from(contexts(&batcher, 2)).ok().unwrap();
    let (cancel, none) = (Cancel::new().unwrap(), Fields::new());
    // No other frame has come yet, so the first frame runs alone.
    Square::new(0, 32).judge(&mut a, &none, &cancel).unwrap();
    a.leave();
    let decoded = Square::new(255, 32).judge(&mut b, &none, &cancel).unwrap();
    assert_eq!(decoded.verdict, Verdict::Ng);
}

#[test]
fn a_slow_source_costs_the_others_no_more_than_the_timeout() {
    let engine = load(&graph("batch"));
    let batcher = Batcher::new(&engine, 2, Duration::from_millis(1)).unwrap();
    let [mut quick, mut slow] = <[ExecutionContext; 2]>::try_from(contexts(&batcher, 2)).ok().unwrap();
    let (cancel, none) = (Cancel::new().unwrap(), Fields::new());
    Square::new(0, 32).judge(&mut slow, &none, &cancel).unwrap();
    for frame in 0..20 {
        let square = Square::new(level(0, frame), 32);
        assert_eq!(square.judge(&mut quick, &none, &cancel).unwrap().status, Status::Ok);
    }
    assert_eq!(Square::new(255, 32).judge(&mut slow, &none, &cancel).unwrap().verdict, Verdict::Ng);
}

#[test]
fn a_flush_ends_the_wait_for_others() {
    let engine = load(&graph("batch"));
    let batcher = Batcher::new(&engine, 2, FOR_EVER).unwrap();
    let [mut a, mut b] = <[ExecutionContext; 2]>::try_from(contexts(&batcher, 2)).ok().unwrap();
    let (cancel, none) = (Cancel::new().unwrap(), Fields::new());
    Square::new(0, 32).judge(&mut b, &none, &cancel).unwrap();
    thread::scope(|s| {
        let (cancel, none) = (&cancel, &none);
        let waits = s.spawn(move || Square::new(0, 32).judge(&mut a, none, cancel));
        while batcher.waiting() == 0 {
            thread::yield_now();
        }
        cancel.terminate();
        assert!(matches!(waits.join().unwrap(), Err(Error::Cancelled)));
    });
    cancel.reset();
    // The other context is dropped, so no frame of it is expected.
    assert_eq!(Square::new(0, 32).judge(&mut b, &none, &cancel).unwrap().status, Status::Ok);
}

#[test]
fn a_flush_of_the_one_that_runs_a_batch_leaves_the_other_frames_judged() {
    let engine = load(&graph("batch-endless"));
    let batcher = Batcher::new(&engine, 2, FOR_EVER).unwrap();
    let [mut dark, mut bright] = <[ExecutionContext; 2]>::try_from(contexts(&batcher, 2)).ok().unwrap();
    let (mine, other, none) = (Cancel::new().unwrap(), Cancel::new().unwrap(), Fields::new());
    Square::new(0, 32).judge(&mut bright, &none, &other).unwrap();
    thread::scope(|s| {
        let (mine, other, none) = (&mine, &other, &none);
        let waits = s.spawn(move || Square::new(10, 32).judge(&mut dark, none, mine));
        while batcher.waiting() == 0 {
            thread::yield_now();
        }
        // The last frame to come runs the batch, which never ends because of that frame.
        let runs = s.spawn(move || Square::new(255, 32).judge(&mut bright, none, other));
        while batcher.waiting() < 2 {
            thread::yield_now();
        }
        other.terminate();
        assert!(matches!(runs.join().unwrap(), Err(Error::Cancelled)));
        assert_eq!(waits.join().unwrap().unwrap().status, Status::Ok);
    });
}

#[test]
fn a_frame_that_breaks_its_batch_is_the_only_one_unjudged() {
    let engine = load(&graph("batch-fails"));
    let batcher = Batcher::new(&engine, 3, FOR_EVER).unwrap();
    let results: Vec<_> = thread::scope(|s| {
        let work = |(source, mut context): (usize, ExecutionContext)| {
            let square = Square::new(if source == 1 { 255 } else { 100 }, 32);
            s.spawn(move || square.judge(&mut context, &Fields::new(), &Cancel::new().unwrap()))
        };
        let threads: Vec<_> = contexts(&batcher, 3).into_iter().enumerate().map(work).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(matches!(&results[1], Err(Error::Run(_))), "{:?}", results[1]);
    for good in [&results[0], &results[2]] {
        assert_eq!(good.as_ref().unwrap().status, Status::Ok);
    }
}

#[test]
fn a_frame_that_cannot_be_read_gives_its_slot_up() {
    let engine = load(&graph("batch"));
    let batcher = Batcher::new(&engine, 2, FOR_EVER).unwrap();
    let [mut a, mut b] = <[ExecutionContext; 2]>::try_from(contexts(&batcher, 2)).ok().unwrap();
    let (cancel, none) = (Cancel::new().unwrap(), Fields::new());
    let pixels = [0; 32 * 32];
    let mut image = Image::gray8(&pixels, 32, 32).unwrap();
    image.planes[0] = Plane { data: &pixels[..40], stride: 32 };
    Square::new(0, 32).judge(&mut b, &none, &cancel).unwrap();
    assert!(matches!(judge(&mut a, &image, &none, &cancel), Err(Error::Run(_))));
    drop(a);
    assert_eq!(Square::new(255, 32).judge(&mut b, &none, &cancel).unwrap().verdict, Verdict::Ng);
}

fn with_speed(source: &str) -> Bundle {
    Bundle::new(
        source,
        serde_json::json!({
            "task": "detection", "verdict": {"rule": "any-detection"},
            "inputs": [
                {"name": "images", "source": "image", "colour": "grey", "size": [32, 32]},
                {"name": "speed", "source": "field:speed", "shape": [1, 1], "required": true},
            ],
            "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["dark", "bright"]}]
        }),
    )
}

#[test]
fn each_frame_of_a_batch_has_its_own_fields_and_one_without_keeps_nobody_waiting() {
    let engine = with_speed("batch-field").load();
    let batcher = Batcher::new(&engine, 3, FOR_EVER).unwrap();
    let scores: Vec<_> = thread::scope(|s| {
        let work = |(source, mut context): (usize, ExecutionContext)| {
            s.spawn(move || {
                let cancel = Cancel::new().unwrap();
                let told = Fields::from_iter([("speed".to_string(), serde_json::json!(source as f64 / 8.0))]);
                let say = |frame: usize| {
                    let fields = if source == 1 && frame % 2 == 1 { Fields::new() } else { told.clone() };
                    let decoded = Square::new(51, 32).judge(&mut context, &fields, &cancel).unwrap();
                    (decoded.status, (decoded.score * 1000.0).round() as i32)
                };
                (0..30).map(say).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = contexts(&batcher, 3).into_iter().enumerate().map(work).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    for (source, said) in scores.iter().enumerate() {
        for (frame, said) in said.iter().enumerate() {
            let missing = source == 1 && frame % 2 == 1;
            let expected = if missing { (Status::MissingField, 0) } else { (Status::Ok, 200 + source as i32 * 125) };
            assert_eq!(*said, expected, "source {source}, frame {frame}");
        }
    }
}

#[test]
fn what_cannot_be_gathered_says_why() {
    let fixed = load(&graph("detector"));
    assert_eq!(fixed.most_in_batch(), 1);
    let error = Batcher::new(&fixed, 2, FOR_EVER).err().unwrap().to_string();
    assert!(error.contains("batch-size=1") && error.contains("detector.onnx"), "{error}");
    let unsized_engine = any_size().load();
    let error = Batcher::new(&unsized_engine, 2, FOR_EVER).err().unwrap().to_string();
    assert!(error.contains("inputs[].size"), "{error}");
}

fn any_size() -> Bundle {
    Bundle::new(
        "any-size",
        serde_json::json!({
            "task": "embedding", "verdict": {"rule": "none"},
            "inputs": [{"name": "images", "source": "image", "colour": "grey"}],
            "outputs": [{"name": "vector", "decoder": "embedding"}]
        }),
    )
}

#[test]
fn a_graph_without_a_size_follows_the_frame_rounded_up() {
    let engine = any_size().load();
    let (mut context, cancel, none) = (engine.context().unwrap(), Cancel::new().unwrap(), Fields::new());
    for (width, height, expected) in [(64, 32, [32.0, 64.0]), (50, 33, [64.0, 64.0]), (200, 1, [32.0, 224.0])] {
        let pixels = vec![9; width * height];
        let image = Image::gray8(&pixels, width, height).unwrap();
        let decoded = judge(&mut context, &image, &none, &cancel).unwrap();
        assert_eq!(decoded.embedding.unwrap()[3..], expected, "{width}x{height}");
    }
}

#[test]
fn boxes_in_pixels_of_what_the_graph_is_told_lie_right_in_the_frame() {
    // The graph's box is the middle half of what it takes for width and height.
    for (order, expected) in [("wh", [25.0, 25.0, 50.0, 50.0]), ("hw", [12.5, 50.0, 25.0, 50.0])] {
        let bundle = Bundle::new(
            "told-size",
            serde_json::json!({
                "task": "detection", "verdict": {"rule": "any-detection"},
                "inputs": [
                    {"name": "images", "source": "image", "colour": "grey", "size": [64, 32], "resize": "stretch"},
                    {"name": "size", "source": "frame-size", "type": "i64", "order": order},
                ],
                "outputs": [
                    {"name": "boxes", "decoder": "ssd", "role": "boxes", "labels": ["thing"], "boxes": "corners"},
                    {"name": "scores", "decoder": "ssd", "role": "scores"},
                    {"name": "labels", "decoder": "ssd", "role": "labels"},
                ]
            }),
        );
        let (mut context, cancel) = (bundle.load().context().unwrap(), Cancel::new().unwrap());
        let decoded = Square::new(255, 100).judge(&mut context, &Fields::new(), &cancel).unwrap();
        assert_eq!(decoded.detections.len(), 1, "{decoded:?}");
        assert_eq!(decoded.detections[0].bbox, expected, "{order}");
    }
}

#[test]
fn a_picture_without_a_batch_axis_goes_in_pixel_for_pixel() {
    runtime();
    let options = Options { labels: vec!["thing".into()], ..Options::default() };
    let engine = Arc::new(Engine::load(&graph("unbatched"), &options).unwrap());
    assert_eq!((engine.most_in_batch(), engine.assumptions()), (1, &[][..]));
    let (mut context, cancel, none) = (engine.context().unwrap(), Cancel::new().unwrap(), Fields::new());
    for (width, height) in [(50, 37), (33, 64)] {
        let pixels = vec![255; width * height];
        let image = Image::gray8(&pixels, width, height).unwrap();
        let decoded = judge(&mut context, &image, &none, &cancel).unwrap();
        let found: Vec<_> = decoded.detections.iter().map(|d| (&*d.label, d.bbox)).collect();
        assert_eq!(found, [("thing", [8.0, 8.0, 8.0, 16.0])], "{width}x{height}");
        assert!((decoded.detections[0].score - 1.0).abs() < 1e-6);
    }
}

#[test]
fn what_is_cut_out_must_not_be_larger_than_what_it_is_cut_from() {
    let refused = |input: serde_json::Value| {
        let mut bundle = serde_json::json!({"name": "images", "source": "image", "colour": "grey", "resize": "crop"});
        bundle.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        let outputs = serde_json::json!([{"name": "vector", "decoder": "embedding"}]);
        let manifest = serde_json::json!({
            "task": "embedding", "verdict": {"rule": "none"}, "inputs": [bundle], "outputs": outputs
        });
        runtime();
        let bundle = Bundle::new("any-size", manifest);
        Engine::load(&bundle.0.path().display().to_string(), &Options::default()).err().map(|e| e.to_string())
    };
    let error = refused(serde_json::json!({"shorter_side": 64})).unwrap();
    assert!(error.contains("give its size in model.json, or leave shorter_side out"), "{error}");
    let error = refused(serde_json::json!({"shorter_side": 64, "size": [96, 32]})).unwrap();
    assert!(error.contains("shorter_side: is 64, must be within 96.."), "{error}");
    assert_eq!(refused(serde_json::json!({"shorter_side": 96, "size": [96, 32]})), None);
}

#[test]
fn numbers_of_every_type_go_in_and_come_out() {
    let kinds = ["f32", "f16", "f64", "i64", "i32", "u8", "i8", "bool"];
    let field = |k: &&str| serde_json::json!({"name": format!("in_{k}"), "source": format!("field:{k}"), "type": k, "required": true});
    let mut inputs = vec![serde_json::json!({"name": "image", "source": "image", "colour": "grey", "size": [8, 8]})];
    inputs.extend(kinds.iter().map(field));
    let fields = Fields::from_iter(kinds.iter().enumerate().map(|(i, k)| {
        let value = if *k == "bool" { serde_json::json!(true) } else { serde_json::json!(i + 1) };
        (k.to_string(), value)
    }));
    for out in kinds {
        let bundle = Bundle::new(
            "types",
            serde_json::json!({
                "task": "embedding", "verdict": {"rule": "none"}, "inputs": inputs,
                "outputs": [{"name": format!("out_{out}"), "decoder": "embedding"}]
            }),
        );
        let (mut context, cancel) = (bundle.load().context().unwrap(), Cancel::new().unwrap());
        let decoded = Square::new(0, 8).judge(&mut context, &fields, &cancel).unwrap();
        // The sum of 1 to 7 and of one for true.
        let expected = if out == "bool" { 1.0 } else { 29.0 };
        assert_eq!(decoded.embedding.as_deref(), Some(&[expected][..]), "{out}: {decoded:?}");
    }
}

#[test]
fn weights_in_a_file_of_their_own_are_found_beside_the_graph() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.onnx");
    std::fs::copy(graph_path("external"), &model).unwrap();
    std::fs::write(folder.path().join("weights.bin"), [0; 48]).unwrap();
    let (mut context, cancel) = (load(&model.display().to_string()).context().unwrap(), Cancel::new().unwrap());
    let decoded = Square::new(255, 32).judge(&mut context, &Fields::new(), &cancel).unwrap();
    assert_eq!(decoded.status, Status::Ok);
}

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: passes everything to the system's allocator, and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller promises it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller promises it.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_frame_without_detections_allocates_nothing() {
    let gathered = |model| {
        let batcher = Batcher::new(&load(&graph(model)), 1, FOR_EVER).unwrap();
        batcher.context().unwrap()
    };
    let contexts =
        [load(&graph("detector")).context().unwrap(), load(&graph("batch")).context().unwrap(), gathered("batch")];
    let (cancel, none) = (Cancel::new().unwrap(), Fields::new());
    for (i, mut context) in contexts.into_iter().enumerate() {
        let frames = [10, 20, 30, 40].map(|level| Square::new(level, 50));
        let mut round = || {
            let begun = ALLOCATIONS.get();
            frames.iter().for_each(|f| drop(f.judge(&mut context, &none, &cancel).unwrap()));
            ALLOCATIONS.get() - begun
        };
        round();
        assert_eq!(round(), 0, "context {i}");
    }
}
