// SPDX-License-Identifier: MPL-2.0
//! Captures frames of a stream: keeps recent frames in a ring, decides which are worth keeping, and writes those to a
//! folder, each with a JSON sidecar.
//!
//! A [`Sampler`] decides, on the thread that the frames pass, and touches no disk. A bounded [`Queue`] takes what it
//! decides on to the thread of a [`Writer`], which encodes and writes through a [`Disk`]. Pixels stay behind the trait
//! [`HeldFrame`]: the crate knows nothing of GStreamer, of models and of who asks for captures.
//!
//! Readers of a folder may rely on two facts, also after a `kill -9` or a power cut at any moment:
//!
//! * Every file whose name does not start with a dot is whole.
//! * Every image has its sidecar. A sidecar without an image is an interrupted capture: start from the images.
//!
//! ```
//! use std::{path::Path, sync::Arc, time::Duration};
//!
//! use andon_capture::*;
//! use andon_core::{image::Image, result::{Frame, Inference}};
//!
//! /// A grey frame of 4 × 2 pixels.
//! #[derive(Clone)]
//! struct Grey([u8; 8]);
//!
//! impl HeldFrame for Grey {
//!     fn with_image(&self, read: &mut dyn FnMut(&Image<'_>)) -> Result<(), ReadError> {
//!         read(&Image::gray8(&self.0, 4, 2).ok_or(ReadError::Layout)?);
//!         Ok(())
//!     }
//!
//!     fn results(&self) -> Vec<Arc<Inference>> {
//!         Vec::new()
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let policy = Policy { folder: Some(Arc::from(folder.path())), ..Policy::default() };
//! let queue = Arc::new(Queue::default());
//! let writer = Writer::new(LocalDisk, queue.clone(), Arc::default(), None, |event| println!("{event:?}"));
//! writer.start()?;
//!
//! let mut sampler = Sampler::default();
//! let wanted = Request { trigger: Trigger::Action, reason: "look".into(), count: 2, pre: 0, post: 0 };
//! assert!(sampler.request(&policy, wanted, &queue));
//! for _ in 0..5 {
//!     let frame = StreamFrame::new(Frame::new(None), "video/x-raw,format=GRAY8,width=4,height=2", Grey([128; 8]));
//!     sampler.frame(&policy, 0, Hits::default(), &queue, || Some((8, frame)));
//! }
//! assert_eq!(sampler.counts().captured, 2);
//! assert_eq!(writer.drain(Duration::from_secs(10)), 0);
//! assert_eq!(std::fs::read_dir(&folder)?.count(), 4, "two images, each with its sidecar");
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

mod budget;
mod conditions;
mod disk;
mod encode;
mod error;
mod events;
mod frame;
mod inventory;
mod maps;
mod plan;
mod policy;
mod privacy_mask;
mod queue;
mod quota;
mod ring;
mod sampler;
mod sidecar;
mod similarity;
#[cfg(test)]
mod testing;
mod trigger;
mod turn;
mod worker;
mod writer;

pub use budget::Budgets;
pub use conditions::{FieldCondition, ScoreBand, disagree, drawn, unjudged};
pub use disk::{Disk, LocalDisk};
pub use encode::{Encoder, Encoding};
pub use error::{BudgetProblem, ConditionProblem, EncodeError, Error, NotBase64, PolicyError, ReadError};
pub use events::{Failure, WriterCounters, WriterEvent};
pub use frame::{FrameKey, HeldFrame, StreamFrame};
pub use maps::{MapImage, MapKind};
pub use policy::{Hits, Policy, Request, SamplerCounts};
pub use privacy_mask::PrivacyMask;
pub use queue::Queue;
pub use quota::Quota;
pub use sampler::{MOST_REQUESTS, Sampler};
pub use sidecar::{CAPTURE_SCHEMA, Sidecar};
pub use trigger::{Role, Tag, Trigger};
pub use writer::Writer;
