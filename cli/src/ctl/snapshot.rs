// SPDX-License-Identifier: MPL-2.0
//! `andon ctl snapshot`: a picture of the last frame as a file.

use std::{
    io::{IsTerminal as _, stdout},
    path::{Path, PathBuf},
};

use andon_control::{reply::Snapshot, request::Request};
use andon_core::{files, text::as_name};
use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use clap_complete::engine::ArgValueCandidates;

use super::{complete, line::Line};
use crate::{app::Usage, terminal};

/// Save a picture of the last frame, as JPEG
#[derive(Args)]
#[command(after_help = "Example:
  andon ctl snapshot champion --overlay -o now.jpg")]
pub struct TakeSnapshot {
    /// The element whose output it shows; may be left out if only one comes into question
    #[arg(add = ArgValueCandidates::new(complete::elements))]
    element: Option<String>,
    /// Draw what was found
    #[arg(long)]
    overlay: bool,
    /// Make a wider frame smaller, pixels
    #[arg(long, value_name = "PIXELS")]
    max_width: Option<u32>,
    /// Quality of the JPEG
    #[arg(long, value_name = "1..100", default_value_t = 85, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: u8,
    /// The file; - for standard output [default: snapshot-ELEMENT.jpg]
    #[arg(short, long, value_name = "FILE.jpg")]
    output: Option<PathBuf>,
}

impl TakeSnapshot {
    /// Asks for the picture and writes it, whole or not at all.
    pub fn execute(self, line: &mut Line, json: bool) -> Result<()> {
        let to_stdout = self.output.as_deref() == Some(Path::new("-"));
        if to_stdout && stdout().is_terminal() {
            return Err(Usage("a picture is nothing for a terminal: name a file, or send it on with |".into()).into());
        }
        let answer = line.ask(&Request::Snapshot {
            element: self.element,
            overlay: self.overlay,
            max_width: self.max_width,
            quality: self.quality,
        })?;
        let not_understood = "the line answers what this program does not understand";
        let mut shot: Snapshot = serde_json::from_value(answer).context(not_understood)?;
        let jpeg = STANDARD.decode(std::mem::take(&mut shot.jpeg)).context(not_understood)?;
        if to_stdout {
            terminal::bytes(&jpeg);
            return Ok(());
        }
        let path = self.output.unwrap_or_else(|| default_name(&shot.element));
        files::replace(&path, &jpeg).with_context(|| format!("{}: the picture cannot be written", path.display()))?;
        if json {
            let mut all = serde_json::to_value(&shot)?;
            if let Some(all) = all.as_object_mut() {
                all.remove("jpeg");
                all.insert("path".into(), path.to_string_lossy().into());
            }
            println!("{all}");
        } else {
            let frame = shot.frame_id.map(|id| format!(", frame {id}")).unwrap_or_default();
            println!("{}: {} × {} of {}{frame}", path.display(), shot.width, shot.height, shot.element);
        }
        Ok(())
    }
}

/// The name of a file in this folder, whatever the element is called.
fn default_name(element: &str) -> PathBuf {
    let plain: String = as_name(element).chars().map(|c| if c == '/' { '-' } else { c }).collect();
    format!("snapshot-{plain}.jpg").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_lands_in_this_folder_whatever_the_element_is_called() {
        assert_eq!(default_name("overlay"), Path::new("snapshot-overlay.jpg"));
        assert_eq!(default_name("../../etc/x\u{1b}"), Path::new("snapshot-..-..-etc-x\\u{1b}.jpg"));
    }
}
