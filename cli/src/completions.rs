// SPDX-License-Identifier: MPL-2.0
//! `andon completions`: what a shell needs to complete the program's words.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use clap_complete::env::Shells;

use crate::terminal;

/// What a shell's script sets when it asks what may come next. Not `COMPLETE`, which others may have set for themselves.
pub const VARIABLE: &str = "ANDON_COMPLETE";

/// What zsh runs of a file that it loads at the first completion: that completion itself.
const AUTOLOADED: &[u8] = b"\nif [[ ${funcstack[1]} == _andon ]]; then\n    _clap_dynamic_completer_andon \"$@\"\nfi\n";

/// Print what makes a shell complete the words of this program
///
/// `andon ctl` completes the elements, properties and actions of the line that runs.
#[derive(Args)]
#[command(after_help = "Examples:
  echo 'source <(andon completions bash)' >> ~/.bashrc
  echo 'source <(andon completions zsh)' >> ~/.zshrc
  andon completions fish > ~/.config/fish/completions/andon.fish
  andon completions zsh --installed > _andon      for a package: _andon in a folder of $fpath")]
pub struct Completions {
    /// The shell
    #[arg(value_parser = ["bash", "zsh", "fish"])]
    shell: String,
    /// Write the script for the andon that is found in PATH, not for this file, and so that it may be installed where the shell
    /// looks for completions
    #[arg(long)]
    installed: bool,
}

impl Completions {
    /// Prints the script.
    pub fn execute(self) -> Result<ExitCode> {
        let shells = Shells::builtins();
        let shell = shells.completer(&self.shell).context("this program was built without that shell")?;
        let own = || std::env::current_exe().context("this program's own path is not known");
        let program = if self.installed { "andon".into() } else { own()?.to_string_lossy().into_owned() };
        let mut script = Vec::new();
        shell.write_registration(VARIABLE, "andon", "andon", &program, &mut script)?;
        if self.installed && self.shell == "zsh" {
            script.extend_from_slice(AUTOLOADED);
        }
        // As it is: the script is for the shell, not for a terminal.
        terminal::bytes(&script);
        Ok(ExitCode::SUCCESS)
    }
}
