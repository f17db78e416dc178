// SPDX-License-Identifier: MPL-2.0
//! `andon completions`: what a shell needs to complete the program's words.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use clap_complete::env::Shells;

/// What a shell's script sets when it asks what may come next. Not `COMPLETE`, which others may have set for themselves.
pub const VARIABLE: &str = "ANDON_COMPLETE";

/// Print what makes a shell complete the words of this program
///
/// `andon ctl` completes the elements, properties and actions of the line that runs.
#[derive(Args)]
#[command(after_help = "Examples:
  echo 'source <(andon completions bash)' >> ~/.bashrc
  echo 'source <(andon completions zsh)' >> ~/.zshrc
  andon completions fish > ~/.config/fish/completions/andon.fish")]
pub struct Completions {
    #[arg(value_parser = ["bash", "zsh", "fish"])]
    shell: String,
}

impl Completions {
    /// Prints the script.
    pub fn execute(self) -> Result<ExitCode> {
        let shells = Shells::builtins();
        let shell = shells.completer(&self.shell).context("this program was built without that shell")?;
        let program = std::env::current_exe().context("this program's own path is not known")?;
        let mut script = Vec::new();
        shell.write_registration(VARIABLE, "andon", "andon", &program.to_string_lossy(), &mut script)?;
        // As it is: the script is for the shell, not for a terminal.
        std::print!("{}", String::from_utf8_lossy(&script));
        Ok(ExitCode::SUCCESS)
    }
}
