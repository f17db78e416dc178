// SPDX-License-Identifier: MPL-2.0
//! The engine's threads: their priority, their names, their end, and that each flushes denormals.
#![cfg(target_os = "linux")]

mod common;

use std::{fs, sync::Arc, thread, time::Instant};

use andon_core::{image::Image, result::Fields};
use andon_inference::{Cancel, Engine, Job, Options};
use common::runtime;
use parking_lot::{Mutex, MutexGuard};

/// The tests of this file run one at a time, because they count the process's threads.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock();
    runtime();
    guard
}

/// Returns the nice value of every thread whose name begins with `name`.
fn nice_of(name: &str) -> Vec<i32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    // A thread may end while it is looked at.
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    let nice = stats.filter_map(|stat| {
        let (head, rest) = stat.rsplit_once(')')?;
        let own = head.split_once('(')?.1;
        // proc_pid_stat(5): nice is the 19th field, the 17th behind the name.
        own.starts_with(name).then(|| rest.split_whitespace().nth(16).unwrap().parse().unwrap())
    });
    nice.collect()
}

fn load(model: &str, threads: usize) -> Engine {
    let path = common::root().join(model);
    Engine::load(path.to_str().unwrap(), &Options { threads, ..Options::default() }).unwrap()
}

/// Gives the calling thread the lowest priority. Without privileges there is no way back.
fn humble() {
    // SAFETY: changes a number in the kernel's account of this thread; 0 stands for the caller.
    assert_eq!(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 15) }, 0);
}

/// Waits until there are so many threads of the engine. Each takes its name when it starts, and one that was joined may
/// stay in /proc for a moment.
#[track_caller]
fn named(count: usize) {
    let until = Instant::now() + common::WATCHDOG;
    while nice_of("andon-ort-").len() != count {
        assert!(Instant::now() < until, "{:?} instead of {count} threads", nice_of("andon-ort-"));
        thread::yield_now();
    }
}

#[test]
fn threads_of_the_engine_have_normal_priority_though_the_loaders_is_low() {
    let _alone = alone();
    let own = nice_of("")[0];
    // As creating the element does.
    andon_inference::pool::start();
    let (engine, heir) = thread::spawn(|| {
        humble();
        // What would happen to a thread that the loader made itself.
        let heir = thread::Builder::new().name("heir".into()).spawn(|| nice_of("heir")).unwrap().join().unwrap();
        (load("models/pcb/2", 3), heir)
    })
    .join()
    .unwrap();
    assert_eq!(heir, [15]);
    named(2);
    assert_eq!(nice_of("andon-ort-"), [own, own], "three threads are the caller and two of the pool");
    drop(engine);
}

#[test]
fn they_end_with_the_model() {
    let _alone = alone();
    // The spawner stays; the engine's own threads are counted, for the test's come and go, too.
    for _ in 0..20 {
        let engine = load("tests/data/detector.onnx", 3);
        named(2);
        drop(engine);
        named(0);
    }
    assert_eq!(nice_of("andon-spawner").len(), 1);
}

#[test]
fn one_thread_is_the_one_that_runs_it() {
    let _alone = alone();
    let _engine = load("tests/data/detector.onnx", 1);
    assert_eq!(nice_of("andon-ort-"), [0; 0]);
}

/// Returns the score of the only box that a graph of benches/models finds on a white frame.
fn score(engine: Engine) -> f32 {
    let engine = Arc::new(engine);
    let mut context = engine.context().unwrap();
    let white = vec![255; 96 * 96];
    let image = Image::gray8(&white, 96, 96).unwrap();
    let thresholds = engine.manifest().thresholds;
    let job = Job { image: &image, region: None, fields: &Fields::new(), templates: &[], thresholds: &thresholds };
    context.infer(&job, &Cancel::new().unwrap()).unwrap().detections[0].score
}

#[test]
fn what_would_be_denormal_is_zero_with_one_thread_and_with_several() {
    let _alone = alone();
    for threads in [1, 2, 4] {
        assert_eq!(score(load("benches/models/denormal.onnx", threads)), 0.5, "half of it is what remained: nothing");
        // The same graph whose numbers stay normal.
        assert!(score(load("benches/models/normal.onnx", threads)) > 0.9);
    }
}

#[test]
fn the_model_of_denormals_has_them() {
    let _alone = alone();
    let environment = andon_inference::runtime::environment().unwrap();
    let graph = common::root().join("benches/models/denormal.onnx");
    let builder = ort::session::Session::builder(environment).unwrap().with_intra_threads(1).unwrap();
    let mut bare = { builder }.commit_from_file(graph).unwrap();
    let white = ort::value::Tensor::from_array(([1_usize, 1, 96, 96], vec![1.0_f32; 96 * 96])).unwrap();
    let outputs = bare.run(ort::inputs![white]).unwrap();
    let (_, numbers) = outputs[0].try_extract_tensor::<f32>().unwrap();
    assert!(numbers[4] > 0.9, "without flushing the score is {}", numbers[4]);
}
