// SPDX-License-Identifier: MPL-2.0
//! `andon model list`, `history`, `audit`: shows what a store holds, what changed, and what was changed by hand.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_core::text::shown;
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
#[command(after_help = "Examples:
  andon model list store
  andon model list store/pcb --json")]
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
    /// What is only to be known of the history, as text.
    notes: Vec<String>,
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
        } else if self.store.canonicalize().is_ok_and(|path| stores.iter().any(|s| s.folder() == path)) {
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
    let [findings, notes] = texts(&findings);
    Ok(Listed { name: store.name(), aliases, refused, versions, findings, notes })
}

/// Returns what is amiss, and what is only to be known.
fn texts(findings: &[Finding]) -> [Vec<String>; 2] {
    let (notes, findings): (Vec<_>, Vec<_>) = findings.iter().partition(|f| f.is_note());
    [findings, notes].map(|all| all.into_iter().map(ToString::to_string).collect())
}

/// Returns a cell of a table: what somebody wrote cannot do anything to the terminal.
fn cell(text: &str) -> String {
    shown(text).into_owned()
}

fn print_models(models: &[Listed]) {
    let mut rows = table(&["model", CHAMPION, CHALLENGER, PREVIOUS, "versions", "findings"]);
    for m in models {
        let alias = |a: &str| m.aliases.get(a).map_or_else(|| "–".into(), |v| cell(v));
        let versions = m.versions.len().to_string();
        rows.add_row([
            cell(&m.name),
            alias(CHAMPION),
            alias(CHALLENGER),
            alias(PREVIOUS),
            versions,
            cell(&m.findings.join("; ")),
        ]);
    }
    println!("{rows}");
    for m in models {
        m.notes.iter().for_each(|note| println!("note: {}: {}", cell(&m.name), cell(note)));
    }
}

fn print_versions(model: &Listed) {
    let mut rows = table(&["version", "aliases", "added", "graph", "refused"]);
    for v in &model.versions {
        let digest: String = v.digest.as_ref().map_or_else(|| "–".into(), |d| d.chars().take(SHORT).collect());
        let added = v.added_utc.clone().unwrap_or_else(|| "unknown".into());
        let refused = v.refused.as_deref().map(cell).unwrap_or_default();
        rows.add_row([v.version.clone(), cell(&v.aliases.join(", ")), cell(&added), cell(&digest), refused]);
    }
    println!("{}\n{rows}", cell(&model.name));
    print_findings(&model.findings, &model.notes);
}

fn print_findings(findings: &[String], notes: &[String]) {
    findings.iter().for_each(|f| println!("finding: {}", cell(f)));
    notes.iter().for_each(|n| println!("note: {}", cell(n)));
}

/// Show who changed what, when and why
#[derive(Args)]
#[command(after_help = "Example:
  andon model history store/pcb")]
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
        let [findings, notes] = texts(&findings);
        if self.json {
            let json = serde_json::json!({
                "schema": "andon.history/1", "model": store.name(), "entries": history.entries,
                "unfinished": history.unfinished, "torn": history.torn, "findings": findings, "notes": notes
            });
            println!("{}", serde_json::to_string_pretty(&json)?);
            return Ok(ExitCode::SUCCESS);
        }
        let mut rows = table(&["#", "when", "who", "what", "from", "to", "why"]);
        for e in &history.entries {
            let what = e.alias.as_ref().map_or_else(|| e.action.to_string(), |a| format!("{}: {a}", e.action));
            let version = |v: &Option<String>| v.as_deref().map(cell).unwrap_or_default();
            let serial = e.serial.to_string();
            rows.add_row([
                serial,
                cell(&e.utc),
                cell(&e.who),
                cell(&what),
                version(&e.from),
                version(&e.to),
                cell(&e.why),
            ]);
        }
        println!("{rows}");
        if history.torn.is_some() {
            println!("the last line is incomplete: its change was never made, and the next change removes it");
        }
        print_findings(&findings, &notes);
        Ok(ExitCode::SUCCESS)
    }
}

/// Find what was changed without `andon model`
///
/// Compare the aliases and the files of every version with the history. Exit with 1 if they differ.
#[derive(Args)]
#[command(after_help = "Example:
  andon model audit store")]
pub struct Audit {
    /// STORE or STORE/NAME
    store: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What was changed without `andon model`, for programs.
#[derive(Serialize)]
struct AuditReport {
    /// Always `andon.audit/1`.
    schema: &'static str,
    /// The store, as it was named.
    store: PathBuf,
    /// Whether everything matches the history.
    ok: bool,
    /// The models.
    models: Vec<Audited>,
}

/// One model of a store, as an audit found it.
#[derive(Serialize)]
struct Audited {
    /// Its name.
    name: String,
    /// What the history does not explain, as text.
    findings: Vec<String>,
    /// What is only to be known of the history, as text.
    notes: Vec<String>,
}

impl Audit {
    pub fn execute(self) -> Result<ExitCode> {
        let mut code = ExitCode::SUCCESS;
        let mut report =
            AuditReport { schema: "andon.audit/1", store: self.store.clone(), ok: true, models: Vec::new() };
        for store in models(&self.store)? {
            let findings = store.audit()?;
            let [findings, notes] = texts(&findings);
            if self.json {
                report.ok &= findings.is_empty();
                report.models.push(Audited { name: store.name(), findings, notes });
                continue;
            }
            let folder = store.folder().display();
            if findings.is_empty() && notes.is_empty() {
                println!("{folder}: everything matches the history");
            }
            // What is only to be known is no error, nor is a change that another process is making.
            notes.iter().for_each(|note| println!("{folder}: note: {}", cell(note)));
            for finding in &findings {
                println!("{folder}: {}", cell(finding));
                code = ExitCode::FAILURE;
            }
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
            code = if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Ok(code)
    }
}
