// SPDX-License-Identifier: MPL-2.0
//! The state that the streaming thread of `abtee` keeps from frame to frame.

use super::settings::Rule;
use crate::{elements::memory::Holder, meta::StreamContext};

/// The state of the streaming thread.
#[derive(Default)]
pub(super) struct State {
    /// Arm, part and fields of the stream.
    pub(super) context: StreamContext,
    /// How b's frames are held.
    pub(super) holder: Holder,
    /// The rule that both arms have got last as `andon/split`.
    pub(super) announced: Option<Rule>,
    /// Events that an application has sent, for the next frame.
    pub(super) sent: Vec<gst::Event>,
}
