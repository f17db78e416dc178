// SPDX-License-Identifier: MPL-2.0
//! What a failure is told as: wrong usage or not, and with the name that may have been meant.

use andon_model::{self as model, store};
use anyhow::Error;

use crate::{app::Usage, meant};

/// A failure as it is printed.
pub struct Told {
    /// What happened, and what to do.
    pub text: String,
    /// Whether something was named on the command line that there is not: exit code 2.
    pub is_usage: bool,
}

/// Tells a failure.
pub fn told(error: &Error) -> Told {
    let missing = error.chain().find_map(|cause| {
        let of_model = cause.downcast_ref::<model::Error>().and_then(not_there);
        of_model.or_else(|| cause.downcast_ref::<store::Error>().and_then(not_in_store))
    });
    let text = format!("{error:#}{}", missing.as_deref().unwrap_or_default());
    Told { text, is_usage: missing.is_some() || error.is::<Usage>() }
}

/// What may have been meant by a model that is not there. None if it is another failure.
fn not_there(error: &model::Error) -> Option<String> {
    match error {
        model::Error::NotFound { path } => Some(meant::file(path)),
        model::Error::NoVersion { reference, known, .. } => Some(version(reference, known)),
        model::Error::NoModel => Some(String::new()),
        _ => None,
    }
}

fn not_in_store(error: &store::Error) -> Option<String> {
    match error {
        store::Error::Model(error) => not_there(error),
        store::Error::NoStore { path } => Some(meant::file(path)),
        store::Error::NoVersion { version: named, known, .. } => Some(version(named, known)),
        store::Error::Name { .. } => Some(String::new()),
        _ => None,
    }
}

/// An alias is listed with its version in brackets.
fn version(named: &str, known: &[String]) -> String {
    meant::question(named, known.iter().filter_map(|k| k.split(' ').next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_named_and_is_not_there_is_wrong_usage_and_its_neighbour_is_named() {
        let known = vec!["1".into(), "champion (1)".into(), "challenger (2)".into()];
        let no = model::Error::NoVersion { store: "s/pcb".into(), reference: "champoin".into(), known };
        let said = told(&Error::from(no).context("a.launch"));
        assert!(
            said.is_usage && said.text.ends_with("champion (1), challenger (2); did you mean champion?"),
            "{}",
            said.text
        );
        let alias = store::Error::NoAlias { store: "s/pcb".into(), alias: "challenger", advice: "set it" };
        assert!(!told(&alias.into()).is_usage, "the command was right, the store is not ready for it");
        assert!(told(&Usage("x".into()).into()).is_usage);
    }
}
