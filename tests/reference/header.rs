// SPDX-License-Identifier: MPL-2.0
//! Writes include/andon.h.

use std::fmt::Write as _;

use andon_core::result::{Arm, Purpose, Status, UnknownName, Verdict};
use gst::prelude::*;
use gstandon::meta::vocabulary::{ACTIONS, EVENTS, Field, MESSAGES, METAS};

const HEAD: &str = "\
/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The names of Andon's elements, actions, messages, events, metas and fields. Nothing has to be linked: results are read with
 * GStreamer's own functions (1.20 or newer).
 *
 *   GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, ANDON_RESULT);
 *   const gchar *verdict = meta == NULL ? ANDON_VERDICT_UNJUDGED
 *       : gst_structure_get_string (gst_custom_meta_get_structure (meta), ANDON_RESULT_VERDICT);
 *
 * docs/reference.md has the types and the units. Both are made of the code: ANDON_BLESS=1 cargo test --test reference.
 */
#ifndef ANDON_H
#define ANDON_H
";

/// Returns the header.
pub fn header(elements: &[gst::ElementFactory]) -> String {
    let mut h = HEAD.to_string();
    section(&mut h, "Elements");
    for factory in elements {
        define(&mut h, &["ELEMENT", &factory.name()], &factory.name());
    }
    section(&mut h, "Verdicts: only ok and ng are conclusions, and unjudged is never good");
    words::<Verdict>(&mut h, "VERDICT");
    section(&mut h, "How judging a frame went: only ok carries a verdict");
    words::<Status>(&mut h, "STATUS");
    section(&mut h, "Arms");
    words::<Arm>(&mut h, "ARM");
    section(&mut h, "Why a part passes the camera");
    words::<Purpose>(&mut h, "PURPOSE");
    for meta in METAS {
        // A structure among the parameters of another meta goes by its own name.
        let name = meta.name.rsplit('/').next().unwrap_or(meta.name);
        let word = name.strip_prefix("Andon").unwrap_or(name);
        section(&mut h, &format!("The meta {}", meta.name));
        define(&mut h, &[word], name);
        fields(&mut h, &[word], meta.fields);
    }
    for message in MESSAGES {
        section(&mut h, &format!("A message of {}: {}", message.element, message.when));
        let word = message.name.trim_start_matches("andon/");
        define(&mut h, &["MESSAGE", word], message.name);
        fields(&mut h, &["MESSAGE", word], message.fields);
    }
    for event in EVENTS {
        section(&mut h, &format!("An event, {}", event.way.name()));
        let word = event.name.trim_start_matches("andon/");
        define(&mut h, &["EVENT", word], event.name);
        fields(&mut h, &["EVENT", word], event.fields);
    }
    for action in ACTIONS {
        let arguments: Vec<_> = action.arguments.iter().map(|a| format!("{} {}", a.kind.name(), a.name)).collect();
        section(&mut h, &format!("An action of {}: ({}) returns bool", action.element, arguments.join(", ")));
        define(&mut h, &["ACTION", action.element, action.name], action.name);
    }
    h.push_str("\n#endif /* ANDON_H */\n");
    h
}

fn section(h: &mut String, title: &str) {
    write!(h, "\n/* {title}. */\n").unwrap();
}

fn define(h: &mut String, words: &[&str], value: &str) {
    let name = words.join("_").replace(['-', '/'], "_").to_uppercase();
    writeln!(h, "#define ANDON_{name} \"{value}\"").unwrap();
}

fn fields(h: &mut String, words: &[&str], fields: &[Field]) {
    for field in fields {
        define(h, &[words, &[field.name]].concat(), field.name);
    }
}

/// All names of a type, which the error about a stranger lists.
fn words<T: std::str::FromStr<Err = UnknownName>>(h: &mut String, prefix: &str) {
    let Err(e) = "?".parse::<T>() else { panic!("? is a {prefix}") };
    for word in e.known {
        define(h, &[prefix, word], word);
    }
}
