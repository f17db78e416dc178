// SPDX-License-Identifier: MPL-2.0
//! `andon model keygen`, `sign`, `verify`: signatures in the format of minisign.

use std::{
    fs::{self, File, OpenOptions},
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_core::files;
use andon_model::{self as model, Location, SIGNATURE, Trust, locate};
use anyhow::{Context, Result, bail};
use clap::Args;
use minisign::{ErrorKind, KeyPair, SecretKey, SecretKeyBox};

use super::bundle::replace;
use crate::limit::rest;

/// The environment variable with the password of the secret key, for use without a terminal.
const PASSWORD: &str = "ANDON_KEY_PASSWORD";

/// Make a key pair
///
/// Write NAME.key, which signs models and must stay secret, and NAME.pub for those who trust your models. The password of
/// the secret key is read from the terminal, or from ANDON_KEY_PASSWORD.
#[derive(Args)]
pub struct Keygen {
    /// The path of both files, without the extensions
    #[arg(default_value = "andon")]
    name: PathBuf,
    /// Do not protect the secret key by a password
    #[arg(long)]
    no_password: bool,
}

impl Keygen {
    pub fn execute(self) -> Result<ExitCode> {
        let path = |ending: &str| PathBuf::from(format!("{}.{ending}", self.name.display()));
        let (secret, public) = (path("key"), path("pub"));
        if let Some(there) = [&secret, &public].into_iter().find(|p| p.exists()) {
            bail!("{}: exists already, and a key is never overwritten: choose another name", there.display());
        }
        let pair = if self.no_password {
            KeyPair::generate_unencrypted_keypair()
        } else {
            KeyPair::generate_encrypted_keypair(std::env::var(PASSWORD).ok())
        };
        let KeyPair { pk, sk } = pair.context("cannot make a key pair")?;
        let text = sk.to_box(Some("andon secret key"))?.into_string();
        let written = hidden(&secret).and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("{}: cannot be written", secret.display()))?;
        let text = pk.to_box()?.into_string();
        fs::write(&public, text).with_context(|| format!("{}: cannot be written", public.display()))?;
        println!("{}: keep it secret", secret.display());
        println!("{}: give it to those who trust your models", public.display());
        println!("{}", pk.to_base64());
        Ok(ExitCode::SUCCESS)
    }
}

/// Creates a file that only its owner may read.
fn hidden(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Sign a bundle or an .onnx file
///
/// A bundle is signed by its manifest, whose digests must cover all other files: see `andon model digest`.
#[derive(Args)]
pub struct Sign {
    /// A bundle folder, or an .onnx file
    bundle: String,
    /// The secret key, made by `andon model keygen`, or by minisign with a password
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl Sign {
    pub fn execute(self) -> Result<ExitCode> {
        let source = model::inspect(&self.bundle)?;
        let file = match (&source.folder, &source.manifest) {
            (Some(folder), Some(manifest)) => {
                if model::digests(folder)? != manifest.digests {
                    bail!(
                        "{}: its digests do not match its files: check the files, run `andon model digest {}`, and sign again",
                        self.bundle,
                        folder.display()
                    );
                }
                folder.join("model.json")
            }
            _ if !source.weights.is_empty() => bail!(
                "{}: its weights are in a file beside it, which its signature would not cover: make it a bundle with `andon \
                 model init {} --into FOLDER`, and sign that",
                self.bundle,
                self.bundle
            ),
            _ => source.path.clone(),
        };
        let comment = format!("{} {} {}", source.id.name, source.id.version, source.id.digest);
        let signature = minisign::sign(None, &secret(&self.key)?, Cursor::new(&source.to_sign), Some(&comment), None)
            .with_context(|| format!("{}: cannot be signed", file.display()))?;
        let at = PathBuf::from(format!("{}{SIGNATURE}", file.display()));
        replace(&at, signature.into_string().as_bytes())?;
        println!("{}: signed", at.display());
        Ok(ExitCode::SUCCESS)
    }
}

fn secret(path: &Path) -> Result<SecretKey> {
    let read = || -> Result<SecretKeyBox> { Ok(SecretKeyBox::from_string(&files::read_text(path, files::TEXT)?)?) };
    let no_key = || format!("{}: not a secret key of minisign", path.display());
    match read().with_context(no_key)?.into_unencrypted_secret_key() {
        Ok(key) => return Ok(key),
        // The program minisign writes no checksum into a key without a password.
        Err(e) if matches!(e.kind(), ErrorKind::Verify) => bail!(
            "{}: is damaged, or was made by minisign without a password: make a key with `andon model keygen`, or with a password",
            path.display()
        ),
        Err(_) => {}
    }
    let password = std::env::var(PASSWORD).ok();
    let key = read()?;
    // Without that variable, a person types it.
    rest(|| key.into_secret_key(password)).with_context(|| {
        format!(
            "{}: cannot be opened: is the password right? (without a terminal, it is read from {PASSWORD})",
            path.display()
        )
    })
}

/// Check the signature of a model
///
/// Check that a trusted key signed the model, and that no file was altered since.
#[derive(Args)]
pub struct Verify {
    /// A bundle folder, an .onnx file, or STORE/NAME@VERSION
    model: String,
    /// A file with the trusted public keys, one per line, or a minisign.pub
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
}

impl Verify {
    pub fn execute(self) -> Result<ExitCode> {
        let source = model::open_trusted(&self.model, &Trust::read(&self.keys)?)?;
        let what = match locate(&self.model)? {
            Location::Bundle(folder) => folder,
            Location::Bare(file) => file,
        };
        println!("{}: unaltered, signed by {}", what.display(), source.signed_by.unwrap_or_default());
        Ok(ExitCode::SUCCESS)
    }
}
