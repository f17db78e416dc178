// SPDX-License-Identifier: MPL-2.0
//! The sink pad at which a source's branch ends: counts what passes, keeps the ends and flushes of a failing branch from what
//! lies behind, and lets the running time go on where a restarted source begins at zero again.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use glib::translate::ToGlibPtr;
use gst::{EventView, PadProbeData, PadProbeReturn, PadProbeType, prelude::*};

/// The message by which a boundary tells that the end of a stream was held there.
pub const ENDED: &str = "andon-branch-ended";
/// The message by which a boundary says that the end of its stream goes on.
pub const PASSED: &str = "andon-branch-passed-its-end";
/// The message by which a boundary tells of the first frame since its source was started again.
pub const AGAIN: &str = "andon-branch-again";

/// A boundary. Clones are the same one.
#[derive(Clone)]
pub struct Boundary {
    /// The sink pad of the keeper.
    pub pad: gst::Pad,
    gate: Arc<Gate>,
}

struct Gate {
    begun: Instant,
    /// Frames that passed.
    frames: AtomicU64,
    /// When the last one came, ns since `begun`.
    last: AtomicU64,
    /// Whether ends and flushes are held.
    holds: AtomicBool,
    /// Whether an end was held since the last restart.
    ended: AtomicBool,
    /// Whether the next frame is the first since a restart.
    fresh: AtomicBool,
    /// Only the streaming thread takes it, so nobody waits for it.
    times: Mutex<Times>,
}

/// The running times of what passed.
#[derive(Default)]
struct Times {
    /// The segment as the branch sent it, in time.
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    /// A segment that waits for the first frame behind it.
    held: Option<gst::Event>,
    /// How much later frames are than the branch says.
    shift: gst::ClockTime,
    /// The end of the latest frame that passed.
    latest: Option<gst::ClockTime>,
}

impl Boundary {
    /// Watches a pad. With `holds`, ends and flushes are held from now on.
    pub fn watch(pad: &gst::Pad, holds: bool) -> Self {
        let gate = Arc::new(Gate {
            begun: Instant::now(),
            frames: AtomicU64::new(0),
            last: AtomicU64::new(0),
            holds: AtomicBool::new(holds),
            ended: AtomicBool::new(false),
            fresh: AtomicBool::new(false),
            times: Mutex::default(),
        });
        let mask = PadProbeType::BUFFER
            | PadProbeType::BUFFER_LIST
            | PadProbeType::EVENT_DOWNSTREAM
            | PadProbeType::EVENT_FLUSH;
        let g = gate.clone();
        pad.add_probe(mask, move |pad, info| match &info.data {
            Some(PadProbeData::Buffer(buffer)) => g.frame(pad, buffer),
            Some(PadProbeData::BufferList(list)) => list.get(0).map_or(PadProbeReturn::Ok, |first| g.frame(pad, first)),
            // What is held is handled, not dropped: the bindings own the event, and the library would free it a second time.
            Some(PadProbeData::Event(event)) => g.event(pad, event),
            _ => PadProbeReturn::Ok,
        });
        Self { pad: pad.clone(), gate }
    }

    /// Returns how many frames passed.
    pub fn frames(&self) -> u64 {
        self.gate.frames.load(Ordering::Relaxed)
    }

    /// Returns how long ago the last frame came; since the pad is watched, if none has come.
    pub fn silent_for(&self) -> Duration {
        self.gate.begun.elapsed().saturating_sub(Duration::from_nanos(self.gate.last.load(Ordering::Relaxed)))
    }

    /// Returns whether the end of its stream was held here.
    pub fn has_ended(&self) -> bool {
        self.gate.ended.load(Ordering::Acquire)
    }

    /// Lets its silence count from now.
    pub fn touch(&self) {
        self.gate.touch();
    }

    /// Lets ends and flushes pass from now on, or holds them again.
    pub fn hold(&self, holds: bool) {
        self.gate.holds.store(holds, Ordering::Release);
    }

    /// Says that the source is started anew: its silence counts from now, and its first frame is told of.
    pub fn begin_anew(&self) {
        self.gate.touch();
        self.gate.ended.store(false, Ordering::Release);
        self.gate.fresh.store(true, Ordering::Release);
    }

    /// Forgets the times of what passed: the whole pipeline begins anew.
    pub fn forget(&self) {
        *self.gate.times.lock().unwrap_or_else(|e| e.into_inner()) = Times::default();
        self.begin_anew();
    }

    /// Ends the stream here, as the source would. Waits for what lies behind.
    pub fn end(&self) {
        self.hold(false);
        self.pad.send_event(gst::event::Eos::new());
    }
}

impl Gate {
    fn touch(&self) {
        let now = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    fn event(&self, pad: &gst::Pad, event: &gst::Event) -> PadProbeReturn {
        let holds = self.holds.load(Ordering::Acquire);
        match event.view() {
            EventView::Eos(_) if holds => {
                if !self.ended.swap(true, Ordering::AcqRel) {
                    tell(pad, ENDED);
                }
                PadProbeReturn::Handled
            }
            EventView::Eos(_) => {
                tell(pad, PASSED);
                PadProbeReturn::Ok
            }
            EventView::FlushStart(_) | EventView::FlushStop(_) if holds => PadProbeReturn::Handled,
            EventView::Segment(s) => {
                let mut times = self.times.lock().unwrap_or_else(|e| e.into_inner());
                times.segment = s.segment().downcast_ref::<gst::ClockTime>().cloned();
                times.shift = gst::ClockTime::ZERO;
                // Whether its time goes on can only be told from the first frame behind it.
                let waits = times.segment.is_some() && self.fresh.load(Ordering::Acquire);
                times.held = waits.then(|| event.clone());
                if waits { PadProbeReturn::Handled } else { PadProbeReturn::Ok }
            }
            _ => PadProbeReturn::Ok,
        }
    }

    fn frame(&self, pad: &gst::Pad, buffer: &gst::BufferRef) -> PadProbeReturn {
        self.touch();
        self.frames.fetch_add(1, Ordering::Relaxed);
        if self.fresh.swap(false, Ordering::AcqRel) {
            tell(pad, AGAIN);
        }
        let mut times = self.times.lock().unwrap_or_else(|e| e.into_inner());
        let at = times.segment.as_ref().and_then(|s| s.to_running_time(buffer.pts()?));
        if let Some(held) = times.held.take() {
            let now = pad.parent_element().and_then(|e| e.current_running_time());
            times.shift = shift(at, times.latest, now);
            let event = times.segment.as_ref().map_or(held.clone(), |s| later(&held, s, times.shift));
            // It goes behind this probe; the lock must not be held across what lies there.
            drop(times);
            self.send_through(pad, event);
            times = self.times.lock().unwrap_or_else(|e| e.into_inner());
        }
        if let Some(at) = at {
            let end = at + times.shift + buffer.duration().unwrap_or_default();
            times.latest = times.latest.max(Some(end));
        }
        PadProbeReturn::Ok
    }

    /// Sends a segment past this probe, which sees it as any other and forgets the shift meanwhile.
    fn send_through(&self, pad: &gst::Pad, event: gst::Event) {
        let before = {
            let times = self.times.lock().unwrap_or_else(|e| e.into_inner());
            (times.segment.clone(), times.shift)
        };
        pad.send_event(event);
        let mut times = self.times.lock().unwrap_or_else(|e| e.into_inner());
        (times.segment, times.shift) = before;
    }
}

/// Returns how much later a restarted branch's frames have to be: nothing if its first one comes after the latest that passed
/// before; else as much as brings it behind that, and not before the present.
fn shift(first: Option<gst::ClockTime>, latest: Option<gst::ClockTime>, now: Option<gst::ClockTime>) -> gst::ClockTime {
    match (first, latest) {
        (Some(first), Some(latest)) if first < latest => latest.max(now.unwrap_or_default()) - first,
        _ => gst::ClockTime::ZERO,
    }
}

/// Returns the segment event with its running time later by `shift`.
fn later(event: &gst::Event, segment: &gst::FormattedSegment<gst::ClockTime>, shift: gst::ClockTime) -> gst::Event {
    let mut segment = segment.clone();
    segment.set_base(segment.base().unwrap_or_default() + shift);
    gst::event::Segment::builder(&segment).seqnum(event.seqnum()).build()
}

fn tell(pad: &gst::Pad, what: &str) {
    if let Some(element) = pad.parent_element() {
        let said = gst::Structure::builder(what).build();
        // Without a bus there is nobody to tell.
        let _ = element.post_message(gst::message::Application::builder(said).src(pad).build());
    }
}

/// Returns whether a thread is inside of what a sink pad does with a frame or an event.
pub fn is_busy(pad: &gst::Pad) -> bool {
    let pad: *mut gst::ffi::GstPad = pad.to_glib_none().0;
    // SAFETY: the pad is alive, and its stream lock is made with it; a lock that was taken is given back.
    unsafe {
        let lock = &raw mut (*pad).stream_rec_lock;
        let free = glib::ffi::g_rec_mutex_trylock(lock) != glib::ffi::GFALSE;
        if free {
            glib::ffi::g_rec_mutex_unlock(lock);
        }
        !free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_time_never_goes_back_and_a_live_one_stays_as_it_is() {
        let s = |seconds: Option<u64>| seconds.map(gst::ClockTime::from_seconds);
        for (first, latest, now, then) in [
            (Some(100), Some(90), Some(100), 0),
            (Some(0), Some(90), Some(100), 100),
            (Some(0), Some(90), Some(50), 90),
            (Some(5), Some(90), None, 85),
            (Some(0), None, Some(100), 0),
            (None, Some(90), Some(100), 0),
        ] {
            let shift = shift(s(first), s(latest), s(now));
            assert_eq!(shift, gst::ClockTime::from_seconds(then), "{first:?} {latest:?} {now:?}");
        }
    }

    #[test]
    fn an_end_is_held_and_a_branch_that_begins_at_zero_again_goes_on_behind_its_last_frame() {
        gst::init().unwrap();
        let keeper = gst::ElementFactory::make("identity").build().unwrap();
        keeper.set_state(gst::State::Playing).unwrap();
        let sink = keeper.static_pad("sink").unwrap();
        let boundary = Boundary::watch(&sink, true);
        // The segment, the running times of frames in s, ends and flushes.
        type Seen = (gst::FormattedSegment<gst::ClockTime>, Vec<u64>, u32);
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let s = seen.clone();
        let mask = PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM | PadProbeType::EVENT_FLUSH;
        keeper.static_pad("src").unwrap().add_probe(mask, move |_, info| {
            let mut seen = s.lock().unwrap();
            match &info.data {
                Some(PadProbeData::Buffer(buffer)) => {
                    let at = seen.0.to_running_time(buffer.pts()).unwrap();
                    seen.1.push(at.seconds());
                }
                Some(PadProbeData::Event(event)) => match event.view() {
                    EventView::Segment(segment) => seen.0 = segment.segment().downcast_ref().cloned().unwrap(),
                    EventView::Eos(_) | EventView::FlushStart(_) | EventView::FlushStop(_) => seen.2 += 1,
                    _ => {}
                },
                _ => {}
            }
            PadProbeReturn::Ok
        });
        let branch = gst::Pad::builder(gst::PadDirection::Src).build();
        branch.link(&sink).unwrap();
        for _ in 0..2 {
            branch.set_active(true).unwrap();
            branch.push_event(gst::event::StreamStart::new("x"));
            branch.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
            for second in 0..2 {
                let mut buffer = gst::Buffer::new();
                buffer.make_mut().set_pts(gst::ClockTime::from_seconds(second));
                buffer.make_mut().set_duration(gst::ClockTime::SECOND);
                // Nothing is behind the keeper.
                let _ = branch.push(buffer);
            }
            branch.push_event(gst::event::FlushStart::new());
            branch.push_event(gst::event::FlushStop::new(true));
            branch.push_event(gst::event::Eos::new());
            assert!(boundary.has_ended());
            branch.set_active(false).unwrap();
            boundary.begin_anew();
        }
        let seen = seen.lock().unwrap();
        assert_eq!(
            (&seen.1[..], seen.2),
            (&[0, 1, 2, 3][..], 0),
            "running times, and ends and flushes that came through"
        );
        assert_eq!(boundary.frames(), 4);
        keeper.set_state(gst::State::Null).unwrap();
    }
}
