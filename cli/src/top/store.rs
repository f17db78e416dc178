// SPDX-License-Identifier: MPL-2.0
//! Moves the champion of a store, as it was when somebody was asked about it, and not otherwise.

use std::path::{Path, PathBuf};

use andon_model::{
    Store,
    store::{CHALLENGER, CHAMPION, Expected, Note, PREVIOUS},
};

use super::form::{Move, Way};

/// Looks which move is possible for the model that a line follows.
///
/// # Errors
/// Why there is none.
pub fn plan(model: &str, pid: u32, way: Way) -> Result<Move, String> {
    let path = absolute(model, pid)?;
    let Some((store, reference)) = Store::of(&path) else {
        return Err(format!(
            "'{path}' is no version of a store that this program sees: its champion moves where it is"
        ));
    };
    let aliases = store.aliases().map_err(|e| e.to_string())?;
    if !aliases.contains_key(&reference) {
        return Err(format!(
            "the line runs version {reference} whatever the aliases say: set `model` to {}@champion first",
            store.folder().display()
        ));
    }
    let (alias, advice) = match way {
        Way::Promote => {
            (CHALLENGER, format!("set it with `andon model alias {} challenger VERSION`", store.folder().display()))
        }
        Way::RollBack => (PREVIOUS, "there is nothing to go back to".into()),
    };
    let to = aliases.get(alias).ok_or_else(|| format!("{} has no {alias}: {advice}", store.name()))?.clone();
    let from = aliases.get(CHAMPION).cloned();
    Ok(Move { folder: store.folder().into(), name: store.name(), from, to, way })
}

/// Makes the move, under the store's lock, if nobody has moved anything meanwhile.
///
/// # Errors
/// Why it was not made.
pub fn make(planned: &Move, who: &str, reason: &str) -> Result<String, String> {
    let store = Store::open(&planned.folder).map_err(|e| e.to_string())?;
    let (note, from) = (Note::new(who, reason), planned.from.as_deref());
    let moved = match planned.way {
        Way::Promote => store.promote_expecting(Some(&planned.to), Expected { from, to: None }, &note),
        Way::RollBack => store.rollback_expecting(Expected { from, to: Some(&planned.to) }, &note),
    };
    let moved = moved.map_err(|e| e.to_string())?;
    let was = moved.from.map_or_else(String::new, |from| format!(", it was {from}"));
    Ok(format!("{}: champion is now {}{was}; lines that follow it load it now", planned.name, moved.to))
}

/// The path as the line reads it: a relative one begins at the line's own working directory.
fn absolute(model: &str, pid: u32) -> Result<String, String> {
    if Path::new(model).is_absolute() {
        return Ok(model.into());
    }
    let folder: PathBuf = std::fs::read_link(format!("/proc/{pid}/cwd")).map_err(|e| {
        format!("'{model}' is of the line's own directory, which cannot be looked up ({e}): use `andon model promote`")
    })?;
    Ok(folder.join(model).to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_champion_moves_as_it_was_asked_about_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let note = Note::new("a test", "");
        let bundle = |version: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/pcb").join(version);
        let store = Store::for_bundle(dir.path(), &bundle("1")).unwrap();
        for version in ["1", "2"] {
            store.add(&bundle(version), &note).unwrap();
        }
        store.promote(Some("1"), &note).unwrap();
        let follows = |reference: &str| format!("{}/pcb@{reference}", dir.path().display());
        let me = std::process::id();
        let refused = [
            (follows("1"), Way::Promote, "whatever the aliases say"),
            (follows("champion"), Way::Promote, "has no challenger: set it with `andon model alias"),
            (follows("champion"), Way::RollBack, "has no previous"),
            (dir.path().join("none@champion").display().to_string(), Way::Promote, "no version of a store"),
            ("models/none@champion".into(), Way::Promote, "no version of a store"),
        ];
        for (model, way, why) in refused {
            let said = plan(&model, me, way).unwrap_err();
            assert!(said.contains(why), "{model}: {said}");
        }
        store.set_alias(CHALLENGER, "2", &note).unwrap();
        let planned = plan(&follows("champion"), me, Way::Promote).unwrap();
        assert_eq!((planned.from.as_deref(), &*planned.to), (Some("1"), "2"));
        // Somebody else is quicker.
        store.promote(None, &note).unwrap();
        store.rollback(&note).unwrap();
        store.promote(Some("2"), &note).unwrap();
        let said = make(&planned, "maria", "it finds more").unwrap_err();
        assert!(said.contains("champion is 2, and this change was to start from 1"), "{said}");
        let back = plan(&follows("champion"), me, Way::RollBack).unwrap();
        let said = make(&back, "maria", "it finds less").unwrap();
        assert!(said.contains("pcb: champion is now 1, it was 2"), "{said}");
        let last = store.history().unwrap().entries.pop().unwrap();
        assert_eq!((&*last.who, &*last.why), ("maria", "it finds less"));
    }
}
