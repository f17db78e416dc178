// SPDX-License-Identifier: MPL-2.0
//! What waits for arm b, in the order of the stream: frames, the events between them, and the names of what leaked.
//!
//! What stands ahead of a frame holds for that frame, and stays. Only behind the last frame events are thinned out, so
//! that each gap between two frames has at most [`MOST_BEHIND`] items, or two for each kind of sticky event if that is
//! more.

use std::collections::VecDeque;

use uuid::Uuid;

/// Items behind the last frame beyond which they are thinned out, because b has not moved for long.
const MOST_BEHIND: usize = 256;

/// Leaked frames that one announcement names. Beyond them the oldest are left out.
const MOST_NAMED: usize = 4096;

/// An item that goes down arm b, in the order of the stream.
#[derive(Debug)]
pub(super) enum Item {
    /// A frame, its run and its id.
    Buffer(gst::Buffer, Uuid, u64),
    /// A serialized event.
    Event(gst::Event),
    /// The run and the ids of frames that leaked after the item before.
    Dropped(Uuid, Vec<u64>),
    /// A new element is linked, which needs the sticky events of the stream.
    Revive,
}

impl Item {
    /// Returns whether it still holds after a flush: a sticky event, but for the segment and the end of the stream.
    pub(super) fn survives_flush(&self) -> bool {
        match self {
            Item::Event(e) => e.is_sticky() && !matches!(e.type_(), gst::EventType::Segment | gst::EventType::Eos),
            Item::Revive => true,
            Item::Buffer(..) | Item::Dropped(..) => false,
        }
    }
}

/// Returns whether the second of two sticky events takes the place of the first.
pub(super) fn is_same_kind(a: &gst::EventRef, b: &gst::EventRef) -> bool {
    a.type_() == b.type_() && a.structure().map(|s| s.name()) == b.structure().map(|s| s.name())
}

/// The items that wait.
#[derive(Debug)]
pub(super) struct Waiting {
    items: VecDeque<Item>,
    /// How many of them are frames.
    frames: usize,
    /// How many of them are behind the last frame.
    behind: usize,
    /// More of them behind the last frame are thinned out.
    most_behind: usize,
    /// The number of events that were thinned out.
    thinned: u64,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { items: VecDeque::new(), frames: 0, behind: 0, most_behind: MOST_BEHIND, thinned: 0 }
    }
}

impl Waiting {
    /// Returns the number of frames.
    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    /// Returns whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the number of events that were thinned out.
    pub(super) fn thinned(&self) -> u64 {
        self.thinned
    }

    /// Returns whether the next item is the last frame.
    pub(super) fn is_last_frame_next(&self) -> bool {
        self.frames == 1 && matches!(self.items.front(), Some(Item::Buffer(..)))
    }

    /// Returns whether a frame has come in, to stay or to leak.
    pub(super) fn has_newer_frame(&self) -> bool {
        self.items.iter().any(|i| matches!(i, Item::Buffer(..) | Item::Dropped(..)))
    }

    /// Appends an item.
    pub(super) fn push(&mut self, item: Item) {
        if matches!(item, Item::Buffer(..)) {
            self.frames += 1;
            self.behind = 0;
            self.most_behind = MOST_BEHIND;
        } else {
            self.behind += 1;
        }
        self.items.push_back(item);
        if self.behind > self.most_behind {
            self.thin();
        }
    }

    /// Appends that a frame leaked.
    pub(super) fn leak(&mut self, run: Uuid, id: u64) {
        match self.items.back_mut() {
            Some(Item::Dropped(last, ids)) if *last == run => {
                if ids.len() == MOST_NAMED {
                    ids.drain(..MOST_NAMED / 2);
                }
                ids.push(id);
            }
            _ => self.push(Item::Dropped(run, vec![id])),
        }
    }

    /// Takes the next item.
    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.frames -= usize::from(matches!(item, Item::Buffer(..)));
        self.behind = self.behind.min(self.items.len());
        Some(item)
    }

    /// Throws away the frames and what holds for them alone. Returns the number of frames.
    pub(super) fn flush(&mut self) -> usize {
        self.retain(Item::survives_flush)
    }

    /// Throws away the frames, and keeps all events. Returns the number of frames.
    pub(super) fn drop_frames(&mut self) -> usize {
        self.retain(|item| matches!(item, Item::Event(_) | Item::Revive))
    }

    fn retain(&mut self, keep: impl Fn(&Item) -> bool) -> usize {
        self.items.retain(keep);
        self.behind = self.items.len();
        std::mem::take(&mut self.frames)
    }

    /// Keeps, behind the last frame, the last of every kind of sticky event, which is all that arm b needs for the next
    /// frame, and one announcement of all that leaked.
    fn thin(&mut self) {
        let behind = self.items.split_off(self.items.len() - self.behind);
        let mut leaked: Vec<(Uuid, Vec<u64>)> = Vec::new();
        let mut kept: VecDeque<Item> = VecDeque::new();
        let mut events = 0;
        // From the last to the first.
        for item in behind.into_iter().rev() {
            let keep = match &item {
                Item::Buffer(..) => true,
                Item::Revive => !kept.iter().any(|k| matches!(k, Item::Revive)),
                Item::Event(e) => {
                    let is_last = || !kept.iter().any(|k| matches!(k, Item::Event(o) if is_same_kind(e, o)));
                    let keep = e.type_() == gst::EventType::FlushStop || (e.is_sticky() && is_last());
                    events += u64::from(!keep);
                    keep
                }
                Item::Dropped(run, _) => !leaked.iter().any(|(of, _)| of == run),
            };
            match item {
                Item::Dropped(run, ids) => {
                    match leaked.iter_mut().find(|(of, _)| *of == run) {
                        Some((_, all)) => all.extend(ids.into_iter().rev()),
                        None => leaked.push((run, ids.into_iter().rev().collect())),
                    }
                    if keep {
                        kept.push_front(Item::Dropped(run, Vec::new()));
                    }
                }
                item if keep => kept.push_front(item),
                _ => {}
            }
        }
        for item in &mut kept {
            if let Item::Dropped(run, ids) = item
                && let Some((_, all)) = leaked.iter_mut().find(|(of, _)| of == run)
            {
                all.truncate(MOST_NAMED);
                all.reverse();
                *ids = std::mem::take(all);
            }
        }
        self.thinned += events;
        self.behind = kept.len();
        self.most_behind = MOST_BEHIND.max(2 * kept.len());
        self.items.append(&mut kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, k: u32) -> gst::Structure {
        gst::Structure::builder(name).field("k", k).build()
    }

    fn frame(id: u64) -> Item {
        Item::Buffer(gst::Buffer::new(), Uuid::nil(), id)
    }

    /// Frames by id, events by what they say, announcements by how much they name.
    fn shown(waiting: &mut Waiting) -> Vec<String> {
        std::iter::from_fn(|| waiting.pop())
            .map(|item| match item {
                Item::Buffer(_, _, id) => format!("frame {id}"),
                Item::Event(e) => match e.structure() {
                    Some(s) => format!("{} {}", s.name(), s.get::<u32>("k").unwrap()),
                    None => format!("{:?}", e.type_()),
                },
                Item::Dropped(_, ids) => format!("leaked {}..={}", ids[0], ids[ids.len() - 1]),
                Item::Revive => "revive".into(),
            })
            .collect()
    }

    #[test]
    fn events_between_frames_stay_however_many_there_are() {
        gst::init().unwrap();
        let mut waiting = Waiting::default();
        for k in 0..300 {
            waiting.push(Item::Event(gst::event::CustomDownstreamSticky::new(named("sticky", k))));
            waiting.push(Item::Event(gst::event::CustomDownstream::new(named("plain", k))));
            waiting.push(frame(k.into()));
        }
        let expected: Vec<_> =
            (0..300).flat_map(|k| [format!("sticky {k}"), format!("plain {k}"), format!("frame {k}")]).collect();
        assert_eq!(shown(&mut waiting), expected);
        assert_eq!((waiting.thinned(), waiting.frames(), waiting.is_empty()), (0, 0, true));
    }

    #[test]
    fn behind_the_last_frame_the_last_of_every_sticky_event_is_left_and_one_announcement_of_all_that_leaked() {
        gst::init().unwrap();
        let mut waiting = Waiting::default();
        waiting.push(Item::Event(gst::event::CustomDownstreamSticky::new(named("even", 7))));
        waiting.push(frame(0));
        for k in 0..10_000_u32 {
            let name = if k % 2 == 0 { "even" } else { "odd" };
            waiting.push(Item::Event(gst::event::CustomDownstreamSticky::new(named(name, k))));
            waiting.push(Item::Event(gst::event::CustomDownstream::new(named("plain", k))));
            waiting.push(Item::Revive);
            waiting.leak(Uuid::nil(), u64::from(k) + 1);
            assert!(waiting.items.len() <= MOST_BEHIND + 3);
        }
        waiting.thin();
        let leaked = format!("leaked {}..=10000", 10_001 - MOST_NAMED);
        assert_eq!(shown(&mut waiting), ["even 7", "frame 0", "even 9998", "odd 9999", "revive", &leaked]);
        assert!(waiting.thinned() > 19_000);
    }

    #[test]
    fn kinds_of_sticky_events_without_number_do_not_make_every_event_a_search() {
        gst::init().unwrap();
        let mut waiting = Waiting::default();
        let kinds = 2 * MOST_BEHIND as u32;
        for k in 0..20 * kinds {
            let name = format!("kind-{}", k % kinds);
            waiting.push(Item::Event(gst::event::CustomDownstreamSticky::new(named(&name, k))));
        }
        assert!(waiting.items.len() <= 2 * kinds as usize);
        assert!(waiting.most_behind >= kinds as usize);
    }

    #[test]
    fn a_flush_takes_frames_segment_end_and_what_happened_and_leaves_what_sticks() {
        gst::init().unwrap();
        let mut waiting = Waiting::default();
        waiting.push(Item::Event(gst::event::CustomDownstreamSticky::new(named("sticky", 1))));
        waiting.push(Item::Event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())));
        waiting.push(frame(0));
        waiting.leak(Uuid::nil(), 1);
        waiting.push(Item::Event(gst::event::CustomDownstream::new(named("plain", 2))));
        waiting.push(Item::Event(gst::event::CustomDownstreamSticky::new(named("sticky", 3))));
        waiting.push(Item::Event(gst::event::Eos::new()));
        assert_eq!(waiting.flush(), 1);
        assert_eq!((waiting.frames(), waiting.has_newer_frame()), (0, false));
        assert_eq!(shown(&mut waiting), ["sticky 1", "sticky 3"]);
    }
}
