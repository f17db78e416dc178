// SPDX-License-Identifier: MPL-2.0
//! The action signals: what an application can have an element do.

use super::Kind;

/// An argument of an action.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// The name.
    pub name: &'static str,
    /// The type.
    pub kind: Kind,
    /// Whether it names a file or folder, which over the control socket only the process's own user and root may do.
    pub names_path: bool,
    /// What it says.
    pub what: &'static str,
}

/// An action signal. Each returns whether it was accepted.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// The element that has it.
    pub element: &'static str,
    /// The signal's name.
    pub name: &'static str,
    /// The arguments in their order.
    pub arguments: &'static [Argument],
    /// What it does, and when it returns false.
    pub what: &'static str,
}

const fn argument(name: &'static str, kind: Kind, what: &'static str) -> Argument {
    Argument { name, kind, names_path: false, what }
}

const fn path(name: &'static str, what: &'static str) -> Argument {
    Argument { name, kind: Kind::String, names_path: true, what }
}

/// All actions, by element.
pub const ACTIONS: &[Action] = &[
    Action {
        element: "modelinfer",
        name: "swap",
        arguments: &[path("model", "a bundle, an `.onnx` file, or `STORE/NAME@VERSION`")],
        what: "Sets `model`: loads it beside the running model, which goes on until then. False for an empty name.",
    },
    Action {
        element: "modelinfer",
        name: "rollback",
        arguments: &[],
        what: "Goes back to the model before, or gives up the one that is still loading. False if there is neither.",
    },
    Action {
        element: "modelinfer",
        name: "retire",
        arguments: &[],
        what: "Frees the model before. False if there is none.",
    },
    Action {
        element: "modelinfer",
        name: "reset",
        arguments: &[],
        what: "Starts `stats` anew, and allows models again that a guard took out.",
    },
    Action {
        element: "abjoin",
        name: "label",
        arguments: &[
            argument("id", Kind::String, "the part, or RUN/FRAME"),
            argument("verdict", Kind::String, "`ok` or `ng`"),
            argument("source", Kind::String, "who says so"),
        ],
        what: "Gives a part its inspection label. False if the part is not known.",
    },
    Action { element: "abjoin", name: "reset", arguments: &[], what: "Begins the comparison and the trial anew." },
    Action {
        element: "driftmeter",
        name: "learn",
        arguments: &[argument("frames", Kind::Uint, "how many; 0 stands for `learn-frames`")],
        what: "Learns the reference anew from the next frames.",
    },
    Action {
        element: "driftmeter",
        name: "reset",
        arguments: &[],
        what: "Sets the sums to 0 and keeps the reference. False if no reference is in use.",
    },
    Action {
        element: "driftmeter",
        name: "save-reference",
        arguments: &[path("path", "the file")],
        what: "Writes the references in use to a file that `reference` reads. The calling thread writes.",
    },
    Action {
        element: "framesampler",
        name: "capture",
        arguments: &[
            argument("count", Kind::Uint, "how many frames, from the next on"),
            argument("reason", Kind::String, "why, for the sidecar"),
            argument("pre", Kind::Uint, "frames before them, out of the ring"),
            argument("post", Kind::Uint, "frames after them"),
        ],
        what: "Captures frames. False if it asks for no frame, if `location` is not set, or if 64 requests are under way.",
    },
    Action {
        element: "framesampler",
        name: "reset",
        arguments: &[],
        what: "Empties the ring, drops requests, and counts from 0. Queued frames are still written.",
    },
];
