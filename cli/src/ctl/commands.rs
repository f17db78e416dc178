// SPDX-License-Identifier: MPL-2.0
//! The commands of `andon ctl`, as they are typed.

use std::time::Duration;

use andon_control::{event::Kind, request::Request};
use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use clap_complete::engine::ArgValueCandidates;
use serde_json::{Map, Value, json};

use super::{complete, snapshot, values};

/// What a running line is asked.
#[derive(Subcommand)]
pub enum Command {
    /// List the lines that answer
    #[command(after_help = "Example:
  andon ctl list --json")]
    List,
    /// List the line's elements
    #[command(after_help = "Example:
  andon ctl elements --line left")]
    Elements,
    /// Print an element's properties, or the value of one
    #[command(after_help = "Examples:
  andon ctl get champion
  andon ctl get champion score-threshold")]
    Get {
        /// The element, by its name or path: `andon ctl elements` lists them
        #[arg(add = ArgValueCandidates::new(complete::elements))]
        element: String,
        /// The property [default: all of them]
        #[arg(add = ArgValueCandidates::new(complete::properties))]
        property: Option<String>,
    },
    /// Set a property
    #[command(after_help = "Example:
  andon ctl set champion score-threshold 0.6 --why 'too many false alarms'")]
    Set {
        /// The element, by its name or path: `andon ctl elements` lists them
        #[arg(add = ArgValueCandidates::new(complete::elements))]
        element: String,
        /// The property: `andon ctl get ELEMENT` lists them
        #[arg(add = ArgValueCandidates::new(complete::settable))]
        property: String,
        /// A number, true or false, a text, or JSON; paths are of the line's own working directory
        #[arg(allow_negative_numbers = true, add = ArgValueCandidates::new(complete::values))]
        value: String,
    },
    /// Call an action
    #[command(after_help = "Example:
  andon ctl call meter learn frames=300")]
    Call {
        /// The element, by its name or path: `andon ctl elements` lists them
        #[arg(add = ArgValueCandidates::new(complete::elements))]
        element: String,
        /// The action, such as reset
        #[arg(add = ArgValueCandidates::new(complete::actions))]
        action: String,
        /// Its arguments, all of them
        #[arg(value_name = "NAME=VALUE", add = ArgValueCandidates::new(complete::arguments))]
        arguments: Vec<String>,
    },
    /// Capture frames, also such as have gone by
    #[command(after_help = "Example:
  andon ctl capture - --count 10 --pre 5 --reason 'scratch on lot 7'")]
    Capture {
        /// The framesampler; - for the only one
        #[arg(add = ArgValueCandidates::new(complete::elements))]
        element: String,
        /// How many frames, from the next on
        #[arg(long, value_name = "N", default_value_t = 1)]
        count: u32,
        /// How many before them, which its `pre-roll` must hold
        #[arg(long, value_name = "N", default_value_t = 0)]
        pre: u32,
        /// How many after them
        #[arg(long, value_name = "N", default_value_t = 0)]
        post: u32,
        /// What they are captured for; it is written beside each picture
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Have a modelinfer run another model
    #[command(after_help = "Example:
  andon ctl swap champion models/pcb/2")]
    Swap {
        /// The modelinfer; - for the only one
        #[arg(add = ArgValueCandidates::new(complete::elements))]
        element: String,
        /// A bundle, an .onnx file, or STORE/NAME@VERSION, as seen from here
        model: String,
    },
    /// Have a modelinfer go back to the model before
    ///
    /// It moves no alias: `andon model rollback STORE/NAME` does, and is what a line that follows an alias needs.
    #[command(after_help = "Example:
  andon ctl rollback champion")]
    Rollback {
        /// The modelinfer; - for the only one
        #[arg(add = ArgValueCandidates::new(complete::elements))]
        element: String,
    },
    /// Have a driftmeter learn its reference anew
    #[command(after_help = "Example:
  andon ctl learn - 300")]
    Learn {
        /// The driftmeter; - for the only one
        #[arg(add = ArgValueCandidates::new(complete::elements))]
        element: String,
        /// From how many frames; 0 for its `learn-frames`
        #[arg(default_value_t = 0)]
        frames: u32,
    },
    /// Call the action reset of an element
    #[command(after_help = "Example:
  andon ctl reset champion")]
    Reset {
        /// The element, by its name or path: `andon ctl elements` lists them
        #[arg(add = ArgValueCandidates::new(complete::elements))]
        element: String,
    },
    /// Give a part its inspection label
    #[command(after_help = "Example:
  andon ctl label - A-0-17 ng --source inspector")]
    Label {
        /// The abjoin; - for the only one
        #[arg(add = ArgValueCandidates::new(complete::elements))]
        element: String,
        /// The part, or RUN/FRAME
        id: String,
        /// What it is
        #[arg(value_parser = ["ok", "ng"])]
        verdict: String,
        /// Who says so [default: --who]
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
    },
    /// Print statistics
    #[command(after_help = "Example:
  andon ctl stats champion --json")]
    Stats {
        /// The element, by its name or path: `andon ctl elements` lists them [default: all]
        #[arg(add = ArgValueCandidates::new(complete::elements))]
        element: Option<String>,
    },
    /// Print a property now, and whenever it has changed
    #[command(after_help = "Example:
  andon ctl observe champion provider --count 1")]
    Observe {
        /// The element, by its name or path: `andon ctl elements` lists them
        #[arg(add = ArgValueCandidates::new(complete::elements))]
        element: String,
        /// The property: `andon ctl get ELEMENT` lists them
        #[arg(default_value = "stats", add = ArgValueCandidates::new(complete::properties))]
        property: String,
        /// Least time between two values, such as 500ms
        #[arg(long, value_name = "TIME", default_value = "1s", value_parser = values::every)]
        every: Duration,
        /// End after so many values
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,
    },
    /// Print events as they come, and what was missed
    ///
    /// Goes on by itself, after the last event, when the line is started again. Events that the line does not keep any more
    /// are said to be lost.
    #[command(after_help = "Examples:
  andon ctl subscribe drift judgements
  andon ctl subscribe --since 812 --json      goes on after event 812")]
    Subscribe {
        /// Kinds of events [default: all but results]
        #[arg(value_name = "KIND", value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)).map(kind))]
        kinds: Vec<Kind>,
        /// Only of this element; may be given again
        #[arg(long = "element", value_name = "ELEMENT", add = ArgValueCandidates::new(complete::elements))]
        elements: Vec<String>,
        /// Begin after this event: its number, or RUN:NUMBER; 0 for all that are kept
        #[arg(long, value_name = "[RUN:]SEQ", value_parser = values::since)]
        since: Option<values::From>,
        /// End after so many events
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,
    },
    /// Set named fields of the frames from here on
    #[command(after_help = "Example:
  andon ctl fields temperature=21.5 recipe=a")]
    Fields {
        /// The element at which they enter; may be left out if only one comes into question
        #[arg(long, add = ArgValueCandidates::new(complete::elements))]
        element: Option<String>,
        /// The fields
        #[arg(value_name = "NAME=VALUE", value_parser = values::pair, required_unless_present_any = ["remove", "complete"])]
        values: Vec<(String, Value)>,
        /// A field that has no value from here on; may be given again
        #[arg(long, value_name = "NAME")]
        remove: Vec<String>,
        /// Fields that are not named have no value
        #[arg(long)]
        complete: bool,
    },
    /// Say that the next frames show this part
    #[command(after_help = "Example:
  andon ctl part A-17 --sku A --view 0 --views 2")]
    Part(Box<NextPart>),
    Snapshot(snapshot::TakeSnapshot),
    /// End the line's streams cleanly (of `andon run` and gst-launch-1.0)
    #[command(after_help = "Example:
  andon ctl quit --line left")]
    Quit,
}

/// Reads the name of a kind, which is one of those that there are.
fn kind(name: String) -> Kind {
    Kind::ALL.into_iter().find(|k| k.as_str() == name).expect("the parser takes names of kinds only")
}

/// A part, as `andon/part` says it.
#[derive(Args)]
pub struct NextPart {
    /// The part's id
    id: String,
    /// The element at which it enters; may be left out if only one comes into question
    #[arg(long, add = ArgValueCandidates::new(complete::elements))]
    element: Option<String>,
    /// The product
    #[arg(long)]
    sku: Option<String>,
    /// The batch
    #[arg(long)]
    lot: Option<String>,
    /// The station
    #[arg(long)]
    station: Option<String>,
    /// Which of its views the frames show, from 0
    #[arg(long, value_name = "N")]
    view: Option<u32>,
    /// How many views it has
    #[arg(long, value_name = "N")]
    views: Option<u32>,
    /// What it passes the camera for
    #[arg(long, value_parser = ["production", "golden", "setup", "rework"])]
    purpose: Option<String>,
    /// When it was triggered, ns since 1970
    #[arg(long, value_name = "NS")]
    trigger_utc_ns: Option<u64>,
}

impl NextPart {
    /// The request.
    pub fn request(self) -> Request {
        let all = json!({
            "id": self.id, "sku": self.sku, "lot": self.lot, "station": self.station, "view": self.view,
            "views": self.views, "purpose": self.purpose, "trigger-utc-ns": self.trigger_utc_ns
        });
        let all: Map<String, Value> = serde_json::from_value(all).unwrap_or_default();
        Request::Part { element: self.element, part: all.into_iter().filter(|(_, v)| !v.is_null()).collect() }
    }
}
