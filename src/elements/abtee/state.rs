// SPDX-License-Identifier: MPL-2.0
//! What the streaming thread of `abtee` keeps from frame to frame.

use super::settings::Rule;
use crate::{elements::memory::Holder, meta::StreamContext};

/// See the module.
#[derive(Default)]
pub struct State {
    /// Arm, part and fields of the stream.
    pub context: StreamContext,
    /// How b's frames are held.
    pub holder: Holder,
    /// The rule that both arms have got last as `andon/split`.
    pub announced: Option<Rule>,
    /// Events that an application has sent, for the next frame.
    pub sent: Vec<gst::Event>,
}
