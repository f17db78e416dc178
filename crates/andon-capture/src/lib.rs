// SPDX-License-Identifier: MPL-2.0
//! Keeping frames: a ring of recent ones, what is to be kept, an encoder, sidecars, a writer thread.
//!
//! [`Sampler`] decides, on the thread that the frames pass; it touches no disk. What it decides on goes through a
//! bounded [`Queue`] to the thread of a [`Writer`], which encodes and writes through a [`Disk`]. The pixels stay
//! behind the trait [`HeldFrame`], so that nothing in here knows where they come from.
//!
//! What readers of a folder may rely on, also after a `kill -9` or a power cut at any moment:
//!
//! * every file whose name does not start with a dot is whole;
//! * every image has its sidecar. (A sidecar without an image is a capture that was interrupted: start from images.)

mod budget;
mod conditions;
mod disk;
pub mod encode;
mod maps;
mod plan;
mod privacy_mask;
mod queue;
mod quota;
mod ring;
mod sampler;
mod sidecar;
mod similarity;
mod trigger;
mod writer;

pub use budget::Budgets;
pub use conditions::{FieldCondition, ScoreBand, drawn, unjudged};
pub use disk::{Disk, LocalDisk, replace_file};
pub use encode::{Encoder, Encoding};
pub use maps::{MapImage, MapKind};
pub use privacy_mask::PrivacyMask;
pub use queue::{Amendment, Change, Job, Queue};
pub use quota::Quota;
pub use ring::Ring;
pub use sampler::{Hits, MOST_REQUESTS, Policy, Request, Sampler, SamplerCounts, disagree};
pub use sidecar::{CAPTURE_SCHEMA, Sidecar};
pub use trigger::{Role, Tag, Trigger};
pub use writer::{Failure, Writer, WriterCounters, WriterEvent};

use std::sync::Arc;

use andon_core::{
    image::Image,
    result::{Fields, Frame, Inference},
};
use uuid::Uuid;

/// How many of the captures made last can still be amended by results that come late.
pub const RECENT: usize = 256;

/// Why a capture was not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pixels could not be read.
    #[error("the frame cannot be read: {0}")]
    Unreadable(String),
    /// The image could not be made.
    #[error("the frame cannot be encoded: {0}")]
    Encode(String),
    /// The disk has less free than it is to keep free.
    #[error(
        "{folder}: {free} bytes are free, and min-free is {least}: free some space, or set location to another disk"
    )]
    NoRoom {
        /// Where to.
        folder: String,
        /// Bytes free.
        free: u64,
        /// Bytes that are to stay free.
        least: u64,
    },
    /// The disk refused.
    #[error("{path}: {source}: {}", advice(.source))]
    Disk {
        /// What was being written.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

fn advice(e: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::*;
    match e.kind() {
        StorageFull | QuotaExceeded => "free some space, or set location to another disk",
        ReadOnlyFilesystem | PermissionDenied => "make the folder writable for this user, or set another location",
        NotFound => "bring the folder back, or set location to one that exists",
        NotADirectory | AlreadyExists => "location must be a folder, and so must everything above it",
        _ => "captures resume by themselves once the folder can be written",
    }
}

/// The name that a frame goes by: its run, and its id within it.
pub type FrameKey = (Uuid, u64);

/// A frame that somebody holds on to; read on the writer's thread only.
pub trait HeldFrame: Clone + Send + 'static {
    /// Shows the pixels to `look`.
    ///
    /// # Errors
    /// Says why the pixels cannot be had.
    fn read(&self, look: &mut dyn FnMut(&Image<'_>)) -> Result<(), String>;

    /// What was said of the frame as it went by, at most once an arm.
    fn results(&self) -> Vec<Arc<Inference>>;
}

/// A frame and what is known of it.
#[derive(Clone, Debug)]
pub struct StreamFrame<H> {
    /// Its identity.
    pub frame: Frame,
    /// Presentation time, ns.
    pub pts_ns: Option<u64>,
    /// The stream's caps when it passed.
    pub caps: Arc<str>,
    /// The named fields when it passed.
    pub fields: Arc<Fields>,
    /// The pixels.
    pub held: H,
    /// What was said after it had gone by, at most once an arm.
    pub late: Vec<Arc<Inference>>,
}

impl<H: HeldFrame> StreamFrame<H> {
    /// Its name.
    pub fn key(&self) -> FrameKey {
        (self.frame.run, self.frame.id)
    }

    /// What every arm said, the last word of each.
    pub fn results(&self) -> Vec<Arc<Inference>> {
        let mut all = self.held.results();
        self.late.iter().for_each(|i| replace_result(&mut all, i.clone()));
        all
    }
}

/// Puts `new` in place of what the same arm said before.
fn replace_result(results: &mut Vec<Arc<Inference>>, new: Arc<Inference>) {
    match results.iter_mut().find(|i| i.arm == new.arm) {
        Some(old) => *old = new,
        None => results.push(new),
    }
}

#[cfg(test)]
mod testing {
    //! A frame that needs no stream.

    use super::*;

    /// A grey frame of 4 × 2 pixels of one value.
    #[derive(Clone, Debug)]
    pub struct Flat(pub u8, pub Vec<Arc<Inference>>);

    impl HeldFrame for Flat {
        fn read(&self, look: &mut dyn FnMut(&Image<'_>)) -> Result<(), String> {
            let pixels = [self.0; 8];
            look(&Image::gray8(&pixels, 4, 2).expect("4 × 2 is 8"));
            Ok(())
        }

        fn results(&self) -> Vec<Arc<Inference>> {
            self.1.clone()
        }
    }

    /// A frame of this run with that id, value and outcomes.
    pub fn shot(id: u64, results: Vec<Arc<Inference>>) -> StreamFrame<Flat> {
        let mut frame = Frame::new(None);
        frame.id = id;
        StreamFrame {
            frame,
            pts_ns: Some(id * 40),
            caps: "video/x-raw".into(),
            fields: Arc::default(),
            held: Flat(id as u8, results),
            late: Vec::new(),
        }
    }
}
