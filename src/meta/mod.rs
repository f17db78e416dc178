// SPDX-License-Identifier: MPL-2.0
//! How results travel: metas on buffers, custom events in the stream, element messages on the bus, and the mirrors that
//! other people's elements read.

#[cfg(feature = "analytics")]
mod analytics;
pub(crate) mod capture_time;
pub mod event;
mod frame;
mod inference;
pub(crate) mod late;
mod lost;
#[cfg(feature = "tensors")]
mod masks;
pub mod message;
mod mirror;
mod part_by;
mod payload;
mod read;
pub(crate) mod result;
pub(crate) mod shared;
mod stage;
mod stream;
#[cfg(feature = "tensors")]
mod tensors;
mod transform;
#[cfg(test)]
mod transform_tests;
pub mod video;
pub mod vocabulary;

pub(crate) use capture_time::{TaiOffset, utc_by_clock};
pub use frame::AndonFrameMeta;
pub use inference::AndonInferenceMeta;
pub(crate) use lost::{keep_verdict, remove_results};
pub(crate) use mirror::mirror;
pub(crate) use part_by::{PartRule, Readings, Trouble};
pub(crate) use read::{Upstream, decided_on, read_all, read_compared, read_here, read_upstream};
pub use read::{read_arm, read_decided};
pub use result::{ANDON_RESULT, put_decided};
pub(crate) use stage::mirror_stage;
pub(crate) use stream::{StreamContext, part_of};
pub(crate) use transform::scaled;
