// SPDX-License-Identifier: MPL-2.0
//! How a line is kept running, on the command line.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use crate::play::{Backoff, Care, Restart, Settings};

/// What keeps a line running, and how it is stopped.
#[derive(Args)]
pub struct Service {
    /// What is started again
    #[arg(long, value_name = "WHAT", default_value = "no")]
    restart: Restart,
    /// How long to wait before the first restart; each further one waits twice as long, and after a minute of playing it begins
    /// anew: 500ms, 1s
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    restart_delay: Duration,
    /// The longest wait before a restart
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    restart_delay_most: Duration,
    /// A source that gives no frame for that long has failed: 10s, 2m, off. Without it, 10s for live sources where --restart is on.
    /// Turn it off for cameras that a trigger fires
    #[arg(long, value_name = "TIME", value_parser = time_or_off)]
    stall: Option<Stall>,
    /// How long the end of the stream may take to reach every sink, once it was asked for
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    stop_timeout: Duration,
    /// Listen on a control socket (docs/control.md), at this address or in the folder that `andon ctl` looks into; ANDON_CONTROL in
    /// the environment goes before it
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "unix:")]
    control: Option<String>,
    /// Draw the pipeline into a folder, as ready.dot, playing.dot and error.dot
    #[arg(long, value_name = "FOLDER")]
    dot: Option<PathBuf>,
}

/// How long a source may be silent: None is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stall(Option<Duration>);

impl Service {
    /// Makes this process listen on a control socket, if that is wanted. Before there is another thread.
    pub fn listen(&self) {
        if let Some(address) = self.control.as_ref().filter(|_| std::env::var_os("ANDON_CONTROL").is_none()) {
            // SAFETY: the caller says that there is no other thread yet.
            unsafe { std::env::set_var("ANDON_CONTROL", address) };
        }
    }

    /// Returns how the pipeline is to be played.
    pub fn settings(&self, quiet: bool) -> Settings {
        let backoff = Backoff { first: self.restart_delay, most: self.restart_delay_most };
        Settings {
            care: Some(Care { restart: self.restart, backoff, stall: self.stall.map(|s| s.0) }),
            stop_timeout: Some(self.stop_timeout),
            graphs: self.dot.clone(),
            service: true,
            quiet,
        }
    }
}

/// Reads a time with its unit.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no time: a number with its unit, as in 500ms, 10s, 2m");
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let time = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
    if time.is_zero() { Err(format!("'{text}' is no time to wait: it has to be longer than 0")) } else { Ok(time) }
}

fn time_or_off(text: &str) -> Result<Stall, String> {
    if text == "off" {
        return Ok(Stall(None));
    }
    time(text).map(|t| Stall(Some(t))).map_err(|e| format!("{e}; or off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_their_unit() {
        for (text, ms) in
            [("500ms", 500), ("10s", 10_000), ("1.5s", 1500), ("2m", 120_000), ("2min", 120_000), ("1h", 3_600_000)]
        {
            assert_eq!(time(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["10", "", "s", "-1s", "0s", "10 parsecs", "1e300h", "NaNs"] {
            assert!(time(text).is_err(), "{text}");
        }
        assert_eq!(time_or_off("off"), Ok(Stall(None)));
        assert!(time_or_off("10").unwrap_err().contains("10s"));
    }
}
