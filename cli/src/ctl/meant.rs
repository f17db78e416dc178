// SPDX-License-Identifier: MPL-2.0
//! What a line does not have and somebody named: wrong usage, with the name that may have been meant.

use andon_control::{
    client::ClientError,
    reply::{Described, Element, Outcome},
};
use anyhow::Error;

use super::{acts::find, commands::Command, line::Line};
use crate::{
    app::Usage,
    meant::{nearest, question},
};

/// The names that were typed.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    element: String,
    /// The property or the action.
    member: String,
    /// The value, or the arguments.
    values: Vec<String>,
}

impl Typed {
    /// Keeps the names of a command.
    pub fn of(command: &Command) -> Self {
        let new = |element: &str, member: &str, values: &[String]| Self {
            element: element.into(),
            member: member.into(),
            values: values.to_vec(),
        };
        match command {
            Command::Get { element, property } => new(element, property.as_deref().unwrap_or_default(), &[]),
            Command::Set { element, property, value } => new(element, property, std::slice::from_ref(value)),
            Command::Call { element, action, arguments } => new(element, action, arguments),
            Command::Observe { element, property, .. } => new(element, property, &[]),
            Command::Capture { element, .. }
            | Command::Swap { element, .. }
            | Command::Rollback { element }
            | Command::Learn { element, .. }
            | Command::Reset { element }
            | Command::Label { element, .. } => new(element, "", &[]),
            Command::Stats { element: Some(element) } | Command::Fields { element: Some(element), .. } => {
                new(element, "", &[])
            }
            _ => Self::default(),
        }
    }

    /// Makes wrong usage of a refusal of what there is not, with what may have been meant. Other failures stay as they are.
    pub fn explain(&self, error: Error, line: &mut Line) -> Error {
        let outcome = error.downcast_ref::<ClientError>().and_then(ClientError::outcome);
        let Some(outcome) = outcome.filter(|o| is_usage(*o)) else { return error };
        let elements = line.elements(true).unwrap_or_default();
        Usage(format!("{error}{}", self.question(outcome, &elements))).into()
    }

    /// What may have been meant.
    pub fn question(&self, outcome: Outcome, elements: &[Element]) -> String {
        let described = find(elements, &self.element).and_then(|e| e.described.as_ref());
        match (outcome, described) {
            (Outcome::UnknownElement, _) => question(&self.element, elements.iter().map(|e| &*e.name)),
            (Outcome::UnknownProperty, Some(d)) => question(&self.member, d.properties.iter().map(|p| &*p.name)),
            (Outcome::UnknownAction, Some(d)) => question(&self.member, d.actions.iter().map(|a| &*a.name)),
            (Outcome::BadValue | Outcome::Invalid, Some(d)) => self.value(d) + &self.argument(d),
            _ => String::new(),
        }
    }

    fn value(&self, of: &Described) -> String {
        let property = of.properties.iter().find(|p| p.name == self.member);
        let (Some(property), [value]) = (property, &self.values[..]) else { return String::new() };
        question(value, property.choices.iter().map(String::as_str))
    }

    fn argument(&self, of: &Described) -> String {
        let Some(action) = of.actions.iter().find(|a| a.name == self.member) else { return String::new() };
        let known = || action.arguments.iter().map(|(name, _)| &**name);
        let typed = self.values.iter().filter_map(|v| Some(v.split_once('=')?.0));
        let odd = typed.filter(|name| known().all(|k| k != *name)).find(|name| nearest(name, known()).is_some());
        odd.map(|name| question(name, known())).unwrap_or_default()
    }
}

/// Whether a command could not be meant so, whatever the line does.
fn is_usage(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Invalid
            | Outcome::UnknownElement
            | Outcome::Ambiguous
            | Outcome::UnknownProperty
            | Outcome::UnknownAction
            | Outcome::BadValue
    )
}
