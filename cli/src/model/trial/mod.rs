// SPDX-License-Identifier: MPL-2.0
//! `andon model try`: runs a model on pictures as a line would, draws what it found, and says what was assumed: the first
//! thing to do with a model.

mod line;
mod pictures;
mod prepare;
mod text;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use andon_inference::split_labels;
use andon_model::Decoder;
use anyhow::{Context, Result, bail};
use clap::Args;
use gst::prelude::*;

use super::decoder;
use crate::{app::init, limit::rest, picture::png, progress::bar};
use line::Line;
use pictures::{Pictures, Target};
pub(super) use prepare::few;
use prepare::{Asked, Tried, prepared};
use text::Row;

const EXAMPLES: &str = "Examples:
  andon model try models/pcb/2 board.png --into seen
  andon model try best.onnx pictures --into seen --labels @names.txt";

/// Try a model on pictures
///
/// Run the model on pictures as modelinfer does in a line, draw what it found, and say what was assumed of a model that does
/// not say it, and how to change that.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Try {
    /// A bundle folder, an .onnx file, or STORE/NAME@VERSION
    model: String,
    /// Pictures (.png, .jpg), or folders of them
    #[arg(required = true)]
    pictures: Vec<PathBuf>,
    /// Draw what was found, and write a PNG file for each picture into this folder
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// The labels of an .onnx file that does not hold them, in the model's order: A,B,… or @FILE with one a line
    #[arg(long, value_name = "A,B,…|@FILE")]
    labels: Option<String>,
    /// The labels of good frames, if their names do not show which
    #[arg(long, value_name = "A,…", value_delimiter = ',')]
    good: Vec<String>,
    /// How the outputs are read, if the graph does not show it: a decoder of docs/models.md
    #[arg(long, value_name = "NAME", value_parser = decoder)]
    decoder: Option<Decoder>,
    /// The score from which a detection is a defect, 0..1 [default: the model's]
    #[arg(long, value_name = "SCORE")]
    score_threshold: Option<f64>,
    /// The fields of a model that needs them, `fields` of modelinfer: fields,speed=1.5
    #[arg(long, value_name = "STRUCTURE")]
    fields: Option<String>,
    /// The folder of golden templates, `image-root` of modelinfer
    #[arg(long, value_name = "DIR")]
    image_root: Option<PathBuf>,
    /// Execution providers, the preferred first, `execution-providers` of modelinfer
    #[arg(long, value_name = "LIST")]
    providers: Option<String>,
    /// Print a JSON document a picture
    #[arg(long)]
    json: bool,
}

impl Try {
    /// The execution providers that are asked for.
    pub fn providers(&self) -> &str {
        self.providers.as_deref().unwrap_or("cpu")
    }

    pub fn execute(self, limit: Duration) -> Result<ExitCode> {
        let pictures = Pictures::find(&self.pictures)?;
        let target = self.into.as_deref().map(|folder| Target::new(folder, &pictures)).transpose()?;
        let labels = self.labels.as_deref().map(split_labels).unwrap_or_default();
        let asked = Asked { labels, good: self.good.clone(), decoder: self.decoder, limit };
        let tried = prepared(&self.model, &asked)?;
        // From here on the element has its limit, and each picture.
        rest(|| self.play(&pictures, target.as_ref(), &tried, limit))
    }

    fn play(&self, pictures: &Pictures, target: Option<&Target>, tried: &Tried, limit: Duration) -> Result<ExitCode> {
        init()?;
        let line = Line::start(tried, limit, |model| {
            model.set_property("load-timeout", i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX));
            if let Some(score) = self.score_threshold {
                model.set_property_from_str("score-threshold", &score.to_string());
            }
            if let Some(fields) = &self.fields {
                let fields: gst::Structure =
                    fields.parse().with_context(|| format!("'{fields}' is no structure: fields,speed=1.5,recipe=a"))?;
                model.set_property("fields", fields);
            }
            if let Some(root) = &self.image_root {
                model.set_property_from_str("image-root", root.to_str().context("the path is not UTF-8")?);
            }
            if let Some(providers) = &self.providers {
                model.set_property_from_str("execution-providers", providers);
            }
            Ok(())
        })?;

        let mut rows = Vec::new();
        let doing = bar(pictures.files.len(), "trying");
        for (i, file) in pictures.files.iter().enumerate() {
            let row = match line.judge(i, file) {
                Ok((result, drawn)) => {
                    if let Some(target) = target {
                        target.write(i, &png(&drawn)?.bytes)?;
                    }
                    if self.json {
                        doing.suspend(|| println!("{}", text::json(file, &result)));
                    }
                    Row::judged(file, &result)
                }
                Err(line::Failure::Picture(why)) => Row::unread(file, &why),
                Err(line::Failure::Line(why)) => {
                    doing.finish_and_clear();
                    bail!(why);
                }
            };
            rows.push(row);
            doing.inc(1);
        }
        doing.finish_and_clear();
        line.stop();
        if !self.json {
            text::print(&rows, tried, &self.model, self.score_threshold);
            if let Some(target) = target {
                println!(
                    "Drawn: {} of the pictures in {}",
                    rows.iter().filter(|r| r.read).count(),
                    target.folder.display()
                );
            } else {
                println!("Pass --into DIR to see the pictures with what was found drawn in.");
            }
        }
        for row in rows.iter().filter(|r| !r.read && self.json) {
            eprintln!("warning: {}: {}", row.picture, row.found);
        }
        Ok(if rows.iter().all(|r| r.read) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
