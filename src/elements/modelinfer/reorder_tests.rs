// SPDX-License-Identifier: MPL-2.0
//! Order, flush, stop and failure of frames in work.

use std::{
    sync::{
        Arc, Barrier,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use super::reorder::{Flight, Next};

/// Work that tells when it begins, and ends when it is told to.
struct Job(u32, Sender<()>, Receiver<()>);

/// The other side of it.
struct Hand {
    begun: Receiver<()>,
    end: Sender<()>,
}

fn work(job: Job) -> u32 {
    // Who drops the sender makes it fail.
    let _ = job.1.send(());
    job.2.recv().expect("told to panic");
    job.0
}

fn flight(workers: usize) -> Arc<Flight<Job, u32>> {
    gst::init().unwrap();
    let flight = Arc::new(Flight::default());
    flight.start();
    assert!(flight.employ(workers, work));
    flight
}

fn put(flight: &Flight<Job, u32>, n: u32) -> Hand {
    let ((begin, begun), (end, ended)) = (channel(), channel());
    flight.push(Job(n, begin, ended)).unwrap();
    Hand { begun, end }
}

fn end(flight: &Flight<Job, u32>) {
    flight.stop();
    flight.join();
}

#[test]
fn what_is_ready_first_still_leaves_in_its_turn_with_the_events_between() {
    let flight = flight(3);
    let ends: Vec<_> = (0..2).map(|n| put(&flight, n)).collect();
    assert_eq!(flight.push_event(gst::event::Eos::new()).ok(), Some(true));
    let last = put(&flight, 2);
    for hand in [&last, &ends[1], &ends[0]] {
        hand.begun.recv().unwrap();
        hand.end.send(()).unwrap();
    }
    let mut left = Vec::new();
    for _ in 0..4 {
        left.push(match flight.next().unwrap() {
            Next::Frame(n) => n.to_string(),
            Next::Event(e) => format!("{:?}", e.type_()),
            Next::Lost => "lost".into(),
        });
        flight.pushed(None);
    }
    assert_eq!(left, ["0", "1", "Eos", "2"]);
    assert!(flight.drain());
    assert!(flight.push_event(gst::event::Eos::new()).is_err(), "nothing waits: it may go at once");
    end(&flight);
}

#[test]
fn what_was_flushed_in_work_never_leaves_and_what_comes_after_does() {
    let flight = flight(1);
    let old = put(&flight, 0);
    old.begun.recv().unwrap();
    flight.flush_start();
    assert!(flight.next().is_none() && flight.room(9) == Err(gst::FlowError::Flushing));
    flight.flush_stop();
    let new = put(&flight, 1);
    old.end.send(()).unwrap();
    new.end.send(()).unwrap();
    assert!(matches!(flight.next(), Some(Next::Frame(1))));
    end(&flight);
}

#[test]
fn who_waits_for_room_is_sent_away_by_flush_and_stop_and_by_an_answer_from_downstream() {
    type End = fn(&Flight<Job, u32>);
    let ends: [(End, gst::FlowError); 3] = [
        (|f| f.flush_start(), gst::FlowError::Flushing),
        (|f| f.stop(), gst::FlowError::Flushing),
        (|f| f.pushed(Some(Err(gst::FlowError::Eos))), gst::FlowError::Eos),
    ];
    for (ending, answer) in ends {
        let flight = flight(0);
        let _held = put(&flight, 0);
        let begun = Barrier::new(2);
        thread::scope(|s| {
            let waiting = s.spawn(|| {
                begun.wait();
                flight.room(1)
            });
            begun.wait();
            ending(&flight);
            assert_eq!(waiting.join().unwrap(), Err(answer));
        });
        end(&flight);
    }
}

#[test]
fn more_workers_may_come_while_it_runs_and_none_before_it_does() {
    let flight = Arc::new(Flight::<Job, u32>::default());
    assert!(!flight.employ(2, work));
    flight.start();
    assert!(flight.employ(1, work) && flight.employ(3, work) && flight.employ(2, work));
    assert_eq!(flight.workers(), 3);
    end(&flight);
    flight.start();
    assert_eq!(flight.workers(), 0);
}

#[test]
fn a_frame_whose_worker_panics_is_told_in_its_turn_and_the_next_is_worked_on() {
    let flight = flight(1);
    drop(put(&flight, 0));
    put(&flight, 1).end.send(()).unwrap();
    assert!(matches!(flight.next(), Some(Next::Lost)));
    flight.pushed(None);
    assert!(matches!(flight.next(), Some(Next::Frame(1))));
    end(&flight);
}
