// SPDX-License-Identifier: MPL-2.0
//! What `andon run` prints of the messages on the bus: what is wrong, and as lines of their own only that.

use std::io::stdout;

use gst::MessageView;

use super::summary::Summary;
use crate::play::{Colour, Course, Listener, Messages, Paint};

/// Which messages are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// All, as JSON.
    Json,
    /// All.
    Everything,
    /// All but the verdicts on good parts.
    NotGood,
}

/// Prints messages, counts parts for the progress line, and makes the summary.
pub struct RunListener {
    told: Told,
    paint: Paint,
    parts: u64,
    ng: u64,
    /// Parts neither good nor bad.
    open: u64,
    summary: Option<Summary>,
}

impl RunListener {
    /// Tells so many messages.
    pub fn new(told: Told) -> Self {
        Self { told, paint: Paint::on(&stdout()), parts: 0, ng: 0, open: 0, summary: None }
    }

    /// Returns the summary, once the pipeline was played.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// Counts a verdict that decides, and returns whether its part is good.
    fn count(&mut self, verdict: &gst::StructureRef) -> bool {
        let said = verdict.get::<&str>("verdict").unwrap_or_default();
        if verdict.get::<bool>("decides").unwrap_or(true) {
            self.parts += 1;
            match said {
                "ok" => {}
                "ng" => self.ng += 1,
                _ => self.open += 1,
            }
        }
        said == "ok"
    }
}

impl Listener for RunListener {
    fn hear(&mut self, message: &gst::Message) -> Vec<String> {
        let MessageView::Element(element) = message.view() else { return Vec::new() };
        let Some(s) = element.structure() else { return Vec::new() };
        let good = s.name() == "andon/part-verdict" && self.count(s);
        if good && self.told == Told::NotGood {
            return Vec::new();
        }
        let json = self.told == Told::Json;
        let Some(line) = (Messages { json }).of(message) else { return Vec::new() };
        vec![match colour(s).filter(|_| !json) {
            Some(colour) => self.paint.line(&line, colour),
            None => line,
        }]
    }

    fn state(&self) -> String {
        if self.parts == 0 {
            return String::new();
        }
        let mut state = format!("{} parts, {} ng", self.parts, self.ng);
        if self.open > 0 {
            state += &format!(", {} neither", self.open);
        }
        state
    }

    fn before_stop(&mut self, pipeline: &gst::Pipeline, course: &Course) {
        self.summary = Summary::of(pipeline, course);
    }
}

/// Returns in which colour a message is told: what is bad in red, what may be in yellow.
fn colour(s: &gst::StructureRef) -> Option<Colour> {
    let text = |field| s.get::<&str>(field).unwrap_or_default();
    match s.name().as_str() {
        "andon/part-verdict" => match text("verdict") {
            "ok" => None,
            "ng" => Some(Colour::Red),
            _ => Some(Colour::Yellow),
        },
        "andon/drift" if matches!(text("state"), "warning" | "drift") => Some(Colour::Yellow),
        "andon/unjudged"
        | "andon/model-failed"
        | "andon/model-rolled-back"
        | "andon/provider-fallback"
        | "andon/arm-out"
        | "andon/capture-failed" => Some(Colour::Yellow),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(said: &str) -> gst::Message {
        gst::init().unwrap();
        let s = gst::Structure::builder("andon/part-verdict").field("verdict", said).field("decides", true).build();
        gst::message::Element::new(s)
    }

    #[test]
    fn good_parts_are_counted_and_told_only_where_that_is_wanted() {
        for (told, ok, ng) in [(Told::NotGood, 0, 1), (Told::Everything, 1, 1), (Told::Json, 1, 1)] {
            let mut listener = RunListener::new(told);
            assert_eq!(listener.hear(&verdict("ok")).len(), ok, "{told:?}");
            assert_eq!(listener.hear(&verdict("ng")).len(), ng, "{told:?}");
            assert_eq!(listener.hear(&verdict("unjudged")).len(), 1, "{told:?}: not judged is not good");
            assert_eq!(listener.state(), "3 parts, 1 ng, 1 neither");
        }
    }
}
