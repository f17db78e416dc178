// SPDX-License-Identifier: MPL-2.0
//! `andon model policy`: whose signatures the models of a store need.

use std::{path::PathBuf, process::ExitCode};

use andon_model::{PolicyFile, Store, Trust, open};
use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use crate::app::Usage;

/// Show or set whose signatures the models of a store need
///
/// Without options, show the policy, and each version that it refuses. A first key makes the policy; whoever wants none
/// removes the file.
#[derive(Args)]
#[command(after_help = "Examples:
  andon model policy store --trust andon.pub
  andon model policy store")]
pub struct Policy {
    /// The folder of the store; the policy holds for all models below it
    store: PathBuf,
    /// Trust the keys in a file, such as the NAME.pub of `andon model keygen`; may be repeated
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Trust a key no longer: a file with keys, or the key itself; may be repeated
    #[arg(long, value_name = "FILE|KEY")]
    distrust: Vec<String>,
    /// Refuse models without a signature
    #[arg(long)]
    require_signature: bool,
    /// Take models without a signature; a signature that is there must be good all the same
    #[arg(long, conflicts_with = "require_signature")]
    allow_unsigned: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// The policy of a store and what it refuses, for programs.
#[derive(Serialize)]
struct PolicyReport {
    /// Always `andon.store-policy/1`.
    schema: &'static str,
    /// The file of the policy.
    file: PathBuf,
    /// Whether there is one. Without a policy, models need no signature.
    exists: bool,
    /// Whether models without a signature are refused.
    require_signature: bool,
    /// The keys that are trusted.
    trusted_keys: Vec<String>,
    /// The versions in the store that cannot be opened.
    refused: Vec<RefusedVersion>,
}

/// A version that a policy refuses.
#[derive(Serialize)]
struct RefusedVersion {
    /// Its folder.
    version: String,
    /// Why.
    why: String,
}

impl Policy {
    /// Sets what is asked for, and shows the policy. The exit code is 1 if it refuses a version that is in the store.
    pub fn execute(self) -> Result<ExitCode> {
        let folder = &self.store;
        if !folder.is_dir() {
            bail!(Usage(format!("{}: is no folder: name the store, or make it first", folder.display())));
        }
        let before = PolicyFile::read(folder)?;
        let path = PolicyFile::path(folder);
        if let Some(changed) = self.changed(before.clone())? {
            changed.write(folder)?;
        }
        let policy = PolicyFile::read(folder)?;
        if self.json {
            return self.document(path, policy);
        }
        let Some(policy) = policy else {
            println!(
                "{}: there is no policy, so models need no signature: `andon model policy {} --trust NAME.pub` makes one",
                path.display(),
                folder.display()
            );
            return Ok(ExitCode::SUCCESS);
        };
        let unsigned = if policy.require_signature { "refused" } else { "taken" };
        println!("{}: models without a signature are {unsigned}; trusted keys:", path.display());
        policy.trusted_keys.iter().for_each(|key| println!("  {key}"));
        let refused = self.refused()?;
        for (version, why) in &refused {
            println!("refused: {version}: {why}");
        }
        Ok(if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn document(&self, file: PathBuf, policy: Option<PolicyFile>) -> Result<ExitCode> {
        let exists = policy.is_some();
        let policy = policy.unwrap_or(PolicyFile { trusted_keys: Vec::new(), require_signature: false });
        let refused = if exists { self.refused()? } else { Vec::new() };
        let refused: Vec<_> = refused.into_iter().map(|(version, why)| RefusedVersion { version, why }).collect();
        let code = if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        let PolicyFile { require_signature, trusted_keys } = policy;
        let schema = "andon.store-policy/1";
        let report = PolicyReport { schema, file, exists, require_signature, trusted_keys, refused };
        println!("{}", serde_json::to_string_pretty(&report)?);
        Ok(code)
    }

    /// Returns the policy that is asked for; None if nothing is.
    fn changed(&self, before: Option<PolicyFile>) -> Result<Option<PolicyFile>> {
        let changes =
            !self.trust.is_empty() || !self.distrust.is_empty() || self.require_signature || self.allow_unsigned;
        if !changes {
            return Ok(None);
        }
        let mut policy = before.unwrap_or(PolicyFile { trusted_keys: Vec::new(), require_signature: true });
        for file in &self.trust {
            let new = Trust::read(file)?.keys().into_iter().filter(|key| !policy.trusted_keys.contains(key));
            let new: Vec<_> = new.collect();
            policy.trusted_keys.extend(new);
        }
        for named in &self.distrust {
            let gone = match policy.trusted_keys.contains(named) {
                true => vec![named.clone()],
                false => Trust::read(named.as_ref())?.keys(),
            };
            if let Some(stranger) = gone.iter().find(|key| !policy.trusted_keys.contains(key)) {
                bail!(
                    "{stranger} is not trusted, so it cannot be distrusted: see `andon model policy {}`",
                    self.store.display()
                );
            }
            policy.trusted_keys.retain(|key| !gone.contains(key));
        }
        if policy.trusted_keys.is_empty() {
            let path = PolicyFile::path(&self.store);
            bail!(Usage(format!(
                "a policy without a key would refuse every model that is signed: name a key with --trust FILE; for no policy at all, \
                 remove {}",
                path.display()
            )));
        }
        if self.require_signature || self.allow_unsigned {
            policy.require_signature = self.require_signature;
        }
        Ok(Some(policy))
    }

    /// Returns the versions below the store that cannot be opened, each with the reason.
    fn refused(&self) -> Result<Vec<(String, String)>> {
        let mut refused = Vec::new();
        for model in Store::all(&self.store)? {
            for version in model.versions()? {
                let bundle = model.folder().join(&version);
                if let Some(Err(why)) = bundle.to_str().map(open) {
                    refused.push((bundle.display().to_string(), why.to_string()));
                }
            }
        }
        Ok(refused)
    }
}
