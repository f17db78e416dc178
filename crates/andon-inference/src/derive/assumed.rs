// SPDX-License-Identifier: MPL-2.0
//! What was assumed of the image input of a bare file, in words.

use andon_model::{Colour, Input, Resize};

use super::recipe::Range;
use crate::Assumption;

/// What of an image input nothing in the file says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Opens {
    pub range: bool,
    pub colour: bool,
    pub resize: bool,
    pub size: bool,
}

/// The assumptions that fill `open` with what `input` has; `whose` says where that is from.
pub(super) fn assumed(input: &Input, whose: &str, open: Opens) -> Vec<Assumption> {
    let of = |field, value: String, about: &str, change: String| Assumption {
        field,
        value,
        reason: format!("the file does not say {about}; {whose}"),
        change,
    };
    let mut all = Vec::new();
    if open.range {
        let channels = input.colour.channels();
        let ranges = [
            (Range::Unit, "0..1"),
            (Range::Signed, "-1..1"),
            (Range::Bytes, "0..255"),
            (Range::ImageNet, "ImageNet's mean and deviation"),
        ];
        let others: Vec<_> = (ranges.iter())
            .filter(|(range, _)| channels == 3 || *range != Range::ImageNet)
            .map(|(range, name)| (range.fields(input.colour), name))
            .filter(|(fields, _)| *fields != (input.mean.clone(), input.scale.clone()))
            .map(|((mean, scale), name)| format!("\"mean\": {}, \"scale\": {} for {name}", json(&mean), json(&scale)))
            .collect();
        let value = format!("{}, \"mean\": {}", json(&input.scale), json(&input.mean));
        all.push(of(
            "inputs[0].scale",
            value,
            "which numbers it takes for pixels",
            format!("write {}", others.join("; ")),
        ));
    }
    if open.colour {
        let (is, other) = if input.colour == Colour::Bgr { ("bgr", "rgb") } else { ("rgb", "bgr") };
        let change = format!("write \"{other}\" for the other order");
        all.push(of("inputs[0].colour", format!("\"{is}\""), "the order of its colours", change));
    }
    if open.resize {
        let value = match (input.resize, input.shorter_side) {
            (Resize::Stretch, _) => "\"stretch\"".to_string(),
            (Resize::Letterbox, _) => "\"letterbox\"".to_string(),
            (Resize::Crop, Some(n)) => format!("\"crop\", \"shorter_side\": {n}"),
            (Resize::Crop, None) => "\"crop\"".to_string(),
        };
        let others: Vec<_> = [
            (Resize::Stretch, "\"stretch\" if each side was scaled by itself"),
            (Resize::Letterbox, "\"letterbox\" if the rest was padded"),
            (Resize::Crop, "\"crop\" if the middle was cut out"),
        ]
        .iter()
        .filter(|(resize, _)| *resize != input.resize)
        .map(|(_, words)| *words)
        .collect();
        all.push(of("inputs[0].resize", value, "how pictures were resized", format!("write {}", others.join("; "))));
    }
    if open.size {
        let value = format!("the frame's, each side rounded up to a multiple of {}", input.multiple);
        let change = "write the size that it was trained with, as [640, 640]".into();
        all.push(Assumption {
            field: "inputs[0].size",
            value,
            reason: "the graph takes every size, and the file does not name one".into(),
            change,
        });
    }
    all
}

/// Numbers as `model.json` has them: one, or one a channel.
fn json(values: &[f32]) -> String {
    match values {
        [one] => one.to_string(),
        more => format!("[{}]", more.iter().map(f32::to_string).collect::<Vec<_>>().join(", ")),
    }
}
