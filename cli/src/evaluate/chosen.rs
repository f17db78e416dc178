// SPDX-License-Identifier: MPL-2.0
//! Writes a chosen threshold into a bundle, with how it was chosen, and leaves signatures honest: what is signed, or a version of
//! a store, stays as it is, and gets a new version beside it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use andon_core::files;
use andon_evaluate::{EvaluationReport, Wish, data::LabelledSet};
use andon_model::{self as model, Location, Manifest, SIGNATURE};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::{
    app::Usage,
    model::text::{with_field, write_into},
};

/// The manifest of a bundle.
const MANIFEST: &str = "model.json";

/// A bundle that gets the threshold.
pub struct Target {
    /// The bundle that was measured.
    from: PathBuf,
    /// The copy, and its version; None for the bundle itself.
    copy: Option<(PathBuf, String)>,
    wish: Wish,
}

impl Target {
    /// The bundle itself.
    pub fn in_place(bundle: &Path, wish: Wish) -> Result<Self> {
        let from = folder(bundle)?;
        let copy = "leave it as it is, and make a new version with --into FOLDER --as VERSION, to be added and signed";
        if from.join(format!("{MANIFEST}{SIGNATURE}")).symlink_metadata().is_ok() {
            bail!(Usage(format!(
                "{} is signed, and its signature would not hold any longer: {copy}",
                bundle.display()
            )));
        }
        if from.canonicalize()?.parent().is_some_and(|store| store.join("aliases.json").exists()) {
            bail!(Usage(format!(
                "{} is a version of a store, and such a version never changes: {copy}",
                bundle.display()
            )));
        }
        Ok(Self { from, copy: None, wish })
    }

    /// A copy as a new version.
    pub fn copy(bundle: &Path, into: &Path, version: &str, wish: Wish) -> Result<Self> {
        let from = folder(bundle)?;
        if into.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || into.is_file() {
            bail!(Usage(format!("{}: is there already, and is not empty: name another folder", into.display())));
        }
        if let Err(why) = andon_core::text::check_name(version) {
            bail!(Usage(format!("--as: the version {why}")));
        }
        Ok(Self { from, copy: Some((into.into(), version.into())), wish })
    }

    /// Writes the threshold, and returns a line that says so.
    ///
    /// # Errors
    /// No threshold fulfils the wish, or a file cannot be written.
    pub fn write(&self, report: &EvaluationReport, set: &LabelledSet) -> Result<String> {
        let measured = report.models.last().context("a report without a model")?;
        let Some(chosen) = &measured.chosen else {
            bail!("no threshold fulfils {} on this set: nothing was written", self.wish);
        };
        let at = self.from.join(MANIFEST);
        let text = files::read_text(&at, files::TEXT).with_context(|| format!("{}: cannot be read", at.display()))?;
        let manifest = Manifest::parse(&text, &at)?;
        let mut fields: Map<String, Value> = serde_json::from_str(&text)?;
        let threshold = own_scale(&manifest, &fields, chosen.here.threshold)?;

        let mut thresholds = fields.remove("thresholds").unwrap_or_else(|| json!({}));
        let before = thresholds.get("score").cloned().unwrap_or_else(|| json!(manifest.thresholds.score));
        thresholds["score"] = threshold.clone();
        let how = json!({
            "score": threshold, "before": before, "wish": self.wish.to_string(),
            "pictures": set.samples.len(), "parts": report.parts, "bad": report.bad, "good": report.good,
            "here": chosen.here, "elsewhere": chosen.elsewhere, "utc": jiff::Timestamp::now().to_string(),
        });
        let quality = match fields.remove("quality") {
            Some(Value::Object(mut quality)) => {
                quality.insert("threshold".into(), how);
                Value::Object(quality)
            }
            None | Some(Value::Null) => json!({ "threshold": how }),
            Some(other) => json!({"before": other, "threshold": how}),
        };
        let mut new = with_field(&text, "thresholds", &thresholds)?;
        new = with_field(&new, "quality", &quality)?;
        let into = match &self.copy {
            None => &self.from,
            Some((into, version)) => {
                new = with_field(&new, "version", &json!(version))?;
                into
            }
        };
        Manifest::parse(&new, &into.join(MANIFEST))?;
        if self.copy.is_some() {
            self.copy_files(into)?;
        }
        write_into(&into.join(MANIFEST), new.as_bytes())?;
        let review = manifest.thresholds.review.map(|[low, high]| format!("; its review band stays {low}..{high}"));
        Ok(format!("{}: its threshold is {threshold}, and was {before}{}", into.display(), review.unwrap_or_default()))
    }

    /// Copies all files but the manifest and the signatures.
    fn copy_files(&self, into: &Path) -> Result<()> {
        for name in model::digests(&self.from)?.keys().filter(|name| !name.ends_with(SIGNATURE)) {
            let to = into.join(name);
            fs::create_dir_all(to.parent().unwrap_or(into))
                .and_then(|()| fs::copy(self.from.join(name), &to))
                .with_context(|| format!("{}: cannot be written", to.display()))?;
        }
        Ok(())
    }
}

/// The folder of a bundle, also where it was named as STORE/NAME@ALIAS.
fn folder(bundle: &Path) -> Result<PathBuf> {
    match model::locate(bundle.to_str().context("the bundle's path is not UTF-8")?)? {
        Location::Bundle(folder) => Ok(folder),
        Location::Bare(file) => {
            let file = file.display();
            bail!(Usage(format!("{file} is no bundle: `andon model init {file} --into FOLDER` makes one")))
        }
    }
}

/// A threshold of 0..1 as the manifest writes it: where that has a threshold on the model's own scores, on those.
fn own_scale(manifest: &Manifest, fields: &Map<String, Value>, chosen: f32) -> Result<Value> {
    let written = fields.get("thresholds").and_then(|t| t.get("score")).and_then(Value::as_f64);
    let own = match written {
        Some(written) if written > 1.0 => chosen * 2.0 * written as f32,
        _ => return Ok(shortest(chosen)),
    };
    if own <= 1.0 {
        bail!(
            "the threshold {own} on the own scores of {} would read as one of 0..1: write it by hand, with a normalisation of its \
             outputs",
            manifest.name
        );
    }
    Ok(shortest(own))
}

/// The shortest number that reads as the same.
fn shortest(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or_else(|_| json!(number), |n| json!(n))
}
