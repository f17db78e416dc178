// SPDX-License-Identifier: MPL-2.0
//! `andon model list`, `history`, `audit`: shows what a store holds, what changed, and what was changed by hand.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_model::{
    Store,
    store::{Action, CHALLENGER, CHAMPION, Entry, Finding, PREVIOUS},
};
use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::{app::Usage, table::table};

/// How many characters of a digest a table shows: enough to tell versions apart.
const SHORT: usize = 19;

/// List the models of a store, or the versions of a model
#[derive(Args)]
pub struct List {
    /// STORE or STORE/NAME
    store: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// One model of a store.
#[derive(Serialize)]
struct Listed {
    name: String,
    aliases: BTreeMap<String, String>,
    refused: BTreeMap<String, String>,
    versions: Vec<Version>,
    /// What the history does not explain, as text.
    findings: Vec<String>,
}

#[derive(Serialize)]
struct Version {
    version: String,
    aliases: Vec<String>,
    added_utc: Option<String>,
    digest: Option<String>,
    refused: Option<String>,
}

impl List {
    pub fn execute(self) -> Result<ExitCode> {
        let stores = models(&self.store)?;
        let models = stores.iter().map(listed).collect::<Result<Vec<_>>>()?;
        if self.json {
            let json = serde_json::json!({"schema": "andon.store/1", "store": self.store, "models": models});
            println!("{}", serde_json::to_string_pretty(&json)?);
        } else if stores.iter().any(|s| s.folder() == self.store) {
            models.iter().for_each(print_versions);
        } else {
            print_models(&models);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Opens the models of a store, at least one.
fn models(path: &Path) -> Result<Vec<Store>> {
    let models = Store::all(path)?;
    if models.is_empty() {
        let what = "holds no model: name STORE or STORE/NAME, or add a model with `andon model add`";
        return Err(Usage(format!("{}: {what}", path.display())).into());
    }
    Ok(models)
}

fn listed(store: &Store) -> Result<Listed> {
    let (history, findings) = store.audit_aliases()?;
    let (aliases, refused) = (store.aliases()?, store.refused()?);
    let versions = store.versions()?.into_iter().map(|version| {
        let added = |e: &&Entry| e.action == Action::Add && e.to.as_ref() == Some(&version);
        let entry = history.entries.iter().rfind(added);
        let own = aliases.iter().filter(|(_, v)| **v == version).map(|(a, _)| a.clone());
        Version {
            aliases: own.collect(),
            added_utc: entry.map(|e| e.utc.clone()),
            digest: entry.and_then(|e| e.digest.clone()),
            refused: refused.get(&version).cloned(),
            version,
        }
    });
    let versions = versions.collect();
    Ok(Listed { name: store.name(), aliases, refused, versions, findings: texts(&findings) })
}

fn texts(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

fn print_models(models: &[Listed]) {
    let mut rows = table(&["model", CHAMPION, CHALLENGER, PREVIOUS, "versions", "findings"]);
    for m in models {
        let alias = |a: &str| m.aliases.get(a).cloned().unwrap_or_else(|| "–".into());
        let versions = m.versions.len().to_string();
        rows.add_row([
            m.name.clone(),
            alias(CHAMPION),
            alias(CHALLENGER),
            alias(PREVIOUS),
            versions,
            m.findings.join("; "),
        ]);
    }
    println!("{rows}");
}

fn print_versions(model: &Listed) {
    let mut rows = table(&["version", "aliases", "added", "graph", "refused"]);
    for v in &model.versions {
        let digest = v.digest.as_ref().map_or_else(|| "–".into(), |d| d.chars().take(SHORT).collect());
        let added = v.added_utc.clone().unwrap_or_else(|| "unknown".into());
        rows.add_row([v.version.clone(), v.aliases.join(", "), added, digest, v.refused.clone().unwrap_or_default()]);
    }
    println!("{}\n{rows}", model.name);
    print_findings(&model.findings);
}

fn print_findings(findings: &[String]) {
    findings.iter().for_each(|f| println!("finding: {f}"));
}

/// Show who changed what, when and why
#[derive(Args)]
pub struct Log {
    /// STORE/NAME
    model: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Log {
    pub fn execute(self) -> Result<ExitCode> {
        let store = Store::open(&self.model)?;
        let (history, findings) = store.audit_aliases()?;
        let findings = texts(&findings);
        if self.json {
            let json = serde_json::json!({
                "schema": "andon.history/1", "model": store.name(), "entries": history.entries,
                "unfinished": history.unfinished, "torn": history.torn, "findings": findings
            });
            println!("{}", serde_json::to_string_pretty(&json)?);
            return Ok(ExitCode::SUCCESS);
        }
        let mut rows = table(&["#", "when", "who", "what", "from", "to", "why"]);
        for e in &history.entries {
            let what = e.alias.as_ref().map_or_else(|| e.action.to_string(), |a| format!("{}: {a}", e.action));
            let version = |v: &Option<String>| v.clone().unwrap_or_default();
            let (serial, why) = (e.serial.to_string(), e.why.clone());
            rows.add_row([serial, e.utc.clone(), e.who.clone(), what, version(&e.from), version(&e.to), why]);
        }
        println!("{rows}");
        if history.torn.is_some() {
            println!("the last line is incomplete: its change was never made, and the next change removes it");
        }
        print_findings(&findings);
        Ok(ExitCode::SUCCESS)
    }
}

/// Find what was changed without `andon model`
///
/// Compare the aliases and the files of every version with the history. Exit with 1 if they differ.
#[derive(Args)]
pub struct Audit {
    /// STORE or STORE/NAME
    store: PathBuf,
}

impl Audit {
    pub fn execute(self) -> Result<ExitCode> {
        let mut code = ExitCode::SUCCESS;
        for store in models(&self.store)? {
            let findings = store.audit()?;
            if findings.is_empty() {
                println!("{}: everything matches the history", store.folder().display());
            }
            for finding in findings {
                println!("{}: {finding}", store.folder().display());
                // A change that another process is making is not an error.
                if finding != Finding::Unfinished {
                    code = ExitCode::FAILURE;
                }
            }
        }
        Ok(code)
    }
}
