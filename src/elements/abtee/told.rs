// SPDX-License-Identifier: MPL-2.0
//! What arm b must know: the sticky events of the stream as far as b's queue has come, also while b is out and its pad
//! takes none.

use gst::{Event, EventType};

use super::waiting::is_same_kind;

/// The sticky events, in the order in which each kind came first.
#[derive(Debug, Default)]
pub(super) struct Told(Vec<Event>);

impl Told {
    /// Takes in an event that comes out of b's queue.
    pub(super) fn note(&mut self, event: &Event) {
        match event.type_() {
            EventType::FlushStop => self.forget(&[EventType::Segment, EventType::Eos, EventType::StreamGroupDone]),
            EventType::StreamStart => self.forget(&[EventType::Eos, EventType::StreamGroupDone, EventType::Tag]),
            _ => {}
        }
        if !event.is_sticky() {
            return;
        }
        match self.0.iter_mut().find(|told| is_same_kind(told, event)) {
            Some(told) => *told = event.clone(),
            None => self.0.push(event.clone()),
        }
    }

    fn forget(&mut self, types: &[EventType]) {
        self.0.retain(|told| !types.contains(&told.type_()));
    }

    /// Returns all of it to be told anew, the end of the stream last. They are copies, because a pad does not push the
    /// very event that it has already pushed.
    pub(super) fn anew(&self) -> Vec<Event> {
        let (ends, others): (Vec<_>, Vec<_>) =
            self.0.iter().map(|e| e.copy()).partition(|e| e.type_() == EventType::Eos);
        others.into_iter().chain(ends).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(name: &str, k: u32) -> Event {
        gst::event::CustomDownstreamSticky::new(gst::Structure::builder(name).field("k", k).build())
    }

    fn types(told: &Told) -> Vec<EventType> {
        told.anew().iter().map(|e| e.type_()).collect()
    }

    #[test]
    fn the_last_of_each_kind_is_told_and_the_end_comes_last() {
        gst::init().unwrap();
        let mut told = Told::default();
        let caps = |width: i32| gst::event::Caps::new(&gst::Caps::builder("video/x-raw").field("width", width).build());
        for event in [
            gst::event::StreamStart::new("s"),
            custom("one", 1),
            caps(8),
            gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()),
            gst::event::CustomDownstream::new(gst::Structure::new_empty("plain")),
            gst::event::Eos::new(),
            custom("other", 2),
            caps(16),
            custom("one", 3),
        ] {
            told.note(&event);
        }
        use EventType::*;
        let expected = [StreamStart, CustomDownstreamSticky, Caps, Segment, CustomDownstreamSticky, Eos];
        assert_eq!(types(&told), expected);
        let anew = told.anew();
        assert_eq!(anew[1].structure().unwrap().get::<u32>("k"), Ok(3));
        assert_ne!(anew[2].as_ptr(), told.0[2].as_ptr(), "a pad takes it for a new one");
        told.note(&gst::event::FlushStop::new(true));
        assert_eq!(types(&told), [StreamStart, CustomDownstreamSticky, Caps, CustomDownstreamSticky]);
    }
}
