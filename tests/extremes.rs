// SPDX-License-Identifier: MPL-2.0
//! Every property of every element at its extremes: a short pipeline runs to its end or to an error that says what is
//! wrong. Nothing panics, nothing overflows, nothing hangs.

mod common;

use std::{
    sync::{Mutex, OnceLock, mpsc},
    thread,
};

use common::{WATCHDOG, judge::graph, play_until_end, runtime};
use glib::prelude::*;
use gst::prelude::*;

/// Panics of all threads, with their places.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Initialises, keeps note of every panic, and goes where odd file names do no harm.
fn begin() {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| {
        runtime();
        let folder = tempfile::tempdir().unwrap();
        std::env::set_current_dir(folder.path()).unwrap();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.lock().unwrap().push(info.to_string());
            before(info);
        }));
        folder
    });
}

/// A value of a property, in words for the test's messages.
type Odd = (String, glib::Value);

fn numbers<T: ToValue + std::fmt::Debug + Copy>(ends: [T; 2]) -> Vec<Odd> {
    ends.map(|n| (format!("{n:?}"), n.to_value())).into()
}

/// Values at the edge of what a property takes.
fn extremes(pspec: &glib::ParamSpec) -> Vec<Odd> {
    macro_rules! ends {
        ($($kind:ty),*) => {
            $(if let Some(p) = pspec.downcast_ref::<$kind>() {
                return numbers([p.minimum(), p.maximum()]);
            })*
        };
    }
    ends!(
        glib::ParamSpecInt,
        glib::ParamSpecUInt,
        glib::ParamSpecInt64,
        glib::ParamSpecUInt64,
        glib::ParamSpecFloat,
        glib::ParamSpecDouble
    );
    let kind = pspec.value_type();
    if kind == bool::static_type() {
        return numbers([false, true]);
    }
    if kind == String::static_type() {
        let long = "x".repeat(5000);
        let odd =
            ["", " ", ",", "=", "@", "a@b", "nowhere", "%s%n", "-1", "\u{1F6A8}\u{301}", "a=1,b", "{", "\n", &long];
        let mut all: Vec<Odd> = odd.iter().map(|t| (format!("{:.9?}", t), t.to_value())).collect();
        all.push(("none".into(), None::<String>.to_value()));
        return all;
    }
    if kind == gst::Structure::static_type() {
        let odd = gst::Structure::builder("odd").field("", "").field("a b", f64::NAN).field("n", u64::MAX).build();
        return vec![
            ("none".into(), None::<gst::Structure>.to_value()),
            ("empty".into(), gst::Structure::new_empty("empty").to_value()),
            ("odd".into(), odd.to_value()),
        ];
    }
    if let Some(class) = glib::EnumClass::with_type(kind) {
        return class.values().iter().map(|v| (v.nick().to_string(), v.to_value(&class))).collect();
    }
    panic!("{}: this test has no extremes of the type {kind}: add them", pspec.name());
}

/// The properties of an element's own that can be set.
fn properties(factory: &gst::ElementFactory) -> Vec<glib::ParamSpec> {
    let element = factory.create().build().unwrap();
    let own =
        element.list_properties().iter().filter(|p| p.owner_type() == element.type_()).cloned().collect::<Vec<_>>();
    own.into_iter().filter(|p| p.flags().contains(glib::ParamFlags::WRITABLE)).collect()
}

/// The plugin's elements.
fn factories() -> Vec<gst::ElementFactory> {
    begin();
    let registry = gst::Registry::get();
    let plugin = gst::ElementFactory::find("modelinfer").unwrap().plugin().unwrap().plugin_name();
    let features = registry.features_by_plugin(&plugin);
    features.into_iter().filter_map(|f| f.downcast::<gst::ElementFactory>().ok()).collect()
}

/// A short pipeline with one such element, which is named `e`, at work.
fn pipeline(factory: &gst::ElementFactory) -> gst::Pipeline {
    let pads = |direction| factory.static_pad_templates().iter().filter(|t| t.direction() == direction).count();
    let name = factory.name();
    let source = "videotestsrc num-buffers=6 ! video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1";
    let judge = "modelinfer name=m";
    let line = match (pads(gst::PadDirection::Sink), pads(gst::PadDirection::Src)) {
        (0, _) => format!("{name} name=e num-buffers=6 ! video/x-raw,width=96,height=96 ! fakesink"),
        (1, 1) if name == "modelinfer" => format!("{source} ! {name} name=e ! fakesink"),
        (1, 1) => format!("{source} ! {judge} ! {name} name=e ! fakesink"),
        (1, 2) => format!("{source} ! {name} name=e e.src_a ! fakesink async=false e.src_b ! fakesink async=false"),
        (2, 1) => format!(
            "{name} name=e ! fakesink {source} ! abtee name=t t.src_a ! {judge} ! e.sink_a t.src_b ! modelinfer name=n ! e.sink_b"
        ),
        other => panic!("{name}: this test has no pipeline for {other:?} pads: add one"),
    };
    let pipeline = common::launch(&line);
    for judge in ["m", "n", "e"] {
        if let Some(judge) = pipeline.by_name(judge).filter(|e| e.factory().is_some_and(|f| f.name() == "modelinfer")) {
            judge.set_property("model", graph("detector"));
        }
    }
    for sink in pipeline.iterate_sinks().into_iter().flatten() {
        offer_pools(&sink.static_pad("sink").unwrap());
    }
    // A recorder that has nowhere to write does little.
    let e = pipeline.by_name("e").unwrap();
    if e.has_property("location") {
        e.set_property("location", "captures");
    }
    pipeline
}

/// Has a sink answer the allocation query with a pool without a limit and one of 8 buffers.
fn offer_pools(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM | gst::PadProbeType::PUSH, |_, info| match info.query_mut() {
        Some(query) if query.type_() == gst::QueryType::Allocation => {
            if let gst::QueryViewMut::Allocation(q) = query.view_mut() {
                q.add_allocation_pool(None::<&gst::BufferPool>, 64, 2, 0);
                q.add_allocation_pool(None::<&gst::BufferPool>, 64, 2, 8);
            }
            gst::PadProbeReturn::Handled
        }
        _ => gst::PadProbeReturn::Ok,
    });
}

/// Plays it and asks it what an application asks. Returns the error that ended it, if any.
fn run(pipeline: &gst::Pipeline, set_late: impl FnOnce()) -> Option<String> {
    let paused = pipeline.set_state(gst::State::Paused);
    if paused.is_ok() {
        // Whether it arrives or not, the end says.
        let _ = pipeline.state(gst::ClockTime::from_seconds(1));
        set_late();
        pipeline.query(&mut gst::query::Latency::new());
    }
    let e = pipeline.by_name("e").unwrap();
    let (_, error) = play_until_end(pipeline);
    for property in e.list_properties().iter().filter(|p| p.flags().contains(glib::ParamFlags::READABLE)) {
        e.property_value(property.name());
    }
    error
}

/// Tries `set` on a fresh pipeline, before it starts and while it plays.
#[track_caller]
fn try_it(factory: &gst::ElementFactory, what: &str, set: &(dyn Fn(&gst::Element) + Sync)) {
    for late in [false, true] {
        println!("{} {what} late={late}", factory.name());
        let (done, ended) = mpsc::channel();
        thread::scope(|s| {
            s.spawn(|| {
                let pipeline = pipeline(factory);
                let e = pipeline.by_name("e").unwrap();
                if !late {
                    set(&e);
                }
                let error = run(&pipeline, || {
                    if late {
                        set(&e);
                    }
                });
                let _ = done.send(error);
            });
            match ended.recv_timeout(WATCHDOG) {
                Ok(error) => {
                    let panicked = error.as_ref().is_some_and(|e| e.to_lowercase().contains("panicked"));
                    assert!(!panicked, "{} {what} late={late}: {error:?}", factory.name());
                }
                Err(_) => {
                    eprintln!("{} {what} late={late}: it hangs", factory.name());
                    std::process::abort();
                }
            }
        });
        let panics = std::mem::take(&mut *PANICS.lock().unwrap());
        assert!(panics.is_empty(), "{} {what} late={late}: {panics:?}", factory.name());
    }
}

#[test]
fn every_property_at_its_extremes_leads_to_the_end_of_the_stream_or_to_a_clear_error() {
    // To look for a fault in one element.
    let only = std::env::var("ANDON_ONLY").ok();
    let mut tried = 0;
    for factory in factories() {
        if only.as_ref().is_some_and(|o| *o != factory.name()) {
            continue;
        }
        let properties = properties(&factory);
        for property in &properties {
            let name = property.name();
            for (which, (said, _)) in extremes(property).iter().enumerate() {
                try_it(&factory, &format!("{name}={said}"), &|e| {
                    e.set_property_from_value(name, &extremes(property)[which].1)
                });
                tried += 1;
            }
        }
        // All numbers at one end at once: sums and products of two extremes.
        for (end, which) in [("lowest", 0), ("highest", 1)] {
            let is_number = |p: &&glib::ParamSpec| {
                let kind = p.value_type();
                [i32::static_type(), u32::static_type(), i64::static_type(), u64::static_type()].contains(&kind)
            };
            try_it(&factory, &format!("all numbers at their {end}"), &|e| {
                for property in properties.iter().filter(is_number) {
                    e.set_property_from_value(property.name(), &extremes(property)[which].1);
                }
            });
        }
    }
    assert!(only.is_some() || tried > 200, "only {tried} values were tried");
}
