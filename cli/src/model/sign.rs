// SPDX-License-Identifier: MPL-2.0
//! `andon model keygen`, `sign`, `verify`: signatures in the format of minisign.

use std::{
    fs::{self, File, OpenOptions},
    io::{Cursor, IsTerminal as _, Write as _, read_to_string, stdin},
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_core::files;
use andon_model::{self as model, Location, SIGNATURE, Trust, locate};
use anyhow::{Context, Result, bail};
use clap::Args;
use minisign::{ErrorKind, KeyPair, SecretKey, SecretKeyBox};
use serde::Serialize;

use super::text::write_into;
use crate::{app::Usage, limit::rest};

/// The environment variable with the password of the secret key, for use without a terminal.
const PASSWORD: &str = "ANDON_KEY_PASSWORD";

/// Make a key pair
///
/// Write NAME.key, which signs models and must stay secret, and NAME.pub for those who trust your models. The password of
/// the secret key is read from the terminal, from ANDON_KEY_PASSWORD, or from a file.
#[derive(Args)]
#[command(after_help = "Examples:
  andon model keygen andon
  andon model keygen ci --password-file password.txt
  pass show ci | andon model keygen ci --password-file -
  andon model keygen ci --no-password")]
pub struct Keygen {
    /// The path of both files, without the extensions
    #[arg(default_value = "andon")]
    name: PathBuf,
    /// Do not protect the secret key by a password
    #[arg(long)]
    no_password: bool,
    /// Read the password from the first line of a file; - reads the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "no_password")]
    password_file: Option<PathBuf>,
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
            let Asked { password } = Asked::for_key(
                self.password_file.as_deref(),
                "the new key",
                ", or make a key without a password: --no-password",
            )?;
            KeyPair::generate_encrypted_keypair(password)
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

/// A password as it was told; None if a person is to type it.
struct Asked {
    password: Option<String>,
}

impl Asked {
    /// Takes the password of a key from the file, else from the environment, else from a terminal if there is one.
    fn for_key(file: Option<&Path>, key: &str, or: &str) -> Result<Self> {
        if let Some(file) = file {
            let read =
                if file == Path::new("-") { read_to_string(stdin()) } else { files::read_text(file, files::TEXT) };
            let text = read.with_context(|| format!("{}: cannot be read", file.display()))?;
            let first = text.lines().next().unwrap_or_default();
            if first.is_empty() {
                bail!(Usage(format!("{}: its first line is empty: write the password there", file.display())));
            }
            return Ok(Self { password: Some(first.into()) });
        }
        match std::env::var(PASSWORD) {
            Ok(password) if !password.is_empty() => Ok(Self { password: Some(password) }),
            _ if has_terminal() => Ok(Self { password: None }),
            _ => bail!(Usage(format!(
                "nobody can be asked for the password of {key}, because there is no terminal: set {PASSWORD}, or name a file that \
                 holds it by --password-file FILE{or}"
            ))),
        }
    }
}

/// Returns whether there is a terminal at which a person can type a password.
fn has_terminal() -> bool {
    if cfg!(unix) { File::open("/dev/tty").is_ok() } else { stdin().is_terminal() }
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
#[command(after_help = "Example:
  andon model sign models/pcb/2 --key andon.key")]
pub struct Sign {
    /// A bundle folder, or an .onnx file
    bundle: String,
    /// The secret key, made by `andon model keygen`, or by minisign with a password
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Read the password of the key from the first line of a file; - reads the standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
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
        let signature = minisign::sign(
            None,
            &secret(&self.key, self.password_file.as_deref())?,
            Cursor::new(&source.to_sign),
            Some(&comment),
            None,
        )
        .with_context(|| format!("{}: cannot be signed", file.display()))?;
        let at = PathBuf::from(format!("{}{SIGNATURE}", file.display()));
        write_into(&at, signature.into_string().as_bytes())?;
        println!("{}: signed", at.display());
        Ok(ExitCode::SUCCESS)
    }
}

fn secret(path: &Path, password_file: Option<&Path>) -> Result<SecretKey> {
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
    let Asked { password } = Asked::for_key(password_file, &path.display().to_string(), "")?;
    let key = read()?;
    rest(|| key.into_secret_key(password))
        .with_context(|| format!("{}: cannot be opened: is the password right?", path.display()))
}

/// Check the signature of a model
///
/// Check that a trusted key signed the model, and that no file was altered since.
#[derive(Args)]
#[command(after_help = "Example:
  andon model verify models/pcb/2 --keys andon.pub")]
pub struct Verify {
    /// A bundle folder, an .onnx file, or STORE/NAME@VERSION
    model: String,
    /// A file with the trusted public keys, one per line, or a minisign.pub
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A model that was verified, for programs.
#[derive(Serialize)]
struct VerifiedModel {
    /// Always `andon.model-verified/1`.
    schema: &'static str,
    /// The bundle, or the file.
    path: PathBuf,
    /// The key that signed it.
    signed_by: String,
}

impl Verify {
    pub fn execute(self) -> Result<ExitCode> {
        let source = model::open_trusted(&self.model, &Trust::read(&self.keys)?)?;
        let what = match locate(&self.model)? {
            Location::Bundle(folder) => folder,
            Location::Bare(file) => file,
        };
        let signed_by = source.signed_by.unwrap_or_default();
        if self.json {
            let verified = VerifiedModel { schema: "andon.model-verified/1", path: what, signed_by };
            println!("{}", serde_json::to_string_pretty(&verified)?);
        } else {
            println!("{}: unaltered, signed by {signed_by}", what.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}
