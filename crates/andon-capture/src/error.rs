// SPDX-License-Identifier: MPL-2.0
//! What can go wrong: a setting that makes no sense, a frame that cannot be read or encoded, a disk that refuses.

use std::{error, io};

use crate::{privacy_mask::MOST_CORNERS, trigger::Trigger};

/// A setting of a policy was refused. The text names the setting and shows how to write it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// An entry of `budgets` makes no sense.
    #[error("budgets: '{entry}': {problem}; write budgets as ng=100/hour, all=5000/day")]
    Budget {
        /// The entry.
        entry: String,
        /// What is wrong with it.
        problem: BudgetProblem,
    },
    /// The band of scores, `near`, makes no sense.
    #[error("near: '{0}' is not a band of scores; write 0.5±0.1 or 0.4..0.6, between 0 and 1")]
    Band(String),
    /// A condition of `when` makes no sense.
    #[error("when: '{condition}': {problem}; write temperature>70 or lot=7")]
    Condition {
        /// The condition.
        condition: String,
        /// What is wrong with it.
        problem: ConditionProblem,
    },
    /// A polygon of `mask` makes no sense.
    #[error(
        "mask: '{0}' is not a polygon; write at least three corners in shares of the frame, as in 0,0 0.3,0 0.3,0.2"
    )]
    Polygon(String),
    /// A mask, or a polygon of it, hides nothing of any frame.
    #[error(
        "mask: '{0}' hides nothing: its corners lie on one line, or there are none; write polygons with an area, or leave \
         mask empty to hide nothing"
    )]
    HidesNothing(String),
    /// A mask is longer than anybody draws.
    #[error("mask: {0} corners, and {MOST_CORNERS} is the most")]
    Corners(usize),
    /// Raw files keep the planes as they are, so that nothing in them can be hidden.
    #[error("mask: raw files cannot be masked; set format to png or jpeg")]
    RawMasked,
}

/// What is wrong with an entry of `budgets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetProblem {
    /// No `=` separates the trigger from the rate.
    #[error("the = is missing")]
    NoEquals,
    /// No `/` separates the captures from the time.
    #[error("the / is missing")]
    NoSlash,
    /// The captures are not a whole number.
    #[error("the captures are not a whole number")]
    NotANumber,
    /// The time is not one of those known.
    #[error("the time is not one of minute, hour and day")]
    UnknownTime,
    /// The trigger is not one of those known.
    #[error("the trigger is not one of all, {}", Trigger::ALL.map(Trigger::as_str).join(", "))]
    UnknownTrigger,
}

/// What is wrong with a condition of `when`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionProblem {
    /// It has none of `=`, `!=`, `<`, `<=`, `>`, `>=`.
    #[error("the comparison is missing")]
    NoComparison,
    /// The field's name or the value is missing.
    #[error("the field or the value is missing")]
    NothingCompared,
    /// A text has no order.
    #[error("only numbers can be larger or smaller")]
    NotANumber,
}

/// The pixels of a held frame could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The memory cannot be mapped.
    #[error("its memory cannot be mapped: {0}")]
    Unmapped(#[source] Box<dyn error::Error + Send + Sync>),
    /// The planes do not have the size that the format asks for.
    #[error("its planes do not match its caps")]
    Layout,
    /// The frame showed no image.
    #[error("it holds no image")]
    Empty,
}

/// An image could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The PNG encoder refused.
    #[error("{0}")]
    Png(#[from] png::EncodingError),
    /// The JPEG encoder refused.
    #[error("{0}")]
    Jpeg(#[from] jpeg_encoder::EncodingError),
    /// A polygon of the mask is too thin to hide a pixel of this frame.
    #[error(
        "polygon {number} of mask covers the middle of no pixel of a frame of {} x {}, so that nothing would be hidden: \
         widen it", .size[0], .size[1]
    )]
    Mask {
        /// The polygon, from 1.
        number: usize,
        /// Width and height of the frame, pixels.
        size: [usize; 2],
    },
    /// A side is longer than a JPEG may be.
    #[error("{0} pixels are more than a JPEG has room for; set format to png or raw")]
    TooLarge(usize),
}

/// A map or a mask in a sidecar is not Base64.
#[derive(Debug, thiserror::Error)]
#[error("the sidecar was changed, and this is not Base64: {0}")]
pub struct NotBase64(#[from] base64::DecodeError);

/// A capture could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pixels could not be read.
    #[error("the frame cannot be read: {0}")]
    Unreadable(#[from] ReadError),
    /// The image could not be encoded.
    #[error("the frame cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// The disk has less space left than it must keep free.
    #[error(
        "{folder}: {free} bytes are free, and min-free is {least}: free some space, or set location to another disk"
    )]
    NoRoom {
        /// The folder of the captures.
        folder: String,
        /// Bytes free.
        free: u64,
        /// Bytes that must stay free.
        least: u64,
    },
    /// The disk refused.
    #[error("{path}: {source}: {}", advice(.source))]
    Disk {
        /// The file or folder.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

fn advice(e: &io::Error) -> &'static str {
    use io::ErrorKind::*;
    match e.kind() {
        StorageFull | QuotaExceeded => "free some space, or set location to another disk",
        ReadOnlyFilesystem | PermissionDenied => "make the folder writable for this user, or set another location",
        NotFound => "bring the folder back, or set location to one that exists",
        NotADirectory | AlreadyExists => "location must be a folder, and so must everything above it",
        _ => "captures resume by themselves once the folder can be written",
    }
}
