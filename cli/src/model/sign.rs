// SPDX-License-Identifier: MPL-2.0
//! `andon model keygen`, `sign`, `verify`: signatures that minisign's own program understands.

use std::{
    fs::{self, File, OpenOptions},
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_model::{self as model, Location, SIGNATURE, Trust, locate};
use anyhow::{Context, Result, bail};
use clap::Args;
use minisign::{ErrorKind, KeyPair, SecretKey, SecretKeyBox};

use super::bundle::replace;

/// The environment variable with the secret key's password, for where nobody can be asked.
const PASSWORD: &str = "ANDON_KEY_PASSWORD";

/// Makes a key pair: NAME.key to sign with, and to keep secret; NAME.pub to give to those who are to trust it.
#[derive(Args)]
pub struct Keygen {
    /// Where to write both, without the endings
    #[arg(default_value = "andon")]
    name: PathBuf,
    /// Do not protect the secret key by a password (which else is asked for, or taken from ANDON_KEY_PASSWORD)
    #[arg(long)]
    no_password: bool,
}

impl Keygen {
    pub fn execute(self) -> Result<ExitCode> {
        let path = |ending: &str| PathBuf::from(format!("{}.{ending}", self.name.display()));
        let (secret, public) = (path("key"), path("pub"));
        if let Some(there) = [&secret, &public].into_iter().find(|p| p.exists()) {
            bail!("{}: is there already, and a key is never overwritten: give another name", there.display());
        }
        let pair = if self.no_password {
            KeyPair::generate_unencrypted_keypair()
        } else {
            KeyPair::generate_encrypted_keypair(std::env::var(PASSWORD).ok())
        };
        let KeyPair { pk, sk } = pair.context("no key can be made")?;
        let text = sk.to_box(Some("andon secret key"))?.into_string();
        let written = hidden(&secret).and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("{}: cannot be written", secret.display()))?;
        let text = pk.to_box()?.into_string();
        fs::write(&public, text).with_context(|| format!("{}: cannot be written", public.display()))?;
        println!("{}: keep it secret; {}: whom you give it trusts what you sign", secret.display(), public.display());
        println!("{}", pk.to_base64());
        Ok(ExitCode::SUCCESS)
    }
}

/// A new file that nobody else may read.
fn hidden(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Signs a bundle by its manifest, whose digests must hold every other file; or a bare .onnx file.
#[derive(Args)]
pub struct Sign {
    /// A bundle folder, or an .onnx file
    bundle: String,
    /// The secret key, as `andon model keygen` made it, or minisign with a password
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
                        "{}: its digests are not of all its files: look at them, run `andon model digest {}`, and sign then",
                        self.bundle,
                        folder.display()
                    );
                }
                folder.join("model.json")
            }
            _ => source.path.clone(),
        };
        let content = fs::read(&file).with_context(|| format!("{}: cannot be read", file.display()))?;
        let said = format!("{} {} {}", source.id.name, source.id.version, source.id.digest);
        let signature = minisign::sign(None, &secret(&self.key)?, Cursor::new(content), Some(&said), None)
            .with_context(|| format!("{}: cannot be signed", file.display()))?;
        let at = PathBuf::from(format!("{}{SIGNATURE}", file.display()));
        replace(&at, signature.into_string().as_bytes())?;
        println!("{}: signed", at.display());
        Ok(ExitCode::SUCCESS)
    }
}

fn secret(path: &Path) -> Result<SecretKey> {
    let read = || -> Result<SecretKeyBox> { Ok(SecretKeyBox::from_string(&fs::read_to_string(path)?)?) };
    let no_key = || format!("{}: no secret key of minisign's can be read from it", path.display());
    match read().with_context(no_key)?.into_unencrypted_secret_key() {
        Ok(key) => return Ok(key),
        // minisign's own program writes no checksum into a key that it does not protect.
        Err(e) if matches!(e.kind(), ErrorKind::Verify) => bail!(
            "{}: is damaged, or was made by minisign without a password: make one by `andon model keygen`, or with one",
            path.display()
        ),
        Err(_) => {}
    }
    let password = std::env::var(PASSWORD).ok();
    read()?.into_secret_key(password).with_context(|| {
        format!(
            "{}: cannot be opened: is the password right? ({PASSWORD} holds it where nobody can be asked)",
            path.display()
        )
    })
}

/// Checks that a trusted key signed a model, and that nothing of it was altered since.
#[derive(Args)]
pub struct Verify {
    /// A bundle folder, an .onnx file, or STORE/NAME@VERSION
    model: String,
    /// Public keys, one a line, or a minisign.pub
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
        println!("{}: whole, and signed by {}", what.display(), source.signed_by.unwrap_or_default());
        Ok(ExitCode::SUCCESS)
    }
}
