// SPDX-License-Identifier: MPL-2.0
//! Order, flush, stop and failure of frames in work.

use std::{
    sync::{
        Arc, Barrier,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use super::reorder::{Next, Reorder, Spawn};

/// Work that signals when it begins, and ends at a signal.
struct Job(u32, Sender<()>, Receiver<()>);

/// The test's end of a [`Job`].
struct Hand {
    begun: Receiver<()>,
    end: Sender<()>,
}

fn work(job: Job) -> u32 {
    // A test that drops its end makes the work panic.
    let _ = job.1.send(());
    job.2.recv().expect("told to panic");
    job.0
}

fn queue(workers: usize) -> Arc<Reorder<Job, u32>> {
    gst::init().unwrap();
    let queue = Arc::new(Reorder::default());
    queue.start();
    assert_eq!(queue.start_workers(workers, work), Some(workers));
    queue
}

fn put(queue: &Reorder<Job, u32>, n: u32) -> Hand {
    let ((begin, begun), (end, ended)) = (channel(), channel());
    queue.push(Job(n, begin, ended)).unwrap();
    Hand { begun, end }
}

fn end(queue: &Reorder<Job, u32>) {
    queue.stop();
    queue.join();
}

#[test]
fn what_is_ready_first_still_leaves_in_its_turn_with_the_events_between() {
    let queue = queue(3);
    let ends: Vec<_> = (0..2).map(|n| put(&queue, n)).collect();
    assert_eq!(queue.push_event(gst::event::Eos::new()).ok(), Some(true));
    let last = put(&queue, 2);
    for hand in [&last, &ends[1], &ends[0]] {
        hand.begun.recv().unwrap();
        hand.end.send(()).unwrap();
    }
    let mut left = Vec::new();
    for _ in 0..4 {
        left.push(match queue.next().unwrap() {
            Next::Frame(n) => n.to_string(),
            Next::Event(e) => format!("{:?}", e.type_()),
            Next::Lost => "lost".into(),
        });
        queue.pushed(None);
    }
    assert_eq!(left, ["0", "1", "Eos", "2"]);
    assert!(queue.drain());
    assert!(queue.push_event(gst::event::Eos::new()).is_err(), "nothing waits: it may go at once");
    end(&queue);
}

#[test]
fn what_was_flushed_in_work_never_leaves_and_what_comes_after_does() {
    let queue = queue(1);
    let old = put(&queue, 0);
    old.begun.recv().unwrap();
    queue.flush_start();
    assert!(queue.next().is_none() && queue.wait_for_room(9) == Err(gst::FlowError::Flushing));
    queue.flush_stop();
    let new = put(&queue, 1);
    old.end.send(()).unwrap();
    new.end.send(()).unwrap();
    assert!(matches!(queue.next(), Some(Next::Frame(1))));
    end(&queue);
}

#[test]
fn a_wait_for_room_is_ended_by_flush_and_stop_and_by_a_flow_return_of_downstream() {
    type End = fn(&Reorder<Job, u32>);
    let ends: [(End, gst::FlowError); 3] = [
        (|f| f.flush_start(), gst::FlowError::Flushing),
        (|f| f.stop(), gst::FlowError::Flushing),
        (|f| f.pushed(Some(Err(gst::FlowError::Eos))), gst::FlowError::Eos),
    ];
    for (ending, answer) in ends {
        let queue = queue(0);
        let _held = put(&queue, 0);
        let begun = Barrier::new(2);
        thread::scope(|s| {
            let waiting = s.spawn(|| {
                begun.wait();
                queue.wait_for_room(1)
            });
            begun.wait();
            ending(&queue);
            assert_eq!(waiting.join().unwrap(), Err(answer));
        });
        end(&queue);
    }
}

#[test]
fn more_workers_may_come_while_it_runs_and_none_before_it_does() {
    let queue = Arc::new(Reorder::<Job, u32>::default());
    assert_eq!(queue.start_workers(2, work), None);
    queue.start();
    assert_eq!([1, 3, 2].map(|n| queue.start_workers(n, work)), [Some(1), Some(3), Some(2)]);
    assert_eq!(queue.workers(), 3);
    end(&queue);
    queue.start();
    assert_eq!(queue.workers(), 0);
}

#[test]
fn a_frame_whose_worker_panics_is_reported_in_its_turn_and_the_next_is_worked_on() {
    let queue = queue(1);
    drop(put(&queue, 0));
    put(&queue, 1).end.send(()).unwrap();
    assert!(matches!(queue.next(), Some(Next::Lost)));
    queue.pushed(None);
    assert!(matches!(queue.next(), Some(Next::Frame(1))));
    end(&queue);
}

#[test]
fn a_flush_keeps_what_is_sticky_in_its_order_but_for_the_segment_and_the_end() {
    let queue = queue(0);
    let _held = put(&queue, 0);
    let sticky = |name: &str| gst::event::CustomDownstreamSticky::new(gst::Structure::new_empty(name));
    let caps = gst::event::Caps::new(&gst::Caps::new_empty_simple("video/x-raw"));
    let plain = gst::event::CustomDownstream::new(gst::Structure::new_empty("plain"));
    let segment = gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new());
    for event in [sticky("one"), plain, caps, segment, gst::event::Eos::new()] {
        assert_eq!(queue.push_event(event).ok(), Some(true));
    }
    queue.flush_start();
    assert_eq!(queue.push_event(sticky("two")).ok(), Some(false), "it was on its way when the flush began");
    let name = |e: &gst::Event| e.structure().unwrap().name().to_string();
    assert_eq!(queue.flush_stop().iter().map(name).collect::<Vec<_>>(), ["one", "GstEventCaps", "two"]);
    queue.flush_start();
    assert!(queue.flush_stop().is_empty(), "each is kept once");
    end(&queue);
}

#[test]
fn where_the_system_gives_no_thread_it_says_so_and_takes_those_that_it_gives() {
    gst::init().unwrap();
    let refuse: Spawn = |_, _| Err(std::io::ErrorKind::WouldBlock.into());
    let none = Arc::new(Reorder::<Job, u32>::with_spawn(refuse));
    none.start();
    assert_eq!(none.start_workers(4, work), Some(0));
    end(&none);

    let only_two: Spawn = |name, run| match name.as_str() {
        "andon-infer-3" => Err(std::io::ErrorKind::WouldBlock.into()),
        _ => thread::Builder::new().name(name).spawn(run),
    };
    let two = Arc::new(Reorder::with_spawn(only_two));
    two.start();
    assert_eq!(two.start_workers(4, work), Some(2));
    let hands = [put(&two, 0), put(&two, 1)];
    hands.iter().for_each(|hand| hand.begun.recv().expect("both work"));
    drop(hands);
    end(&two);
}
